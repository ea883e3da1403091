// SPDX-License-Identifier: MIT
/*
 * The hooks themselves: birth, steps and end of tasks. What a birth notes is in hooks_birth.c.
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
#include "agent/hooks_birth.h"
#include "agent/loops.h"
#include "agent/names.h"
#include "agent/paths.h"
#include "agent/population.h"
#include "agent/table.h"
#include "agent/ticks.h"

/* uvloop's iterations are not seen: a task that waited that long for its turn counts among the
 * lags, and a step that long among the largest, beside the probe */
#define LONG_NS 1000000

static ternaryfunc stock_step;
static PyCFunction stock_wakeup;

static initproc stock_init;
static destructor stock_dealloc;
static PyMethodDef *cancel_def, *uncancel_def, *set_name_def;
static PyCFunction stock_cancel, stock_uncancel, stock_set_name;
static uint64_t long_time; /* ticks */

/* Of a function without an array there is nothing to guard, of a struct that is set before it is
 * read nothing to clear. */
#if __has_attribute(no_stack_protector) && __has_attribute(uninitialized)
#define HOT __attribute__((no_stack_protector))
#define ALL_SET __attribute__((uninitialized))
#else
#define HOT
#define ALL_SET
#endif

/* One step of a task between step_begin and step_end, which are the hot path: all of it in
 * registers. */
struct step {
    PyObject *task; /* borrowed; the caller's callee keeps it alive */
    struct record *record;
    struct loop *loop;
    uint64_t start;
    uint64_t woken;  /* when it was queued to run; 0: not known */
    uint64_t nested; /* the enclosing step's */
    uint64_t outer_start;
    uint32_t outer; /* the enclosing step's record */
};

/* A step in a thread that runs no loop, as far as asyncio knows: somebody calls it by hand. */
static __attribute__((noinline)) struct loop *
loop_of_task(const struct record *record)
{
    struct loop *loop = &loops[record != NULL ? record->loop : 0];
    return record != NULL && (uint32_t)loop->id == record->loop_id ? loop : &loops[0];
}

static inline __attribute__((always_inline)) void
step_begin(struct step *step, PyObject *task)
{
    population_leave(task);
    struct record *record = hooks_record(task);
    /* the thread's, not the record's, whose entry may be another loop's by now */
    struct loop *loop = loops_current();
    uint32_t index = 0;
    if (__builtin_expect(loop == NULL, 0))
        loop = loop_of_task(record);
    step->woken = 0;
    if (record != NULL) {
        step->woken = record->woken;
        index = *cpy_task_pad(task);
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

/* A step was long: whoever waited for its end waited as long. */
static __attribute__((noinline)) void
note_long(struct loop *loop, uint64_t ticks)
{
    uint64_t ns = ticks_to_ns(ticks);
    if (ns > LOAD(loop->lag_max_ns))
        STORE(loop->lag_max_ns, ns);
}

/* A task waited long for its turn. */
static __attribute__((noinline)) void
note_wait(struct loop *loop, uint64_t ticks)
{
    loops_lag(loop, ticks_to_ns(ticks));
    loop->lag_steps++;
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
        if (__builtin_expect(own > long_time, 0))
            note_long(loop, own);
        /* woken before the loop ran it waited for that */
        if (__builtin_expect(step->woken + long_time < step->start, 0) && step->woken > loop->since)
            note_wait(loop, step->start - step->woken);
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

/* Its first step runs in its __init__: what is known before is noted before. */
static __attribute__((noinline)) int
init_eager(PyObject *self, PyObject *args, PyObject *kwargs)
{
    struct step step;
    struct record *record = hooks_birth_begin(self);
    uint64_t id = record != NULL ? record->id : 0;
    if (record != NULL)
        hooks_read_arguments(record, args, kwargs);
    step_begin(&step, self);
    int rc = stock_init(self, args, kwargs);
    if (rc == 0 && step.record != NULL && step.record->task == self)
        hooks_read_task(step.record, self);
    if (rc == 0 && hooks_did_start(self)) {
        step_end(&step);
        return rc;
    }
    /* it was not started after all: give the time back to whoever runs */
    loops_thread.current = step.outer;
    loops_thread.nested += step.nested;
    STORE(step.loop->running, step.outer);
    STORE(step.loop->step_start, step.outer_start);
    if (rc == 0)
        return rc;
    ADD(table_counts.created, -1ull);
    if (record != NULL && record->id == id && record->task == self)
        table_drop(record);
    return rc;
}

static int
hook_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    /* called once more: no birth */
    if (!hooks_on() || table_find(*cpy_task_pad(self), self) != NULL)
        return stock_init(self, args, kwargs);
    if (hooks_asks_eager(kwargs))
        return init_eager(self, args, kwargs);
    int rc = stock_init(self, args, kwargs);
    if (rc == 0 && LOAD(hooks_active))
        hooks_birth(self);
    return rc;
}

HOT PyObject *
hooks_call_step(PyObject *wrapper, PyObject *args, PyObject *kwargs)
{
    struct step step ALL_SET;
    step_begin(&step, ((struct cpy_step *)wrapper)->task);
    PyObject *result = stock_step(wrapper, args, kwargs);
    step_end(&step);
    return result;
}

HOT PyObject *
hooks_call_wakeup(PyObject *task, PyObject *arg)
{
    struct step step ALL_SET;
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
        if (record != NULL) {
            STORE(record->name[0], '\0'); /* a number may follow a text */
            hooks_set_name(record, cpy_task_field(self, cpy_layout.name));
        }
    }
    return result;
}

/* Task and every subclass that has inherited its slot. */
static void
patch_init(PyTypeObject *type, int depth)
{
    PyObject *dict = cpy_type_dict(type);
    PyObject *init = dict != NULL ? cpy_dict_get(dict, "__init__") : NULL;
    initproc hook = hook_init;
    if (init != NULL && Py_TYPE(init) == &PyWrapperDescr_Type) {
        PyWrapperDescrObject *descr = (PyWrapperDescrObject *)init;
        if (descr->d_wrapped == *(void **)&stock_init)
            descr->d_wrapped = *(void **)&hook;
    }
    if (type->tp_init == stock_init)
        type->tp_init = hook_init;
    /* type's own: a class of its class may have another one */
    PyObject *list = cpy_type_get(&PyType_Type, "__subclasses__");
    PyObject *subclasses =
        list != NULL && depth < 16 ? PyObject_CallOneArg(list, (PyObject *)type) : NULL;
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
    PyObject *method = dict != NULL ? cpy_dict_get(dict, name) : NULL;
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

int
hooks_task_install(char *reason, size_t size)
{
    if (hooks_birth_prepare() < 0) {
        (void)snprintf(reason, size, "no memory");
        return -ENOTSUP;
    }
    long_time = ticks_from_ns(LONG_NS);
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
