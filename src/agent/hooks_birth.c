// SPDX-License-Identifier: MIT
/*
 * What is noted of a task at its birth, or when it is met for the first time: name, coroutine,
 * loop, creation site and parent.
 */
#include "agent/hooks_birth.h"

#include <errno.h>

#include "agent/hooks.h"
#include "agent/loops.h"
#include "agent/paths.h"
#include "agent/ticks.h"

#define SKIPS_MAX 8
#define NAME 2 /* place among hooks_usual_keywords */

bool hooks_place_unknown;

HOT_DATA PyObject *hooks_eager_start, *hooks_usual_keywords[3];
/* strong: globals of asyncio modules that create tasks for others */
static HOT_DATA PyObject *skip[SKIPS_MAX];
static HOT_DATA size_t skips;

/* N of a name "Task-N"; 0: it is another one. In place: most tasks have such a name. */
static uint64_t
number_of(PyObject *name)
{
    if (!PyUnicode_CheckExact(name) || !PyUnicode_IS_COMPACT_ASCII(name))
        return 0;
    const char *text = PyUnicode_DATA(name);
    Py_ssize_t len = PyUnicode_GET_LENGTH(name);
    if (len < 6 || len > 23 || memcmp(text, "Task-", 5) != 0 || text[5] == '0')
        return 0;
    uint64_t number = 0;
    for (Py_ssize_t i = 5; i < len; i++) {
        unsigned digit = (unsigned char)text[i] - (unsigned)'0';
        if (digit > 9)
            return 0;
        number = number * 10 + digit;
    }
    return number;
}

static COLD void
set_text(struct record *record, PyObject *name)
{
    char text[LOOPTOP_NAME_MAX];
    size_t len = name != NULL && PyUnicode_Check(name) ? paths_unicode(name, text, sizeof text) : 0;
    text[len] = '\0';
    for (size_t i = 0; i <= len; i++)
        STORE(record->name[i], text[i]);
}

/* "Task-N" as its number, anything else as text. */
static HOT_INLINE void
set_name(struct record *record, PyObject *name)
{
    uint64_t number = 0;
    if (likely(name != NULL))
        number = PyLong_CheckExact(name) ? cpy_int_number(name) : number_of(name);
    if (unlikely(number == 0))
        set_text(record, name);
    STORE(record->name_number, number);
}

static void
set_loop(struct record *record, const struct loop *loop)
{
    STORE(record->loop_id, (uint32_t)loop->id);
    STORE(record->loop, (uint16_t)loops_index(loop));
}

static HOT_INLINE void
read_loop(struct record *record, PyObject *task)
{
    PyObject *loop = cpy_task_field(task, cpy_layout.loop);
    set_loop(record, likely(loop != NULL) ? loops_of(loop) : &loops[0]);
}

void
hooks_set_name(struct record *record, PyObject *name)
{
    set_name(record, name);
}

/* What stands in the task object: name, coroutine, loop. */
void
hooks_read_task(struct record *record, PyObject *task)
{
    /* an eager task that has ended has none any more, and was asked before */
    PyObject *coro = cpy_task_field(task, cpy_layout.coro);
    hooks_set_name(record, cpy_task_field(task, cpy_layout.name));
    if (coro != NULL)
        STORE(record->coroutine, paths_coroutine(coro));
    read_loop(record, task);
}

