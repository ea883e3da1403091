/* SPDX-License-Identifier: MIT */
/*
 * Cancelling tasks by hand. The request names tasks by the agent's ids; each is checked against the
 * live object under the GIL, so that a reused address is never hit, then Task.cancel is called in
 * the task's own loop, and what comes of it is watched until it is known or the time is over.
 */
#ifndef LOOPTOP_AGENT_CANCEL_H
#define LOOPTOP_AGENT_CANCEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct record;
struct cancel;
struct json_out;

/*
 * A request for ids[0..count), count <= LOOPTOP_CANCEL_MAX; message may be NULL. NULL without
 * memory. Any thread; it is one thread's at a time.
 */
struct cancel *cancel_new(const uint64_t *ids, size_t count, const char *message, uint64_t wait_ns,
    int peer_pid, int peer_uid);

/*
 * Puts cancellations into the tasks' loops for at most about max_ns; returns whether there are
 * more. GIL held, gil thread.
 */
bool cancel_send(struct cancel *cancel, uint64_t max_ns);

/* 0; -ENOMEM. GIL held, once. */
int cancel_init(void);

/* Whether every outcome is known or the time is over. io thread. */
bool cancel_settled(struct cancel *cancel);

/* Writes {"results":[...]} and records each outcome as an event. io thread, once. */
void cancel_report(struct cancel *cancel, struct json_out *out);

/*
 * Lets go; cancellations on their way arrive all the same. The gil thread must be done with it.
 * NULL-safe. io thread.
 */
void cancel_free(struct cancel *cancel);

/* A watched task has ended. GIL held, from the hook. */
void cancel_ended(struct record *record, unsigned outcome, uint64_t now);

/* In a forked child: what the parent has under way is not the child's. Async-signal-safe. */
void cancel_child(void);

#endif
