/* SPDX-License-Identifier: MIT */
/*
 * CPython 3.15: where frames, generators, instances and tracing keep what we read. Source:
 * Include/internal/pycore_{dict,frame,interp,object}.h and Include/cpython/{genobject,pystate}.h
 * of 3.15. All of it: GIL held, references borrowed.
 */
#ifndef LOOPTOP_AGENT_CPYTHON_CPY_315_H
#define LOOPTOP_AGENT_CPYTHON_CPY_315_H

#include <internal/pycore_dict.h>
#include <internal/pycore_frame.h>
#include <internal/pycore_interp.h>
#include <internal/pycore_interpframe.h>
#include <internal/pycore_llist.h>
#include <internal/pycore_object.h>
#include <internal/pycore_tstate.h>

#define CPY_TASKS_IN_LISTS 1 /* a linked list a thread, one of the interpreter */

_Static_assert(offsetof(_PyInterpreterFrame, localsplus) == 80, "3.15 frame layout");

static inline _PyInterpreterFrame *
cpyv_top_frame(PyThreadState *ts)
{
    return ts->current_frame;
}

/*
 * The frame's code, NULL for a frame of the interpreter's own and for one that has not begun: what
 * stands below an inlined __init__ has code made at compile time, which must not be touched.
 */
static inline PyCodeObject *
cpyv_frame_code(_PyInterpreterFrame *frame)
{
    if (frame->owner == FRAME_OWNED_BY_INTERPRETER)
        return NULL;
    PyObject *code = PyStackRef_AsPyObjectBorrow(frame->f_executable);
    if (code == NULL || !PyCode_Check(code) || _PyFrame_IsIncomplete(frame))
        return NULL;
    return (PyCodeObject *)code;
}

/* Identifies code and instruction in one load. */
static inline uintptr_t
cpyv_frame_ip(_PyInterpreterFrame *frame)
{
    return (uintptr_t)frame->instr_ptr;
}

/* Byte offset of the current instruction; negative before the first one. */
static inline int
cpyv_frame_lasti(_PyInterpreterFrame *frame)
{
    const PyCodeObject *code =
        (const PyCodeObject *)PyStackRef_AsPyObjectBorrow(frame->f_executable);
    return (int)((uintptr_t)frame->instr_ptr - (uintptr_t)code->co_code_adaptive);
}

/* Values above the locals on the frame's stack. */
static inline int
cpyv_frame_stack_top(_PyInterpreterFrame *frame)
{
    return frame->stackpointer == NULL ? 0 : (int)(frame->stackpointer - frame->localsplus);
}

/* Slot i of locals, cells and free variables; NULL when unset. */
static inline PyObject *
cpyv_frame_local(_PyInterpreterFrame *frame, int i)
{
    _PyStackRef ref = frame->localsplus[i];
    if (PyStackRef_IsNull(ref) || PyStackRef_IsTaggedInt(ref))
        return NULL;
    return PyStackRef_AsPyObjectBorrow(ref);
}

static inline _PyInterpreterFrame *
cpyv_gen_frame(PyGenObject *gen)
{
    return &gen->gi_iframe;
}

static inline bool
cpyv_gen_created(const PyGenObject *gen)
{
    return gen->gi_frame_state == FRAME_CREATED;
}

static inline bool
cpyv_gen_suspended(const PyGenObject *gen)
{
    return FRAME_STATE_SUSPENDED(gen->gi_frame_state);
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
    if (gen->gi_frame_state != FRAME_SUSPENDED_YIELD_FROM &&
        gen->gi_frame_state != FRAME_SUSPENDED_YIELD_FROM_LOCKED)
        return NULL;
    /* 3.15 keeps a NULL or the method above the receiver */
    return cpyv_frame_local(&gen->gi_iframe, cpyv_frame_stack_top(&gen->gi_iframe) - 2);
}

/* Whether a tracer, profiler or monitoring tool watches this thread. */
static inline bool
cpyv_monitored(PyThreadState *ts)
{
    static const _Py_GlobalMonitors none;
    return ts->c_profilefunc != NULL || ts->c_tracefunc != NULL ||
           memcmp(&ts->interp->monitors, &none, sizeof none) != 0;
}

/* The loop a thread runs, or NULL. */
static inline PyObject *
cpyv_running_loop(PyThreadState *ts)
{
    return ((_PyThreadStateImpl *)ts)->asyncio_running_loop;
}

/* An instance's values where they stand beside its class's keys, else NULL and its dict, if any. */
static inline const PyDictValues *
cpyv_instance_values(PyObject *object, PyObject **ret_dict)
{
    *ret_dict = (PyObject *)_PyObject_GetManagedDict(object);
    if (*ret_dict != NULL || !(object->ob_type->tp_flags & Py_TPFLAGS_INLINE_VALUES))
        return NULL;
    const PyDictValues *values = _PyObject_InlineValues(object);
    return values->valid ? values : NULL;
}

#endif