/* A task that lived before it was seen: its state as far as it can be read. */
static void
take_in(struct record *record, PyObject *task)
{
    unsigned flags = RECORD_AGE_INEXACT;
    PyObject *coro = cpy_task_field(task, cpy_layout.coro);
    if (!cpy_is_gen(coro) || !cpyv_gen_created((PyGenObject *)coro))
        flags |= RECORD_STARTED;
    STORE(record->flags, (uint16_t)flags);
    hooks_read_cancels(record, task);
    hooks_read_task(record, task);
    if (cpy_is_gen(coro) && cpyv_gen_executing((PyGenObject *)coro)) {
        /* in a step that no hook saw begin: where it comes to rest is looked up later, and the
           loop's next step or poll shows that it has */
        struct loop *loop = &loops[record->loop];
        if (loop->running == 0) {
            STORE(loop->step_start, record->born);
            STORE(loop->running, table_index(record));
        }
        STORE(record->at_step, UINT32_MAX);
        STORE(hooks_place_unknown, true);
        return;
    }
    paths_update(record, task);
    /* queued to run: it awaits nothing, or what it awaits is done */
    PyObject *waiter = cpy_task_field(task, cpy_layout.waiter);
    if ((flags & RECORD_STARTED) &&
        (waiter == NULL || (cpy_is_future(waiter) && cpy_task_state(waiter) != CPY_PENDING)))
        STORE(record->woken, record->born);
}

/* The task in whose step this thread is although no hook has seen that begin: it was taken in. */
static COLD uint32_t
running_unseen(void)
{
    const struct loop *loop = loops_current();
    uint32_t index = loop != NULL ? LOAD(loop->running) : 0;
    PyObject *task = table_records[index].task;
    PyObject *coro = task != NULL ? cpy_task_field(task, cpy_layout.coro) : NULL;
    bool runs = coro != NULL && cpy_is_gen(coro) && cpyv_gen_executing((PyGenObject *)coro);
    return runs ? index : 0;
}

static HOT_INLINE void
note_parent(struct record *record)
{
    uint32_t index = loops_thread.current;
    if (unlikely(index == 0 || loops_thread.epoch != loops_epoch))
        index = running_unseen();
    if (index != 0)
        STORE(record->parent, LOAD(table_records[index].id));
}

static void
note_site(struct record *record)
{
    struct cpy_place place;
    if (cpy_caller(skip, skips, &place))
        STORE(record->created_at, paths_site(&place));
}

/* NULL: the table is full. */
static HOT_INLINE struct record *
new_record(PyObject *task)
{
    struct record *record = table_new(task);
    if (unlikely(record == NULL))
        return NULL;
    *cpy_task_pad(task) = table_index(record);
    STORE(record->born, ticks_now());
    STORE(record->last_end, record->born);
    return record;
}

static HOT_INLINE struct record *
begin(PyObject *task)
{
    struct record *record = new_record(task);
    ADD(table_counts.created, 1);
    if (unlikely(record == NULL)) {
        ADD(table_counts.untracked, 1);
        return NULL;
    }
    note_parent(record);
    return record;
}

struct record *
hooks_birth_begin(PyObject *task)
{
    struct record *record = begin(task);
    if (record != NULL)
        note_site(record);
    return record;
}

/* Its first step comes while its __init__ runs, by a call_soon that does not queue it. */
static COLD struct record *
birth_within(PyObject *task)
{
    struct record *record = hooks_birth_begin(task);
    loops_thread.making.id = record != NULL ? record->id : UINT64_MAX;
    if (record != NULL)
        hooks_read_task(record, task);
    return record;
}

/* A record for a task that has none, NULL when it ended or the table is full. */
struct record *
hooks_record_unseen(PyObject *task)
{
    /* of a second import of _asyncio the wakeup is hooked, but not the type: its end is not seen */
    if (!cpy_is_task(task) || cpy_task_state(task) != CPY_PENDING ||
        cpy_task_field(task, cpy_layout.coro) == NULL)
        return NULL;
    if (loops_thread.making.task == task && loops_thread.making.id == 0)
        return birth_within(task);
    struct record *record = new_record(task);
    if (record != NULL)
        take_in(record, task);
    return record;
}

/* Another thread has seen it while its __init__ ran: the walk, or one that ran its step. */
static COLD void
birth_seen(PyObject *task)
{
    struct record *record = table_find(*cpy_task_pad(task), task);
    ADD(table_counts.created, 1);
    if (record == NULL)
        return; /* and it has ended there */
    STORE(record->flags, (uint16_t)(record->flags & ~(unsigned)RECORD_AGE_INEXACT));
    if (record->steps == 0 && record->woken == 0)
        STORE(record->woken, ticks_now());
    note_parent(record);
    note_site(record);
}

