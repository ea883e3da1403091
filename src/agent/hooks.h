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

struct record;
struct loop;

extern bool hooks_active;
extern PyInterpreterState *hooks_interp; /* the main interpreter; others pass through */

/* There are records whose place was not seen when their step ended. Atomic. */
extern bool hooks_place_unknown;

/* Whether a hook has to note anything here. */
static inline bool
hooks_on(void)
{
    return LOAD(hooks_active) && PyInterpreterState_Get() == hooks_interp;
}

/*
 * Measures, then installs; hooks are inactive until hooks_switch. Call both in a thread of ours,
 * GIL held (it may be given back between the two), asyncio imported. 0, or -ENOTSUP with a reason
 * (nothing was installed then). Again: they do nothing.
 */
int hooks_measure(char *reason, size_t size);
int hooks_install(char *reason, size_t size);

/* Active or not. GIL held. */
void hooks_switch(bool active);

/* Each room's part of the installation; 0 or -ENOTSUP with a reason. Optional parts that cannot be
 * had are left out and reported by their functions below. */
int hooks_task_install(char *reason, size_t size);
int hooks_loop_install(char *reason, size_t size);
void hooks_handle_install(void);
void hooks_wake_install(void);

/* A uvloop loop was seen for the first time: its call_soon is hooked too. */
void hooks_wake_uvloop(void);

/* One step of a task between hooks_step_begin and hooks_step_end; lives on the caller's stack. */
struct hooks_step {
    PyObject *task; /* borrowed; the caller's callee keeps it alive */
    struct record *record;
    struct loop *loop;
    uint64_t start;
    uint64_t nested; /* the enclosing step's */
    uint64_t outer_start;
    uint32_t outer; /* the enclosing step's record */
};
void hooks_step_begin(struct hooks_step *step, PyObject *task);
void hooks_step_end(struct hooks_step *step);

/* A task was queued to run. */
void hooks_woken(PyObject *callback);

/* The record of a task, taken in where the agent did not see its birth; NULL when it ended or the
 * table is full. */
struct record *hooks_record(PyObject *task);

/* The step wrapper's own call and the wakeup's, for whoever calls them past the hooks. */
extern ternaryfunc hooks_stock_step;
extern PyCFunction hooks_stock_wakeup;

/*
 * Writes into the dict of a type, once. The patched method takes its doc from the one it replaces.
 */
int hooks_replace_method(PyTypeObject *type, PyMethodDef *def);

#endif
