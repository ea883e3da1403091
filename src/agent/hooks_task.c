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

static HOT_DATA ternaryfunc stock_step;
static HOT_DATA PyCFunction stock_wakeup;

static HOT_DATA initproc stock_init;
static HOT_DATA destructor stock_dealloc;
static HOT_DATA uint64_t long_time; /* ticks */

/* Of a function without an array there is nothing to guard, of a struct that is set before it is
 * read nothing to clear. */
#if __has_attribute(no_stack_protector) && __has_attribute(uninitialized)
#define HOT HOT_TEXT __attribute__((no_stack_protector))
#define ALL_SET __attribute__((uninitialized))
#else
#define HOT HOT_TEXT
#define ALL_SET
#endif

/* The compiler keeps the addresses of fields over the call, on the stack; it is shorter to add. */
#define FORGET(pointer) __asm__("" : "+r"(pointer))

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
static COLD struct loop *
loop_of_task(const struct record *record)
{
    struct loop *loop = &loops[record->loop];
    return (uint32_t)loop->id == record->loop_id ? loop : &loops[0];
}

static HOT_INLINE void
step_begin(struct step *step, PyObject *task)
{
    population_leave(task);
    uint32_t index = *cpy_task_pad(task);
    struct record *record = table_find(index, task);
    if (unlikely(record == NULL)) {
        /* not seen before; the first record, which is never used, stands for one it cannot have */
        record = hooks_record_unseen(task);
        if (record == NULL)
            record = &table_records[0];
        index = table_index(record);
    }
    /* the thread's, not the record's, whose entry may be another loop's by now */
    struct loop *loop = loops_current();
    if (unlikely(loop == NULL))
        loop = loop_of_task(record);
    step->woken = record->woken;
    STORE(record->woken, 0);
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
static COLD void
note_long(struct loop *loop, uint64_t ticks)
{
    uint64_t ns = ticks_to_ns(ticks);
    if (ns > LOAD(loop->lag_max_ns))
        STORE(loop->lag_max_ns, ns);
}

/* A task waited long for its turn. */
static COLD void
note_wait(struct loop *loop, uint64_t woken, uint64_t start)
{
    /* woken before the loop ran it waited for that */
    if (woken <= loop->since)
        return;
    loops_lag(loop, ticks_to_ns(start - woken));
    loop->lag_steps++;
}

/* The task ended in the step that just ended. */
static __attribute__((hot, noinline)) void
end(struct record *record, PyObject *task, uint64_t now)
{
    unsigned outcome = RECORD_DONE;
    if (cpy_task_state(task) == CPY_CANCELLED) {
        outcome = RECORD_CANCELLED;
    } else {
        PyObject *exception = cpy_task_field(task, cpy_layout.exception);
        if (unlikely(exception != NULL)) {
            outcome = RECORD_FAILED;
            STORE(record->exception, paths_type(Py_TYPE(exception)));
        }
    }
    if (unlikely(record->flags & RECORD_WATCHED))
        cancel_ended(record, outcome, now);
    table_end(record, outcome, now);
}

static HOT_INLINE void
step_end(struct step *step)
{
    uint64_t now = ticks_now(), span = now - step->start, own = span - loops_thread.nested;
    struct loop *loop = step->loop;
    struct record *record = step->record;

    FORGET(loop);
    FORGET(record);
    loops_thread.nested = step->nested + span;
    loops_thread.current = step->outer;
    STORE(loop->running, step->outer);
    STORE(loop->step_start, step->outer_start);
    ADD(loop->steps, 1);
    if (loop->is_uvloop) {
        ADD(loop->busy, own);
        if (unlikely(own > long_time))
            note_long(loop, own);
        if (unlikely(step->woken + long_time < step->start))
            note_wait(loop, step->woken, step->start);
    }
    ADD(table_counts.steps, 1);
    if (unlikely(record->task != step->task))
        return;
    ADD(record->steps, 1);
    ADD(record->busy, own);
    if (own > record->max_step) /* as the first is */
        STORE(record->max_step, own);
    STORE(record->last_end, now);
    if (record->woken != 0 && record->woken < step->start)
        STORE(record->woken, now);
    if (cpy_task_state(step->task) != CPY_PENDING) {
        end(record, step->task, now);
        return;
    }
    hooks_read_cancels(record, step->task);
    /* of a task being cancelled its place is told as soon as the time is over */
    if (loop->path_each_step || unlikely(record->flags & RECORD_WATCHED))
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
    if (rc == 0 && step.record->task == self)
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
    if (rc < 0 && record != NULL)
        hooks_birth_take_back(table_index(record), id, self);
    return rc;
}

static HOT_TEXT int
hook_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    if (unlikely(!hooks_on()))
        return stock_init(self, args, kwargs);
    uint32_t pad = *cpy_task_pad(self);
    struct loops_making outer = loops_thread.making;
    if (unlikely(table_find(pad, self) != NULL || outer.task == self))
        return stock_init(self, args, kwargs); /* called once more: no birth */
    if (unlikely(hooks_may_ask_eager(kwargs)) && hooks_asks_eager(kwargs))
        return init_eager(self, args, kwargs);
    loops_thread.making = (struct loops_making){self, 0};
    int rc = stock_init(self, args, kwargs);
    uint64_t within = loops_thread.making.id;
    loops_thread.making = outer;
    if (likely(rc == 0 && LOAD(hooks_active)))
        hooks_birth(self, within, pad);
    else if (rc < 0 && within != 0)
        hooks_birth_take_back(*cpy_task_pad(self), within, self);
    return rc;
}

