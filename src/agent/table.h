/* SPDX-License-Identifier: MIT */
/*
 * The task table: one record a task, in one reserved stretch of memory whose pages come into use as
 * tasks come. Records are written under the GIL and read by the io thread without it, field by
 * field with relaxed loads; a reader takes the id before and after and throws away what changed
 * between.
 *
 * A task finds its record by the index kept in four bytes of padding of the task object; the record
 * is the task's only if it says so (record->task == task). A finished task's record stays for a
 * while so that it can be seen, bounded in time and number; then it serves another task. A full
 * table stops tracking new tasks and counts them.
 */
#ifndef LOOPTOP_AGENT_TABLE_H
#define LOOPTOP_AGENT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/atomic.h"
#include "common/hidden.h"
#include "common/hot.h"
#include "looptop/limits.h"

#define TABLE_BYTES_MAX (64u << 20)        /* the cap; part of what the screen shows */
#define TABLE_KEEP_NS (10 * 1000000000ull) /* a finished task stays this long */
#define TABLE_KEEP_DONE 4096               /* … but at most so many that returned */
#define TABLE_KEEP_FAILED 4096             /* … and so many that failed or were cancelled */

enum record_flag {
    RECORD_AGE_INEXACT = 1, /* older than the agent */
    RECORD_CANCELLING = 2,  /* Task.cancelling() > 0 */
    RECORD_WATCHED = 4,     /* a cancel request wants to know how it ends */
    RECORD_STARTED = 64,    /* taken in after its first step */
    RECORD_DONE = 8,
    RECORD_FAILED = 16,
    RECORD_CANCELLED = 32,
    RECORD_ENDED = RECORD_DONE | RECORD_FAILED | RECORD_CANCELLED,
};

struct record {
    /* first cache line: what a step touches */
    uint64_t id; /* agent's own number, never reused; 0: free. Written last at birth */
    void *task;  /* borrowed; NULL once it ended */
    uint64_t steps;
    uint64_t busy;     /* ticks in steps */
    uint64_t max_step; /* ticks */
    uint64_t last_end; /* when the last step ended; before the first: birth */
    uint64_t woken;    /* when it was queued to run; 0: it is not */
    uint32_t at_step;  /* number of the step (low bits) that `at` and `waiting_on` belong to */
    uint16_t loop;     /* index of the loop's entry, 0: not known; another's once it was freed */
    uint16_t flags;
    /* second cache line */
    uint64_t born;
    uint64_t ended;       /* 0: it lives */
    uint64_t parent;      /* id, 0: none */
    uint64_t name_number; /* N of a name "Task-N"; 0: the name is in name[] */
    uint64_t path;        /* hash of its await path; 0: not known */
    uint32_t created_at;  /* site, 0: not known */
    uint32_t at;          /* site */
    uint32_t coroutine;   /* string, 0: not known */
    uint32_t waiting_on;  /* string */
    uint32_t exception;   /* string: of a failed task */
    union {
        uint32_t loop_id;   /* the loop's id (low bits), never another's; 0: not known */
        uint32_t next_free; /* of a free record */
    };
    /* third cache line, touched only by names that are not Task-N */
    char name[LOOPTOP_NAME_MAX]; /* UTF-8, cut */
};

_Static_assert(sizeof(struct record) == 192, "a record is three cache lines");

/* Reserves the memory. 0, -ENOMEM. Once. */
int table_init(void);

/*
 * Forgets every record (ids go on), in parts, so that nobody has to wait for it: table_forget, GIL
 * held, again as long as it says that there are more; then table_discard, GIL not needed. Hooks are
 * off all the while.
 */
bool table_forget(void);
void table_discard(void);

/* The same at once, where no other thread reads: in a forked child. GIL held. */
void table_reset(void);

/*
 * A new record with a new id and everything else 0, visible to readers at once; NULL when full (the
 * caller counts it as untracked, once a task). It has no name. GIL held.
 */
struct record *table_new(void *task);

/* The record was never to be: its task was not made. GIL held. */
void table_drop(struct record *record);

/*
 * Its task ended, with one of RECORD_DONE, RECORD_FAILED, RECORD_CANCELLED: the record stays for a
 * while. GIL held.
 */
void table_end(struct record *record, unsigned outcome, uint64_t now);

extern HIDDEN struct record *table_records; /* [0] is never used */
extern HIDDEN uint32_t table_high;          /* records ever used; atomic */
extern HIDDEN uint32_t table_max;
extern HIDDEN uint64_t
    table_last_id; /* given last; atomic: all up to it are in the table, or were */

static inline uint32_t
table_index(const struct record *record)
{
    return (uint32_t)(record - table_records);
}

/* The record at an index if it is this task's, else NULL. GIL held. */
static inline struct record *
table_find(uint32_t index, const void *task)
{
    if (unlikely(index >= LOAD(table_high)))
        return NULL;
    struct record *record = &table_records[index];
    return likely(record->task == task) ? record : NULL;
}

/* Counters, written under the GIL. */
struct table_counts {
    uint64_t live, created, finished, failed, cancelled, untracked, steps;
};
extern HIDDEN struct table_counts table_counts;

/* Memory the records have touched, in bytes. Any thread. */
uint64_t table_bytes(void);

#endif
