/* SPDX-License-Identifier: MIT */
/*
 * The hooks in asyncio: they go in once and stay for the life of the process; a flag switches them,
 * because writing to types again and again would use up the interpreter's type versions. Inactive,
 * a hook is one load and a jump to what it replaced.
 *
 * A hook runs in the application's threads, under the GIL. It must not fail: what it cannot note it
 * leaves out, and it returns what the replaced function returned, exception state included.
 */
#ifndef LOOPTOP_AGENT_HOOKS_H
#define LOOPTOP_AGENT_HOOKS_H

#include "agent/cpython/cpy.h"

#include "agent/atomic.h"
#include "common/hidden.h"
#include "common/hot.h"

struct record;

extern HIDDEN bool hooks_active;
extern HIDDEN PyInterpreterState *hooks_interp; /* the main interpreter; others pass through */
extern HIDDEN PyInterpreterState *const
    *hooks_newest; /* what it points to: the interpreter made last */

/* There are records whose place was not seen when their step ended. Atomic. */
extern HIDDEN bool hooks_place_unknown;

/* Whether the calling thread is in the main interpreter. */
COLD bool hooks_in_main(void);

/* Whether a hook has to note anything here. Where there is one interpreter it needs not be asked
 * for. */
static inline bool
hooks_on(void)
{
    return LOAD(hooks_active) && (likely(LOAD(*hooks_newest) == hooks_interp) || hooks_in_main());
}

/*
 * Measures, then installs; hooks are inactive until hooks_switch. Call both in a thread of ours,
 * GIL held (it may be given back between the two, and pause gives it back within the first),
 * asyncio imported. 0, or -ENOTSUP with a reason (nothing was installed then). Again: they do
 * nothing.
 */
int hooks_measure(void (*pause)(void), char *reason, size_t size);
int hooks_install(char *reason, size_t size);

/* Active or not. GIL held. */
void hooks_switch(bool active);

/* Each room's part of the installation; 0 or -ENOTSUP with a reason. Optional parts that cannot be
 * had are left out and reported by their functions below. */
int hooks_task_install(char *reason, size_t size);
int hooks_loop_install(char *reason, size_t size);
void hooks_methods_install(void);
void hooks_handle_install(void);
void hooks_wake_install(void);

/* A uvloop loop was seen, of this class in C; the first time its call_soon is hooked too. */
void hooks_wake_uvloop(PyTypeObject *type);

/* What the step wrapper's call and the wakeup do, counted as a step. */
PyObject *hooks_step(PyObject *wrapper, PyObject *args, PyObject *kwargs);
PyObject *hooks_wakeup(PyObject *task, PyObject *arg);

/* A task was queued to run. */
void hooks_woken(PyObject *callback);

/*
 * Writes into the dict of a type, once. The patched method takes its doc from the one it replaces.
 * Not into a type whose class is not `type` itself: that would be told of it.
 */
int hooks_replace_method(PyTypeObject *type, PyMethodDef *def);

#endif
