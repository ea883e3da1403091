/* SPDX-License-Identifier: MIT */
/*
 * What the gil thread does with objects of the application. It calls no more than a loop's
 * call_soon_threadsafe, which may be the application's own and wait for a lock of it; it collects
 * no garbage; no profiler or tracer hears of it; and the last reference to an object never goes in
 * our thread (gil_release.h), so that no finalizer of the application ever runs in a thread it does
 * not know. GIL held, gil thread, unless said.
 */
#ifndef LOOPTOP_AGENT_GIL_CALL_H
#define LOOPTOP_AGENT_GIL_CALL_H

#include "agent/cpython/cpy.h"

#include <stdint.h>

/*
 * loop.call_soon_threadsafe(callback, *args): 0, or -1 with an exception set. The GIL may be given
 * away in between.
 */
int gil_call_soon(PyObject *loop, PyObject *callback, PyObject *const *args, size_t count);

/*
 * function(*args), the same: such a method, asyncio's or uvloop's own, with a loop that the caller
 * holds and a callback of ours that refers to nothing of the application.
 */
int gil_call(PyObject *function, PyObject *const *args, size_t count);

/* For how long such a call has been under way; 0: none is. Any thread, GIL: any. */
uint64_t gil_calling_ns(void);

/* Between these two nothing is collected by whoever runs in this thread. */
void gil_collect_hold(void);
void gil_collect_allow(void);

/* In a forked child, where the thread is not. GIL: any. */
void gil_call_child(void);

#endif
