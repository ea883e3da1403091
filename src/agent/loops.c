// SPDX-License-Identifier: MIT
/* See loops.h. */
#include "agent/loops.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/hooks.h"
#include "agent/ticks.h"
#include "agent/uv.h"

struct loop loops[LOOPS_MAX];
uint32_t loops_epoch = 1;
__thread struct loops_thread loops_thread __attribute__((tls_model("initial-exec")));

static uint64_t last_id;
static PyObject *get_running_loop; /* strong: _asyncio._get_running_loop */
static PyObject *stock_threadsafe; /* strong: BaseEventLoop.call_soon_threadsafe */

int
loops_init(char *reason, size_t size)
{
    if (get_running_loop == NULL)
        get_running_loop = cpy_lookup("_asyncio", "_get_running_loop");
    if (stock_threadsafe == NULL)
        stock_threadsafe = cpy_lookup("asyncio.base_events", "BaseEventLoop.call_soon_threadsafe");
    loops[0].path_each_step = true; /* for the tasks of loops that found no entry */
    if (get_running_loop == NULL) {
        (void)snprintf(reason, size, "_asyncio has no _get_running_loop");
        return -ENOTSUP;
    }
    return 0;
}

void
loops_exit(void)
{
    Py_CLEAR(get_running_loop);
    Py_CLEAR(stock_threadsafe);
}

static void
note_gone(struct loop *loop)
{
    STORE(loop->object, NULL);
    STORE(loop->state, LOOP_CLOSED);
    STORE(loop->gone, ticks_now());
    STORE(loop->probe_sent, 0);
    Py_CLEAR(loop->weak);
}

bool
loops_alive(struct loop *loop)
{
    if (loop->object == NULL)
        return false;
    if (loop->weak != NULL && cpy_weak_referent(loop->weak) == loop->object)
        return true;
    note_gone(loop);
    return false;
}

/* Called when a loop object is freed; self is the entry's index. */
static PyObject *
loop_gone(PyObject *self, PyObject *weak)
{
    size_t i = PyLong_AsSize_t(self);
    if (i < LOOPS_MAX && loops[i].weak == weak)
        note_gone(&loops[i]);
    PyErr_Clear();
    Py_RETURN_NONE;
}

static PyMethodDef loop_gone_def = {"loop_gone", loop_gone, METH_O, NULL};

static PyObject *
watch(PyObject *object, size_t index)
{
    PyObject *number = PyLong_FromSize_t(index);
    PyObject *callback = number != NULL ? PyCFunction_New(&loop_gone_def, number) : NULL;
    PyObject *weak = callback != NULL ? PyWeakref_NewRef(object, callback) : NULL;
    Py_XDECREF(callback);
    Py_XDECREF(number);
    PyErr_Clear();
    return weak;
}

/*
 * A free entry; or one whose loop has been gone for long; or, where there is none, the one gone
 * longest. NULL: all are in use.
 */
static struct loop *
free_entry(void)
{
    struct loop *oldest = NULL;
    for (size_t i = 1; i < LOOPS_MAX; i++) {
        struct loop *loop = &loops[i];
        if (loop->id == 0)
            return loop;
        if (loop->gone != 0 && (oldest == NULL || loop->gone < oldest->gone))
            oldest = loop;
        if (loop->gone != 0 && ticks_since_ns(loop->gone) > LOOPS_KEEP_NS)
            break;
    }
    if (oldest != NULL)
        STORE(oldest->id, 0);
    return oldest;
}

