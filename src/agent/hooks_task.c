// SPDX-License-Identifier: MIT
/*
 * Birth, steps and end of tasks.
 *
 * Birth is Task's tp_init: also of subclasses, which inherit the slot, and of subclasses with an
 * __init__ of their own, which reach it through Task.__init__, a wrapper that holds the C pointer
 * and is patched too. An eager task runs its first step inside tp_init, by a direct C call. A step
 * is the call of a TaskStepMethWrapper or of the wakeup builtin (one PyMethodDef for all of them,
 * so that builtins made before are covered). Death is tp_dealloc, which every subclass reaches:
 * after it no record points to the task's memory.
 */
#include "agent/hooks.h"

#include <errno.h>
#include <stdio.h>

#include "agent/cancel.h"
#include "agent/loops.h"
#include "agent/names.h"
#include "agent/paths.h"
#include "agent/population.h"
#include "agent/table.h"
#include "agent/ticks.h"

#define SKIPS_MAX 8

/* uvloop's iterations are not seen: a step that long counts among the largest lags, beside the
 * probe */
#define LONG_STEP_NS 1000000

bool hooks_place_unknown;
static ternaryfunc stock_step;
static PyCFunction stock_wakeup;

static initproc stock_init;
static destructor stock_dealloc;
static PyMethodDef *cancel_def, *uncancel_def, *set_name_def;
static PyCFunction stock_cancel, stock_uncancel, stock_set_name;
static uint64_t long_step;    /* ticks */
static PyObject *eager_start; /* strong: the keyword */
static PyObject
    *skip[SKIPS_MAX]; /* strong: globals of asyncio modules that create tasks for others */
static size_t skips;

/* "Task-N" as its number, anything else as text. */
static void
set_name(struct record *record, PyObject *name)
{
    char text[LOOPTOP_NAME_MAX];
    uint64_t number = 0;
    if (name != NULL && PyLong_CheckExact(name)) {
        int overflow;
        long long n = PyLong_AsLongLongAndOverflow(name, &overflow);
        STORE(record->name_number, n > 0 ? (uint64_t)n : 0);
        return;
    }
    size_t len = name != NULL && PyUnicode_Check(name) ? paths_unicode(name, text, sizeof text) : 0;
    bool plain = len > 5 && len < 24 && memcmp(text, "Task-", 5) == 0 && text[5] != '0';
    for (size_t i = 5; plain && i < len; i++) {
        plain = text[i] >= '0' && text[i] <= '9';
        number = number * 10 + (uint64_t)(text[i] - '0');
    }
    if (!plain) {
        number = 0;
        text[len] = '\0';
        for (size_t i = 0; i <= len; i++)
            STORE(record->name[i], text[i]);
    }
    STORE(record->name_number, number);
}

/* What stands in the task object: name, coroutine, loop. */
static void
read_task(struct record *record, PyObject *task)
{
    PyObject *loop = cpy_task_field(task, cpy_layout.loop);
    set_name(record, cpy_task_field(task, cpy_layout.name));
    STORE(record->coroutine, paths_coroutine(cpy_task_field(task, cpy_layout.coro)));
    STORE(record->loop, loop != NULL ? (uint16_t)loops_index(loops_of(loop)) : 0);
}

