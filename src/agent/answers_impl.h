/* SPDX-License-Identifier: MIT */
/* What the handlers in methods.c use of answers.c. io thread. */
#ifndef LOOPTOP_AGENT_ANSWERS_IMPL_H
#define LOOPTOP_AGENT_ANSWERS_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/peer.h"
#include "proto/json_out.h"
#include "proto/rpc.h"

struct cancel;
struct job;
struct list_query;

/* A request that has no answer yet. */
struct under_way {
    struct job *job;          /* with the gil thread; NULL: it came back */
    struct cancel *cancel;    /* owned; watched until settled */
    struct list_query *query; /* owned; the list that waits for fresh places; NULL: an update's */
    bool answered;            /* only the job is still out */
    bool again;               /* the list was given up for a fork: now it is written */
    bool silent;              /* a notification's: the answer is not sent */
    uint64_t peer;
    uint64_t deadline_ns;
    char id[RPC_ID_MAX];
};

/* Puts a request under way with its job, or without one; NULL where too many are. The job stays the
 * caller's then. */
struct under_way *answers_track(
    const struct peer *peer, const char *id, struct job *job, uint64_t wait_ns);

/* How many are under way; and those from a number on were begun by a notification. */
size_t answers_under_way(void);
void answers_silence(size_t from);

/* Begins a result: one value is to follow, then rpc_result_end. */
struct json_out answers_result(struct peer *peer, const char *id);

/* Something went wrong half way: what was written since `keep` is taken back for the error. */
void answers_fail(struct peer *peer, const char *id, size_t keep, struct rpc_error *error);

/* false, unless it is to be written to its end in any case: the thread is to end, nothing was
 * written, and the list is to be asked for again. */
bool answers_send_list(
    struct peer *peer, const char *id, const struct list_query *query, bool to_the_end);

/*
 * Puts a list (or, without a query, an update) under way until places are fresh; false: nothing is
 * to be waited for. With true the query is taken over.
 */
bool answers_ask_fresh(const struct peer *peer, const char *id, struct list_query *query);

void answers_want_detach(void);

/* Clients that are connected. */
unsigned answers_clients(void);

#endif
