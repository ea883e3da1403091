/* SPDX-License-Identifier: MIT */
/* The answers of `status`, `loops` and `memory` as structs of fixed size. */
#ifndef LOOPTOP_CLIENT_MODEL_STATUS_H
#define LOOPTOP_CLIENT_MODEL_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "looptop/limits.h"
#include "looptop/protocol.h"

struct cJSON;

#define STATUS_LOOPS_MAX LOOPTOP_LOOPS_MAX
#define STATUS_UNKNOWN INT64_MIN /* a figure the agent sent as null */

struct loop_status {
    uint64_t id, tasks;
    char kind[64];  /* asyncio, uvloop, … */
    char state[16]; /* running, stopped, closed */
    int64_t tid;
    char thread[64];
    uint64_t running_task; /* 0: none */
    int64_t running_ns;
    double busy_pct; /* NaN: not known; so are the next three */
    double iterations_per_s, callbacks_per_s, steps_per_s;
    bool busy_exact;
    bool lag_by_probe;
    int64_t lag_now_ns, lag_p50_ns, lag_p90_ns, lag_p99_ns, lag_max_ns; /* or STATUS_UNKNOWN */
    int64_t iteration_for_ns;
};

struct memory_status {
    int64_t rss_bytes, heap_bytes, blocks; /* or STATUS_UNKNOWN */
    int64_t gc_collections[3];
    int64_t gc_pause_total_ns, gc_pause_max_ns, gc_pause_ns_per_s;
    int64_t agent_bytes;
};

struct status {
    double time_s;
    pid_t pid;
    uid_t uid;
    char python[32];
    uint64_t process_up_ns, agent_up_ns;
    bool readonly;
    char hooks_state[16];    /* active, waiting, refused, dormant */
    char hooks_message[256]; /* "" none */
    bool walking;            /* tasks older than the agent are still being read */
    int64_t gil_waiting_ns;
    uint64_t tasks, by_state[LOOPTOP_STATES];
    uint64_t created, finished, failed, cancelled, untracked, steps;
    double created_per_s, finished_per_s, failed_per_s, cancelled_per_s, steps_per_s;
    struct memory_status memory;
    uint64_t agent_bytes, agent_bytes_max, agent_records, agent_records_max;
    unsigned agent_clients;
    uint64_t events;
    size_t loops_count;
    struct loop_status
        loops[STATUS_LOOPS_MAX]; /* last: what is beyond the count is never touched */
};

/* All of it, and of the loops those that there are. */
void status_copy(struct status *to, const struct status *from);

/* Decode a `result`, or the part of an update. 0, -EPROTO, -ENOMEM. Absent figures become "not
 * known". */
int status_decode(const struct cJSON *result, struct status *ret_status);
int loop_status_decode(const struct cJSON *loop, struct loop_status *ret_loop);
int memory_status_decode(const struct cJSON *memory, struct memory_status *ret_memory);

/*
 * An array of numbers under a name, oldest first, nulls as NaN; the last LOOPTOP_HISTORY of them.
 * Returns how many.
 */
size_t history_decode(
    const struct cJSON *history, const char *name, double ret_values[LOOPTOP_HISTORY]);

#endif