/* A task that lived before it was seen: its state as far as it can be read. */
static void
take_in(struct record *record, PyObject *task)
{
    unsigned flags = RECORD_AGE_INEXACT;
    PyObject *coro = cpy_task_field(task, cpy_layout.coro);
    if (!cpy_is_gen(coro) || !cpyv_gen_created((PyGenObject *)coro))
        flags |= RECORD_STARTED;
    if (cpy_task_cancels(task) > 0)
        flags |= RECORD_CANCELLING;
    STORE(record->flags, (uint16_t)flags);
    read_task(record, task);
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

/* A record for a task that has none, NULL when it ended or the table is full. */
static __attribute__((noinline)) struct record *
record_unseen(PyObject *task)
{
    uint32_t *pad = cpy_task_pad(task);
    if (cpy_task_state(task) != CPY_PENDING || cpy_task_field(task, cpy_layout.coro) == NULL)
        return NULL;
    struct record *record = table_new(task);
    if (record == NULL)
        return NULL;
    *pad = table_index(record);
    STORE(record->born, ticks_now());
    STORE(record->last_end, record->born);
    take_in(record, task);
    return record;
}

struct record *
hooks_record(PyObject *task)
{
    struct record *record = table_find(*cpy_task_pad(task), task);
    return __builtin_expect(record != NULL, 1) ? record : record_unseen(task);
}

/* The birth as far as it is known before Task's own __init__ has run. */
static struct record *
birth(PyObject *task)
{
    uint32_t *pad = cpy_task_pad(task);
    struct record *record = table_find(*pad, task);
    struct cpy_place place;

    ADD(table_counts.created, 1);
    if (record != NULL)
        return record; /* __init__ called once more */
    record = table_new(task);
    if (record == NULL) {
        ADD(table_counts.untracked, 1);
        return NULL;
    }
    *pad = table_index(record);
    STORE(record->born, ticks_now());
    STORE(record->last_end, record->born);
    if (loops_thread.current != 0)
        STORE(record->parent, LOAD(table_records[loops_thread.current].id));
    if (cpy_caller(skip, skips, &place))
        STORE(record->created_at, paths_site(&place));
    return record;
}

/* Whether the keywords ask for an eager start. */
static bool
asks_eager(PyObject *kwargs)
{
    if (kwargs == NULL || PyDict_GET_SIZE(kwargs) == 0)
        return false;
    PyObject *value = PyDict_GetItemWithError(kwargs, eager_start);
    return value != NULL && value != Py_False && value != Py_None;
}

/*
 * Whether Task.__init__ has run the first step: the coroutine has left its start, or is done. Of an
 * object that is no coroutine, but acts as one, only its loop tells: it runs.
 */
static bool
did_start(PyObject *task)
{
    PyObject *coro = cpy_task_field(task, cpy_layout.coro);
    if (cpy_task_state(task) != CPY_PENDING || coro == NULL)
        return true;
    if (cpy_is_gen(coro))
        return !cpyv_gen_created((PyGenObject *)coro);
    return LOAD(loops_of(cpy_task_field(task, cpy_layout.loop))->state) == LOOP_RUNNING;
}

/* One step of a task between step_begin and step_end, which are the hot path: all of it in
 * registers. */
struct step {
    PyObject *task; /* borrowed; the caller's callee keeps it alive */
    struct record *record;
    struct loop *loop;
    uint64_t start;
    uint64_t nested; /* the enclosing step's */
    uint64_t outer_start;
    uint32_t outer; /* the enclosing step's record */
};

static inline __attribute__((always_inline)) void
step_begin(struct step *step, PyObject *task)
{
    population_leave(task);
    struct record *record = hooks_record(task);
    struct loop *loop =
        record != NULL && record->loop != 0 ? &loops[record->loop] : loops_current();
    uint32_t index = 0;
    if (loop == NULL)
        loop = &loops[0];
    if (record != NULL) {
        index = table_index(record);
        STORE(record->woken, 0);
    }
    step->task = task;
    step->record = record;
    step->loop = loop;
    step->nested = loops_thread.nested;
    step->outer = loops_thread.current;
    step->outer_start = loop->step_start;
    loops_thread.nested = 0;
    loops_thread.current = index;
    step->start = ticks_now();
    STORE(loop->step_start, step->start);
    STORE(loop->running, index);
}

/* The task ended in the step that just ended. */
static __attribute__((noinline)) void
end(struct record *record, PyObject *task, uint64_t now)
{
    unsigned outcome = RECORD_DONE;
    if (cpy_task_state(task) == CPY_CANCELLED) {
        outcome = RECORD_CANCELLED;
    } else {
        PyObject *exception = cpy_task_field(task, cpy_layout.exception);
        if (exception != NULL) {
            outcome = RECORD_FAILED;
            STORE(record->exception, paths_type(Py_TYPE(exception)));
        }
    }
    if (record->flags & RECORD_WATCHED)
        cancel_ended(record, outcome, now);
    table_end(record, outcome, now);
}

static inline __attribute__((always_inline)) void
step_end(struct step *step)
{
    uint64_t now = ticks_now(), span = now - step->start, own = span - loops_thread.nested;
    struct loop *loop = step->loop;
    struct record *record = step->record;

    loops_thread.nested = step->nested + span;
    loops_thread.current = step->outer;
    STORE(loop->running, step->outer);
    STORE(loop->step_start, step->outer_start);
    ADD(loop->steps, 1);
    if (loop->is_uvloop) {
        ADD(loop->busy, own);
        if (own > long_step && ticks_to_ns(own) > LOAD(loop->lag_max_ns))
            STORE(loop->lag_max_ns, ticks_to_ns(own));
    }
    ADD(table_counts.steps, 1);
    if (record == NULL || record->task != step->task)
        return;
    ADD(record->steps, 1);
    ADD(record->busy, own);
    if (own > record->max_step)
        STORE(record->max_step, own);
    STORE(record->last_end, now);
    if (record->woken != 0 && record->woken < step->start)
        STORE(record->woken, now);
    if (cpy_task_state(step->task) != CPY_PENDING) {
        end(record, step->task, now);
        return;
    }
    unsigned flags = record->flags & ~(unsigned)RECORD_CANCELLING;
    if (__builtin_expect(cpy_task_cancels(step->task) > 0, 0))
        flags |= RECORD_CANCELLING;
    STORE(record->flags, (uint16_t)flags);
    /* of a task being cancelled its place is told as soon as the time is over */
    if (loop->path_each_step || (flags & RECORD_WATCHED))
        paths_update(record, step->task);
    else if (record->path == 0)
        STORE(record->at_step, (uint32_t)record->steps - 1); /* read while it ran, if at all */
}

static int
init_eager(PyObject *self, PyObject *args, PyObject *kwargs)
{
    struct step step;
    step_begin(&step, self);
    int rc = stock_init(self, args, kwargs);
    if (rc == 0 && step.record != NULL && step.record->task == self)
        read_task(step.record, self);
    if (rc == 0 && did_start(self)) {
        step.loop = step.record != NULL ? &loops[step.record->loop] : step.loop;
        step_end(&step);
        return rc;
    }
    /* it was not started after all: give the time back to whoever runs */
    loops_thread.current = step.outer;
    loops_thread.nested += step.nested;
    STORE(step.loop->running, step.outer);
    STORE(step.loop->step_start, step.outer_start);
    return rc;
}

static int
hook_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    if (!hooks_on())
        return stock_init(self, args, kwargs);
    struct record *record = birth(self);
    uint64_t id = record != NULL ? record->id : 0;
    bool eager = asks_eager(kwargs);
    int rc = eager ? init_eager(self, args, kwargs) : stock_init(self, args, kwargs);
    if (rc < 0)
        ADD(table_counts.created, -1ull);
    if (record == NULL || record->id != id || record->task != self)
        return rc;
    if (rc < 0)
        table_drop(record);
    else if (!eager)
        read_task(record, self);
    return rc;
}

