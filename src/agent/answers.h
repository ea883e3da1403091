/* SPDX-License-Identifier: MIT */
/* From a request line to its answer: the methods of looptop-protocol(7). io thread. */
#ifndef LOOPTOP_AGENT_ANSWERS_H
#define LOOPTOP_AGENT_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/peer.h"

/* Answers a line, or puts what needs the gil thread under way. */
void answers_line(struct peer *peer, const char *line, size_t n);

/*
 * Sends what has become ready: jobs that are done, cancellations that are settled, requests whose
 * time is over, updates that are due. The next sample is taken at sample_ns. Returns when to come
 * again at the latest (monotonic ns), UINT64_MAX when nothing is expected.
 */
uint64_t answers_tick(struct peer *peers, size_t count, uint64_t sample_ns);

/* A peer went away: nothing is sent to it any more. */
void answers_forget(uint64_t peer_number);

/* A client asked for `detach`, and has its answer. */
bool answers_detach_wanted(void);

/* Forgets everything under way, in a forked child. */
void answers_reset(void);

#endif
