/* SPDX-License-Identifier: MIT */
/*
 * CPython 3.12: where frames, generators, instances and tracing keep what we read. Source:
 * Include/internal/pycore_{dict,frame,interp,object}.h and Include/cpython/{genobject,pystate}.h
 * of 3.12. All of it: GIL held, references borrowed.
 */
#ifndef LOOPTOP_AGENT_CPYTHON_CPY_312_H
#define LOOPTOP_AGENT_CPYTHON_CPY_312_H

#include <internal/pycore_dict.h>
#include <internal/pycore_frame.h>
#include <internal/pycore_interp.h>
#include <internal/pycore_object.h>

#define CPY_TASKS_IN_SETS 1 /* asyncio.tasks._scheduled_tasks, a WeakSet, and _eager_tasks */
#define CPY_SCHEDULED_TASKS "_scheduled_tasks"

_Static_assert(offsetof(_PyInterpreterFrame, localsplus) == 72, "3.12 frame layout");

static inline _PyInterpreterFrame *
cpyv_top_frame(PyThreadState *ts)
{
    return ts->cframe->current_frame;
}

/* The frame's code, NULL for a frame of the interpreter's own and for one that has not begun. */
static inline PyCodeObject *
cpyv_frame_code(_PyInterpreterFrame *frame)
{
    if (frame->owner == FRAME_OWNED_BY_CSTACK || _PyFrame_IsIncomplete(frame))
        return NULL;
    return frame->f_code;
}

/* Identifies code and instruction in one load. */
static inline uintptr_t
cpyv_frame_ip(_PyInterpreterFrame *frame)
{
    return (uintptr_t)frame->prev_instr;
}

/* Byte offset of the current instruction; negative before the first one. */
static inline int
cpyv_frame_lasti(_PyInterpreterFrame *frame)
{
    return _PyInterpreterFrame_LASTI(frame) * (int)sizeof(_Py_CODEUNIT);
}

/* Values above the locals on the frame's stack. */
static inline int
cpyv_frame_stack_top(_PyInterpreterFrame *frame)
{
    return frame->stacktop;
}

/* Slot i of locals, cells and free variables; NULL when unset. */
static inline PyObject *
cpyv_frame_local(_PyInterpreterFrame *frame, int i)
{
    return frame->localsplus[i];
}

static inline _PyInterpreterFrame *
cpyv_gen_frame(PyGenObject *gen)
{
    return (_PyInterpreterFrame *)gen->gi_iframe;
}

static inline bool
cpyv_gen_created(const PyGenObject *gen)
{
    return gen->gi_frame_state == FRAME_CREATED;
}

static inline bool
cpyv_gen_suspended(const PyGenObject *gen)
{
    return gen->gi_frame_state == FRAME_SUSPENDED;
}

static inline bool
cpyv_gen_executing(const PyGenObject *gen)
{
    return gen->gi_frame_state == FRAME_EXECUTING;
}

/* What a suspended generator or coroutine awaits; NULL when it stands in a plain yield. */
static inline PyObject *
cpyv_gen_awaited(PyGenObject *gen)
{
    _PyInterpreterFrame *frame = cpyv_gen_frame(gen);
    /* the instruction after the suspension is a RESUME whose argument 2 or 3 means yield from,
     * await */
    if (!cpyv_gen_suspended(gen) || frame->stacktop <= frame->f_code->co_nlocalsplus ||
        (frame->prev_instr[1].op.arg & 3) < 2)
        return NULL;
    return frame->localsplus[frame->stacktop - 1];
}

/* Whether a tracer, profiler or monitoring tool watches this thread. */
static inline bool
cpyv_monitored(PyThreadState *ts)
{
    static const _Py_GlobalMonitors none;
    return ts->c_profilefunc != NULL || ts->c_tracefunc != NULL ||
           memcmp(&ts->interp->monitors, &none, sizeof none) != 0;
}

/* The loop a thread runs; not kept where it could be read on this minor. */
static inline PyObject *
cpyv_running_loop(PyThreadState *ts)
{
    (void)ts;
    return NULL;
}

/* An instance's values where they stand beside its class's keys, else NULL and its dict, if any. */
static inline const PyDictValues *
cpyv_instance_values(PyObject *object, PyObject **ret_dict)
{
    PyDictOrValues kept = *_PyObject_DictOrValuesPointer(object);
    if (_PyDictOrValues_IsValues(kept))
        return _PyDictOrValues_GetValues(kept);
    *ret_dict = _PyDictOrValues_GetDict(kept);
    return NULL;
}

#endif