PyObject *
hooks_call_step(PyObject *wrapper, PyObject *args, PyObject *kwargs)
{
    struct step step;
    step_begin(&step, ((struct cpy_step *)wrapper)->task);
    PyObject *result = stock_step(wrapper, args, kwargs);
    step_end(&step);
    return result;
}

PyObject *
hooks_call_wakeup(PyObject *task, PyObject *arg)
{
    struct step step;
    step_begin(&step, task);
    PyObject *result = stock_wakeup(task, arg);
    step_end(&step);
    return result;
}

static PyObject *
hook_step(PyObject *self, PyObject *args, PyObject *kwargs)
{
    return hooks_on() ? hooks_call_step(self, args, kwargs) : stock_step(self, args, kwargs);
}

static PyObject *
hook_wakeup(PyObject *self, PyObject *arg)
{
    return hooks_on() ? hooks_call_wakeup(self, arg) : stock_wakeup(self, arg);
}

static void
hook_dealloc(PyObject *self)
{
    if (hooks_on()) {
        population_leave(self);
        struct record *record = table_find(*cpy_task_pad(self), self);
        if (record != NULL) {
            static const char text[] = "destroyed while pending";
            STORE(record->exception, names_string(text, sizeof text - 1));
            if (record->flags & RECORD_WATCHED)
                cancel_ended(record, RECORD_FAILED, ticks_now());
            table_end(record, RECORD_FAILED, ticks_now());
        }
    }
    stock_dealloc(self);
}

void
hooks_woken(PyObject *callback)
{
    PyObject *task;
    if (Py_TYPE(callback) == cpy_layout.step)
        task = ((struct cpy_step *)callback)->task;
    else if (PyCFunction_CheckExact(callback) &&
             ((PyCFunctionObject *)callback)->m_ml == cpy_layout.wakeup)
        task = PyCFunction_GET_SELF(callback);
    else
        return;
    uint32_t index = *cpy_task_pad(task);
    struct record *record = table_find(index, task);
    if (record == NULL)
        return;
    /* the clock is half the cost of a hook: it is not asked where the time is known */
    if (index == loops_thread.current)
        STORE(record->woken,
            record->last_end); /* by itself, in its own step, whose end is the time */
    else if (record->steps == 0 && record->flags == 0)
        STORE(record->woken, record->born); /* by its birth, just now */
    else
        STORE(record->woken, ticks_now());
}

/* After anything that may change how many cancellations are asked for. */
static void
note_cancels(PyObject *task)
{
    if (!hooks_on() || !cpy_is_task(task))
        return;
    struct record *record = table_find(*cpy_task_pad(task), task);
    if (record == NULL)
        return;
    unsigned flags = record->flags & ~(unsigned)RECORD_CANCELLING;
    if (cpy_task_cancels(task) > 0)
        flags |= RECORD_CANCELLING;
    STORE(record->flags, (uint16_t)flags);
}

typedef PyObject *(*fastcall)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);