HOT static HOT_INLINE PyObject *
call_step(PyObject *wrapper, PyObject *args, PyObject *kwargs)
{
    struct step step ALL_SET;
    step_begin(&step, ((struct cpy_step *)wrapper)->task);
    PyObject *result = stock_step(wrapper, args, kwargs);
    step_end(&step);
    return result;
}

HOT static HOT_INLINE PyObject *
call_wakeup(PyObject *task, PyObject *arg)
{
    struct step step ALL_SET;
    step_begin(&step, task);
    PyObject *result = stock_wakeup(task, arg);
    step_end(&step);
    return result;
}

HOT PyObject *
hooks_step(PyObject *self, PyObject *args, PyObject *kwargs)
{
    return likely(hooks_on()) ? call_step(self, args, kwargs) : stock_step(self, args, kwargs);
}

HOT PyObject *
hooks_wakeup(PyObject *self, PyObject *arg)
{
    return likely(hooks_on()) ? call_wakeup(self, arg) : stock_wakeup(self, arg);
}

static COLD void
destroyed(struct record *record)
{
    static const char text[] = "destroyed while pending";
    STORE(record->exception, names_string(text, sizeof text - 1));
    if (record->flags & RECORD_WATCHED)
        cancel_ended(record, RECORD_FAILED, ticks_now());
    table_end(record, RECORD_FAILED, ticks_now());
}

static HOT_TEXT void
hook_dealloc(PyObject *self)
{
    if (hooks_on()) {
        population_leave(self);
        struct record *record = table_find(*cpy_task_pad(self), self);
        if (unlikely(record != NULL))
            destroyed(record);
    }
    stock_dealloc(self);
}

HOT_TEXT void
hooks_woken(PyObject *callback)
{
    PyObject *task;
    if (likely(Py_TYPE(callback) == cpy_layout.step))
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
    /* by itself, in its own step, the time is the step's end, and set there */
    STORE(record->woken, index == loops_thread.current ? record->last_end : ticks_now());
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
    cpy_layout.step->tp_call = hooks_step;
    cpy_layout.wakeup->ml_meth = hooks_wakeup;
    hooks_methods_install();
    return 0;
}
