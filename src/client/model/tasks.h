/* SPDX-License-Identifier: MIT */
/*
 * The answer of `tasks` as structs. A page owns all its text; rows point into it and are valid
 * until task_page_done. Decoding checks every type, index and length: the agent's bytes are not
 * trusted.
 */
#ifndef LOOPTOP_CLIENT_MODEL_TASKS_H
#define LOOPTOP_CLIENT_MODEL_TASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "looptop/protocol.h"

struct cJSON;

struct task_site {
    const char *file;     /* "" where not known */
    const char *function; /* "" where not known */
    uint32_t line;        /* 0 where not known */
};

struct task_row {
    uint64_t id, parent, loop, steps;
    const char *name;      /* never NULL */
    const char *coroutine; /* NULL: not known; so are the next two */
    const char *waiting_on;
    const char *exception;
    const struct task_site *at; /* NULL: not known */
    const struct task_site *created_at;
    enum looptop_state state;
    bool age_exact;
    bool at_stale;
    uint64_t age_ns, idle_ns, busy_ns, max_step_ns;
    int64_t ended_ns;  /* -1: lives */
    int64_t queued_ns; /* -1: it is not queued to run */
    double busy_pct;
};

/* Whether idle_ns is more than the least that it can be: of a task that waited before there was an
 * agent only that is known, until its first step. */
static inline bool
task_row_idle_exact(const struct task_row *row)
{
    return row->age_exact || row->steps > 0;
}

struct task_page {
    struct task_row *rows; /* owned */
    size_t count;
    struct task_site *sites; /* owned, with their text */
    size_t sites_count;
    char *text; /* owned: every string of the page */
    double time_s;
    uint64_t total, matched, offset;
    int64_t focus_index; /* -1: not there */
};

/* Decodes a `result` of `tasks`. 0, -EPROTO (nothing to free), -ENOMEM. */
int task_page_decode(const struct cJSON *result, struct task_page *ret_page);

/* Frees; leaves an empty page; NULL-safe. */
void task_page_done(struct task_page *page);

/* What a window of the table is asked with. */
struct task_query {
    enum looptop_column sort;
    bool reverse;
    const char *filter; /* borrowed; NULL: none */
    uint64_t offset;
    unsigned limit;
    uint64_t after; /* 0: none */
    uint64_t focus; /* 0: none */
    bool finished;
};

/* The params of `tasks` as JSON text; owned, NULL without memory. */
char *task_query_json(const struct task_query *query);

#endif
