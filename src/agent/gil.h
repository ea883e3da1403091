/* SPDX-License-Identifier: MIT */
/*
 * The thread "looptop-gil": everything that needs the GIL and is not in a hook happens here, in
 * slices of at most GIL_SLICE_NS, with the GIL given back between two. Jobs come from the io thread
 * and go back to it; what is wanted at regular times (the population walk, figures of the
 * interpreter, probes, fresh places of tasks) the thread does by itself.
 */
#ifndef LOOPTOP_AGENT_GIL_H
#define LOOPTOP_AGENT_GIL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "proto/rpc.h"

#define GIL_SLICE_NS 400000ull /* a slice looks at the clock late; well under the promised 1 ms */

enum job_kind { JOB_STACK, JOB_CANCEL, JOB_REFRESH };

struct cancel;

struct job {
    struct job *next;
    enum job_kind kind;
    uint64_t client;        /* who asked: the connection's number */
    char id[RPC_ID_MAX];    /* … and the request */
    uint64_t deadline_ns;   /* monotonic: when the io thread gives up; 0 never */
    bool given_up;          /* atomic: nobody wants the answer any more */
    uint64_t task;          /* JOB_STACK */
    struct cancel *cancel;  /* JOB_CANCEL: owned by the io thread's list */
    struct buf out;         /* JOB_STACK: the result's JSON */
    struct rpc_error error; /* code 0: none */
};

/* A job of a kind, zeroed; NULL without memory. */
struct job *gil_job_new(enum job_kind kind);
/* Frees; NULL-safe; returns NULL. */
struct job *gil_job_free(struct job *job);

/*
 * Starts the thread; with `walk` it takes in the tasks that are there already once the hooks are
 * in. 0, -errno.
 */
int gil_start(bool walk);

/*
 * Ends it and waits for it: 0. -ETIMEDOUT: it is in a loop's own code, perhaps waiting for a lock
 * that the caller's thread holds; it ends when it comes back, unless it is started again before.
 * The caller must not hold the GIL.
 */
int gil_stop(void);

/* Whether one that gil_stop did not wait for may still be there. Between stop and start. */
bool gil_lingers(void);

/* Whether it is to end. Any thread. */
bool gil_stopping(void);

/* In a forked child, where the thread is not: forgets it and its jobs. */
void gil_abandon(void);

/* Hands a job over. Any thread. */
void gil_submit(struct job *job);

/* A job that is done, or NULL; the io thread is woken through wake_fd when there is one. */
struct job *gil_take_done(void);

/* Asks for the hooks to be installed as soon as asyncio is there; waits until that was tried, 5 s
 * at the most. GIL: not held by the caller. */
void gil_install_now(void);

/* Somebody watches: figures come often, else rarely. io thread. */
void gil_set_watched(bool watched);
bool gil_watched(void);

/*
 * Between two parts of a piece of work of the gil thread: gives the GIL back for a moment where it
 * has been held for a slice, and tells whether it did. GIL held.
 */
bool gil_give_way(void);

/* How long the thread has been waiting for the GIL, 0 when it does not. Any thread. */
uint64_t gil_waiting_ns(void);

/* The longest time it held the GIL, and takes it back to 0 with reset. Any thread. */
uint64_t gil_longest_hold_ns(bool reset);

#endif