HOT_TEXT void
hooks_birth(PyObject *task, uint64_t within, uint32_t pad)
{
    struct cpy_place place;
    if (unlikely(within != 0 || *cpy_task_pad(task) != pad)) {
        if (within == 0)
            birth_seen(task);
        return;
    }
    struct record *record = begin(task);
    if (unlikely(record == NULL))
        return;
    STORE(record->woken, record->born); /* the last that __init__ does is to queue it */
    hooks_read_cancels(record, task);
    PyObject *coro = cpy_task_field(task, cpy_layout.coro);
    if (likely(cpy_caller(skip, skips, &place)))
        paths_birth(record, &place, coro);
    else
        STORE(record->coroutine, paths_coroutine(coro));
    set_name(record, cpy_task_field(task, cpy_layout.name));
    read_loop(record, task);
}

void
hooks_birth_take_back(uint32_t index, uint64_t id, const PyObject *task)
{
    struct record *record = &table_records[index];
    /* one that has ended meanwhile has lived */
    if (index >= table_high || record->id != id || record->task != task)
        return;
    ADD(table_counts.created, -1ull);
    table_drop(record);
}

bool
hooks_asks_eager(PyObject *kwargs)
{
    PyObject *value = cpy_dict_find(kwargs, hooks_eager_start);
    if (value == NULL || value == Py_False || value == Py_None)
        return false;
    return !PyLong_CheckExact(value) || cpy_int_bits(value) > 0;
}

void
hooks_read_arguments(struct record *record, PyObject *args, PyObject *kwargs)
{
    PyObject *coro = PyTuple_GET_SIZE(args) > 0 ? PyTuple_GET_ITEM(args, 0) : NULL;
    PyObject *name = kwargs != NULL ? cpy_dict_find(kwargs, hooks_usual_keywords[NAME]) : NULL;
    struct loop *loop = loops_current();
    if (coro != NULL)
        STORE(record->coroutine, paths_coroutine(coro));
    if (name != NULL)
        hooks_set_name(record, name);
    if (loop != NULL)
        set_loop(record, loop);
}

/*
 * Whether Task.__init__ has run the first step: the coroutine has left its start, or is done. Of an
 * object that is no coroutine, but acts as one, only its loop tells: it runs.
 */
bool
hooks_did_start(PyObject *task)
{
    PyObject *coro = cpy_task_field(task, cpy_layout.coro);
    if (cpy_task_state(task) != CPY_PENDING || coro == NULL)
        return true;
    if (cpy_is_gen(coro))
        return !cpyv_gen_created((PyGenObject *)coro);
    return LOAD(loops_of(cpy_task_field(task, cpy_layout.loop))->state) == LOOP_RUNNING;
}

static void
find_skips(void)
{
    static const char *const modules[] = {"asyncio.tasks", "asyncio.base_events",
        "asyncio.taskgroups", "asyncio.runners", "asyncio.timeouts", "asyncio.events"};
    for (size_t i = 0; i < sizeof modules / sizeof modules[0]; i++) {
        PyObject *module = cpy_module(modules[i]);
        if (module != NULL && PyModule_Check(module))
            skip[skips++] = Py_NewRef(PyModule_GetDict(module));
        Py_XDECREF(module);
    }
}

int
hooks_birth_prepare(void)
{
    hooks_eager_start = PyUnicode_InternFromString("eager_start");
    hooks_usual_keywords[NAME] = PyUnicode_InternFromString("name");
    hooks_usual_keywords[0] = PyUnicode_InternFromString("loop");
    hooks_usual_keywords[1] = PyUnicode_InternFromString("context");
    PyErr_Clear();
    find_skips();
    return hooks_eager_start != NULL && hooks_usual_keywords[NAME] != NULL ? 0 : -ENOMEM;
}
