// SPDX-License-Identifier: MIT
/* See loops.h. The entries: which loop has which. */
#include "agent/loops.h"

#include <string.h>
#include <sys/mman.h>

#include "agent/hooks.h"
#include "agent/ticks.h"
#include "agent/uv.h"

struct loop loops[LOOPS_MAX];
uint32_t loops_high = 1;
bool loops_given_up;

static uint64_t last_id;
static uint32_t free_list;           /* entry freed last, 0: none */
static PyObject *objects[LOOPS_MAX]; /* borrowed; of the entries, side by side to be searched */

static void
put_back(struct loop *loop)
{
    loop->next_free = free_list;
    free_list = loops_index(loop);
}

/* The entry is no loop's any more. The last one freed serves first: its memory is at hand. */
static void
release(struct loop *loop)
{
    STORE(loop->id, 0);
    objects[loops_index(loop)] = NULL;
    STORE(loop->object, NULL);
    STORE(loop->state, LOOP_CLOSED);
    uv_loop_stopped(loop);
    Py_CLEAR(loop->weak);
    put_back(loop);
}

bool
loops_alive(struct loop *loop)
{
    if (loop->object == NULL)
        return false;
    if (cpy_weak_referent(loop->weak) == loop->object)
        return true;
    release(loop);
    return false;
}

/* Called when a loop object is freed; self is the entry's index. */
static PyObject *
loop_gone(PyObject *self, PyObject *weak)
{
    size_t i = PyLong_AsSize_t(self);
    if (i < LOOPS_MAX && loops[i].weak == weak)
        release(&loops[i]);
    PyErr_Clear();
    Py_RETURN_NONE;
}

static PyMethodDef loop_gone_def = {"loop_gone", loop_gone, METH_O, NULL};

static PyObject *
watch(PyObject *object, size_t index)
{
    bool collecting = cpy_gc_hold();
    PyObject *number = PyLong_FromSize_t(index);
    PyObject *callback = number != NULL ? PyCFunction_New(&loop_gone_def, number) : NULL;
    PyObject *weak = callback != NULL ? PyWeakref_NewRef(object, callback) : NULL;
    Py_XDECREF(callback);
    Py_XDECREF(number);
    PyErr_Clear();
    cpy_gc_release(collecting);
    return weak;
}

/*
 * The entry that is to be given up: of the closed loops, or else of the stopped ones, that which
 * rests longest. NULL: there is none. An application may keep closed loops for as long as it runs.
 */
static struct loop *
longest_at_rest(void)
{
    struct loop *longest = NULL;
    for (uint32_t i = 1; i < loops_high; i++) {
        struct loop *loop = &loops[i];
        if (loop->state == LOOP_RUNNING || loop->object == NULL)
            continue;
        if (longest == NULL || loop->state > longest->state ||
            (loop->state == longest->state && loop->since < longest->since))
            longest = loop;
    }
    return longest;
}

static bool
history_ready(struct loop *loop)
{
    if (loop->history != NULL) {
        for (size_t i = 0; i < LOOPS_WINDOWS && !LOAD(loop->given_back); i++)
            histogram_clear(&loop->history->lag[i]);
        return true;
    }
    void *memory = mmap(
        NULL, sizeof *loop->history, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    pthread_mutex_init(&loop->uv_lock, NULL);
    STORE_RELEASE(loop->history, memory);
    return true;
}

/* Takes an entry off the free ones; NULL: there is none. */
static struct loop *
take(void)
{
    if (free_list == 0 && loops_high == LOOPS_MAX) {
        struct loop *given_up = longest_at_rest();
        if (given_up == NULL)
            return NULL;
        STORE(loops_given_up, true);
        release(given_up);
    }
    struct loop *loop = &loops[free_list != 0 ? free_list : loops_high];
    if (!history_ready(loop))
        return NULL;
    if (free_list != 0)
        free_list = loop->next_free;
    else
        STORE_RELEASE(loops_high, loops_high + 1);
    return loop;
}

/* As of a loop that rests and has done nothing. */
static void
clear(struct loop *loop)
{
    uint64_t *const counts[] = {&loop->iteration_start, &loop->iterations, &loop->callbacks,
        &loop->steps, &loop->busy, &loop->lag_max_ns, &loop->lag_steps, &loop->probe_sent};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        STORE(*counts[i], 0);
    STORE(loop->running, 0);
    STORE(loop->tid, 0);
    atomic_text_set(loop->thread, sizeof loop->thread, "");
    STORE(loop->state, LOOP_STOPPED);
    loop->since = ticks_now();
    STORE(loop->given_back, false);
    STORE_RELEASE(loop->renewed, true);
}

/* asyncio's own loops are called so; others by their type. */
static void
entry_kind(struct loop *loop, PyObject *object)
{
    const char *name = Py_TYPE(object)->tp_name;
    bool is_class = (Py_TYPE(object)->tp_flags & Py_TPFLAGS_HEAPTYPE) != 0;
    bool is_uvloop = uv_loop_type(object) != NULL;
    const char *dot = strrchr(name, '.');
    name = dot != NULL ? dot + 1 : name;
    if (is_uvloop)
        name = "uvloop";
    else if (is_class && (strcmp(name, "_UnixSelectorEventLoop") == 0 ||
                             strcmp(name, "SelectorEventLoop") == 0))
        name = "asyncio";
    atomic_text_set(loop->kind, sizeof loop->kind, name);
    STORE(loop->is_uvloop, is_uvloop);
    STORE(loop->path_each_step, !is_uvloop);
}

static struct loop *
find(PyObject *object)
{
    for (uint32_t i = 1; i < loops_high; i++)
        if (objects[i] == object && loops_alive(&loops[i]))
            return &loops[i];
    return NULL;
}

struct loop *
loops_of_slow(PyObject *object)
{
    struct loop *loop = find(object);
    if (loop != NULL)
        return loop;
    loop = take();
    if (loop == NULL)
        return &loops[0];
    clear(loop);
    loop->weak = watch(object, loops_index(loop));
    if (loop->weak == NULL) {
        put_back(loop);
        return &loops[0];
    }
    entry_kind(loop, object);
    STORE(loop->may_probe, loops_may_probe(loop, object));
    if (loop->is_uvloop)
        hooks_wake_uvloop(uv_loop_type(object));
    objects[loops_index(loop)] = object;
    STORE(loop->object, object);
    STORE_RELEASE(loop->id, ++last_id);
    return loop;
}

void
loops_lag(struct loop *loop, uint64_t ns)
{
    struct loop_history *history = loop->history;
    histogram_add(&history->lag[LOAD(history->window)], ns);
    if (ns > LOAD(loop->lag_max_ns))
        STORE(loop->lag_max_ns, ns);
}

void
loops_child(void)
{
    for (uint32_t i = 1; i < loops_high; i++)
        pthread_mutex_init(&loops[i].uv_lock, NULL);
}

uint64_t
loops_bytes(void)
{
    uint64_t bytes = 0;
    for (uint32_t i = 1; i < LOAD_ACQUIRE(loops_high); i++)
        bytes += sizeof loops[0] + (LOAD(loops[i].id) != 0 ? sizeof *loops[0].history : 0);
    return bytes;
}
