/* SPDX-License-Identifier: MIT */
/*
 * libuv beneath uvloop: idle time and iterations, by libuv's own functions found in the process
 * (Debian's uvloop links libuv.so.1; the wheels carry libuv and export it). Where they are missing,
 * the loop is probed instead.
 */
#ifndef LOOPTOP_AGENT_UV_H
#define LOOPTOP_AGENT_UV_H

#include "agent/cpython/cpy.h"

struct loop;

/* uvloop's class in C, of an object that is one of its loops or of a subclass; else NULL. GIL held.
 */
PyTypeObject *uv_loop_type(PyObject *object);

/* Whether uvloop's own method of this name says True; a subclass is not asked. GIL held. */
bool uv_says(PyObject *loop, const char *method);

/* The loop's thread began or ceased to run it. GIL held, in that thread. */
void uv_loop_started(struct loop *loop);
void uv_loop_stopped(struct loop *loop);

/*
 * Has libuv count idle time from now on. In the loop's thread, called again and again while
 * somebody watches: with it libuv asks epoll twice an iteration, so it is not done before.
 */
void uv_loop_measure(struct loop *loop);

/* Time spent waiting for events since the first start, and iterations; false: not known. io thread.
 */
bool uv_idle_ns(struct loop *loop, uint64_t *ret_ns);
bool uv_iterations(struct loop *loop, uint64_t *ret_count);

#endif