static PyObject *
hook_cancel(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    PyObject *result = ((fastcall)(void (*)(void))stock_cancel)(self, args, n, names);
    note_cancels(self);
    return result;
}

static PyObject *
hook_uncancel(PyObject *self, PyObject *unused)
{
    PyObject *result = stock_uncancel(self, unused);
    note_cancels(self);
    return result;
}

static PyObject *
hook_set_name(PyObject *self, PyObject *name)
{
    PyObject *result = stock_set_name(self, name);
    if (result != NULL && hooks_on() && cpy_is_task(self)) {
        struct record *record = table_find(*cpy_task_pad(self), self);
        if (record != NULL)
            set_name(record, cpy_task_field(self, cpy_layout.name));
    }
    return result;
}

/* Task and every subclass that has inherited its slot. */
static void
patch_init(PyTypeObject *type, int depth)
{
    PyObject *dict = cpy_type_dict(type);
    PyObject *init = dict != NULL ? PyDict_GetItemString(dict, "__init__") : NULL;
    initproc hook = hook_init;
    if (init != NULL && Py_TYPE(init) == &PyWrapperDescr_Type) {
        PyWrapperDescrObject *descr = (PyWrapperDescrObject *)init;
        if (descr->d_wrapped == *(void **)&stock_init)
            descr->d_wrapped = *(void **)&hook;
    }
    if (type->tp_init == stock_init)
        type->tp_init = hook_init;
    PyObject *subclasses =
        depth < 16 ? PyObject_CallMethod((PyObject *)type, "__subclasses__", NULL) : NULL;
    for (Py_ssize_t i = 0; subclasses != NULL && i < PyList_GET_SIZE(subclasses); i++)
        patch_init((PyTypeObject *)PyList_GET_ITEM(subclasses, i), depth + 1);
    Py_XDECREF(subclasses);
    Py_XDECREF(dict);
    PyErr_Clear();
}

/* The PyMethodDef of a method of Task, if it is called in the way expected. */
static PyMethodDef *
method_def(const char *name, int flags)
{
    PyObject *dict = cpy_type_dict(cpy_layout.task);
    PyObject *method = dict != NULL ? PyDict_GetItemString(dict, name) : NULL;
    PyMethodDef *def = NULL;
    if (method != NULL && Py_TYPE(method) == &PyMethodDescr_Type &&
        ((PyMethodDescrObject *)method)->d_method->ml_flags == flags)
        def = ((PyMethodDescrObject *)method)->d_method;
    Py_XDECREF(dict);
    return def;
}

static void
patch_method(
    const char *name, int flags, PyCFunction hook, PyMethodDef **ret_def, PyCFunction *ret_stock)
{
    *ret_def = method_def(name, flags);
    if (*ret_def == NULL)
        return;
    *ret_stock = (*ret_def)->ml_meth;
    (*ret_def)->ml_meth = hook;
}

static void
find_skips(void)
{
    static const char *const modules[] = {"asyncio.base_events", "asyncio.tasks",
        "asyncio.taskgroups", "asyncio.runners", "asyncio.timeouts", "asyncio.events"};
    for (size_t i = 0; i < sizeof modules / sizeof modules[0]; i++) {
        PyObject *module = cpy_module(modules[i]);
        if (module != NULL && PyModule_Check(module))
            skip[skips++] = Py_NewRef(PyModule_GetDict(module));
        Py_XDECREF(module);
    }
}

int
hooks_task_install(char *reason, size_t size)
{
    eager_start = PyUnicode_InternFromString("eager_start");
    if (eager_start == NULL) {
        PyErr_Clear();
        (void)snprintf(reason, size, "no memory");
        return -ENOTSUP;
    }
    long_step = ticks_from_ns(LONG_STEP_NS);
    find_skips();
    stock_init = cpy_layout.task->tp_init;
    stock_dealloc = cpy_layout.task->tp_dealloc;
    stock_step = cpy_layout.step->tp_call;
    stock_wakeup = cpy_layout.wakeup->ml_meth;
    if (cpy_layout.wakeup->ml_flags != METH_O) {
        (void)snprintf(reason, size, "the wakeup of tasks is called in an unknown way");
        return -ENOTSUP;
    }
    cpy_layout.task->tp_dealloc = hook_dealloc;
    patch_init(cpy_layout.task, 0);
    cpy_layout.step->tp_call = hook_step;
    cpy_layout.wakeup->ml_meth = hook_wakeup;
    patch_method("cancel", METH_FASTCALL | METH_KEYWORDS, (PyCFunction)(void (*)(void))hook_cancel,
        &cancel_def, &stock_cancel);
    patch_method("uncancel", METH_NOARGS, hook_uncancel, &uncancel_def, &stock_uncancel);
    patch_method("set_name", METH_O, hook_set_name, &set_name_def, &stock_set_name);
    return 0;
}
