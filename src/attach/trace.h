/* SPDX-License-Identifier: MIT */
/*
 * One thread of another process under ptrace(2): stopped, made to call functions, let go. Only that
 * thread stops, so that whoever holds a lock it needs can go on. The caller has to be the thread
 * that seized. A caller that is killed at any moment leaves a thread that goes on by itself.
 */
#ifndef LOOPTOP_ATTACH_TRACE_H
#define LOOPTOP_ATTACH_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "attach/arch.h"

struct trace {
    pid_t tid;
    bool seized, stopped;
    int group_stop; /* a job control signal that came meanwhile and waits for us to go */
    uint64_t stopped_ns, paused_ns; /* since when; how long altogether */
};

/* A syscall of a function that is being called has ended with result. */
struct trace_watch {
    long number;
    bool seen;
    int64_t result;
};

/* Before all that follows: SIGCHLD is blocked for the calling thread, and tells it of stops at
 * once.
 */
void trace_begin(void);

/* Begins to trace; the thread goes on. 0, -EPERM, -ESRCH. */
int trace_seize(pid_t tid, struct trace *ret_trace);

/* Stops it. 0; -ESRCH it has ended; -ETIMEDOUT: it sleeps where no signal wakes it. */
int trace_stop(struct trace *trace);

/* Lets it go for good; stops it first where it runs, for the kernel wants that. NULL-safe of a
 * trace that never was. For CLEANUP. */
void trace_release(struct trace *trace);

/*
 * Lets the stopped thread make calls, one after the other, all its signals blocked. state is how it
 * stands, and frame is where what arch_frame made of it was written. What a syscall named by watch
 * (NULL: none) gave is kept there. It is stopped again behind the last call, and has to be put back
 * by arch_put.
 *
 * 0; -EFAULT: a call ended with a fault (nothing is to be done but to put it back); -ESRCH: it has
 * ended; -ETIMEDOUT: it did not come back in time, and goes on by itself (it is not traced any
 * longer); -errno.
 */
int trace_calls(struct trace *trace, const struct arch_state *state, uint64_t frame,
    uint64_t restorer, const struct arch_call *calls, size_t count, struct trace_watch *watch);

#endif
