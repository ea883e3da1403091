/* SPDX-License-Identifier: MIT */
/*
 * References that the gil thread gives back. The last one to an object may run finalizers of the
 * application, so it goes in a thread of the application, where they might run anyway: it waits
 * here until the main thread has its turn, or a loop its next one. Where a period passes without
 * either, loops that run, and whose own code alone that calls, are handed a callback for it.
 *
 * With the main thread blocked in C and no loop at work nobody comes. So that no more than
 * GIL_RELEASE_MAX objects wait, and the few that one call more leaves, what could leave some is not
 * done while gil_release_full() says so: cancellations are refused, a stack that takes more than
 * one slice is cut.
 */
#ifndef LOOPTOP_AGENT_GIL_RELEASE_H
#define LOOPTOP_AGENT_GIL_RELEASE_H

#include "agent/cpython/cpy.h"

#include "agent/atomic.h"
#include "common/hidden.h"
#include "common/hot.h"

#define GIL_RELEASE_MAX 256

extern HIDDEN size_t gil_release_count; /* objects that wait; atomic */

/* Gives a reference back; NULL-safe. GIL held, gil thread. */
void gil_release(PyObject *object);

/* Whether that may leave too much. Any thread. */
static inline bool
gil_release_full(void)
{
    return LOAD(gil_release_count) >= GIL_RELEASE_MAX;
}

/*
 * Drops what waits: runs code of the application. In a thread of it and of its main interpreter,
 * where it could run such code itself and no exception is set; in ours it does nothing. GIL held.
 */
void gil_release_drop(void);

static inline void
gil_release_turn(void)
{
    if (unlikely(LOAD(gil_release_count) != 0))
        gil_release_drop();
}

/* Whether loops are to be handed the callback: where something waits, once in a while. Once a
 * period, gil thread. */
bool gil_release_due(void);

/* The callback; strong, NULL without memory. GIL held. */
PyObject *gil_release_callback(void);

/* In a forked child, where what waits is dropped by its main thread. GIL: any. */
void gil_release_child(void);

#endif