static bool
entry_prepare(struct loop *loop)
{
    struct loop_history *history = loop->history;
    if (history == NULL) {
        history =
            mmap(NULL, sizeof *history, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (history == MAP_FAILED)
            return false;
        pthread_mutex_init(&loop->uv_lock, NULL);
    }
    STORE(loop->running, 0);
    STORE(loop->iteration_start, 0);
    uint64_t *const counts[] = {&loop->iterations, &loop->callbacks, &loop->steps, &loop->busy,
        &loop->lag_max_ns, &loop->probe_sent, &loop->gone};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        STORE(*counts[i], 0);
    STORE(loop->tid, 0);
    atomic_text_set(loop->thread, sizeof loop->thread, "");
    STORE(loop->state, LOOP_STOPPED);
    for (size_t i = 0; i < LOOPS_WINDOWS; i++)
        histogram_clear(&history->lag[i]);
    STORE_RELEASE(loop->history, history);
    STORE_RELEASE(loop->renewed, true);
    return true;
}

/* asyncio's own loops are called so; others by their type. */
static void
entry_kind(struct loop *loop, PyObject *object)
{
    const char *name = Py_TYPE(object)->tp_name;
    bool is_class = (Py_TYPE(object)->tp_flags & Py_TPFLAGS_HEAPTYPE) != 0;
    bool is_uvloop = uv_is_loop(object);
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

/*
 * Whether the loop's call_soon_threadsafe is asyncio's or uvloop's own, so that a probe runs none
 * of the application's code.
 */
static bool
may_probe(const struct loop *loop, PyObject *object)
{
    PyObject *method = PyObject_GetAttrString((PyObject *)Py_TYPE(object), "call_soon_threadsafe");
    bool own = method != NULL &&
               (loop->is_uvloop ? !PyFunction_Check(method) : method == stock_threadsafe);
    Py_XDECREF(method);
    PyErr_Clear();
    return own;
}

struct loop *
loops_of(PyObject *object)
{
    struct loop *current = loops_thread.loop;
    if (current != NULL && current->object == object)
        return current;
    for (size_t i = 1; i < LOOPS_MAX; i++)
        if (loops[i].id != 0 && loops[i].object == object && loops_alive(&loops[i]))
            return &loops[i];

    struct loop *loop = free_entry();
    if (loop == NULL || !entry_prepare(loop))
        return &loops[0];
    Py_XSETREF(loop->weak, watch(object, loops_index(loop)));
    if (loop->weak == NULL)
        return &loops[0];
    entry_kind(loop, object);
    STORE(loop->may_probe, may_probe(loop, object));
    if (loop->is_uvloop)
        hooks_wake_uvloop();
    STORE(loop->object, object);
    STORE_RELEASE(loop->id, ++last_id);
    return loop;
}

/* The thread's name as the kernel knows it; Python names the main thread after the program. */
static void
name_thread(struct loop *loop)
{
    STORE(loop->tid, (pid_t)syscall(SYS_gettid));
    char name[sizeof loop->thread] = "MainThread";
    if (loop->tid != getpid() && pthread_getname_np(pthread_self(), name, sizeof name) != 0)
        (void)snprintf(name, sizeof name, "thread");
    atomic_text_set(loop->thread, sizeof loop->thread, name);
}

void
loops_set_running(PyObject *object)
{
    struct loop *before = loops_thread.loop;
    loops_thread.epoch = loops_epoch;
    loops_thread.loop = NULL;
    if (before != NULL) {
        uv_loop_stopped(before);
        STORE(before->iteration_start, 0);
        STORE(before->running, 0);
        if (before->object != NULL)
            STORE(before->state, LOOP_STOPPED);
    }
    if (object == NULL)
        return;
    struct loop *loop = loops_of(object);
    if (loop == &loops[0])
        return;
    name_thread(loop);
    loop->since = ticks_now();
    STORE(loop->state, LOOP_RUNNING);
    loops_thread.loop = loop;
    if (loop->is_uvloop)
        uv_loop_started(loop);
}

struct loop *
loops_current_slow(void)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *object = get_running_loop != NULL ? PyObject_CallNoArgs(get_running_loop) : NULL;
    loops_set_running(object != NULL && object != Py_None ? object : NULL);
    Py_XDECREF(object);
    PyErr_Clear();
    PyErr_Restore(type, value, traceback);
    return loops_thread.loop;
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
    for (size_t i = 1; i < LOOPS_MAX; i++)
        if (loops[i].history != NULL)
            pthread_mutex_init(&loops[i].uv_lock, NULL);
}

void
loops_reset(void)
{
    for (size_t i = 1; i < LOOPS_MAX; i++) {
        struct loop *loop = &loops[i];
        if (loop->id == 0)
            continue;
        uv_loop_stopped(loop);
        if (loop->object != NULL)
            STORE(loop->state, LOOP_STOPPED);
        STORE(loop->running, 0);
        STORE(loop->iteration_start, 0);
        STORE(loop->probe_sent, 0);
    }
    loops_epoch++;
    loops_thread.loop = NULL;
}

/*
 * What a loop says of itself: uvloop's is asked (C code), of asyncio's the attribute is read, where
 * reading it runs no code.
 */
static bool
says(const struct loop *loop, const char *method, const char *attribute)
{
    PyObject *answer;
    if (loop->is_uvloop)
        answer = PyObject_CallMethod(loop->object, method, NULL);
    else if (Py_TYPE(loop->object)->tp_getattro == PyObject_GenericGetAttr &&
             !PyObject_HasAttrString((PyObject *)Py_TYPE(loop->object), attribute))
        answer = PyObject_GetAttrString(loop->object, attribute);
    else
        return false;
    bool yes = answer != NULL && answer != Py_None && answer != Py_False;
    Py_XDECREF(answer);
    PyErr_Clear();
    return yes;
}

static bool
is_stopped(struct loop *loop)
{
    return loop->id != 0 && loop->state == LOOP_STOPPED && loops_alive(loop);
}

void
loops_find_running(void)
{
    for (size_t i = 1; i < LOOPS_MAX; i++)
        if (is_stopped(&loops[i]) && says(&loops[i], "is_running", "_thread_id"))
            STORE(loops[i].state, LOOP_RUNNING);
}

void
loops_find_closed(void)
{
    for (size_t i = 1; i < LOOPS_MAX; i++)
        if (is_stopped(&loops[i]) && says(&loops[i], "is_closed", "_closed"))
            STORE(loops[i].state, LOOP_CLOSED);
}

bool
loops_have_stopped(void)
{
    for (size_t i = 1; i < LOOPS_MAX; i++)
        if (LOAD(loops[i].id) != 0 && LOAD(loops[i].state) == LOOP_STOPPED)
            return true;
    return false;
}

uint64_t
loops_bytes(void)
{
    uint64_t bytes = sizeof loops;
    for (size_t i = 1; i < LOOPS_MAX; i++)
        if (LOAD(loops[i].history) != NULL)
            bytes += sizeof(struct loop_history);
    return bytes;
}
