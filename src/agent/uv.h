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

/* Whether this is uvloop's Loop or a subclass. GIL held. */
bool uv_is_loop(PyObject *object);

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
