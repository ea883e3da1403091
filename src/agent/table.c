// SPDX-License-Identifier: MIT
/* See table.h. */
#include "agent/table.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "agent/ticks.h"

#define FORGET_BATCH 1024 /* records, between two looks at the clock */

HOT_DATA struct record *table_records;
HOT_DATA uint32_t table_high;
uint32_t table_max;
HOT_DATA uint64_t table_last_id;
HOT_DATA struct table_counts table_counts;

static HOT_DATA uint32_t free_list; /* index of the first free record, 0: none */
static uint32_t forgotten = 1;      /* by table_forget, so far: those below */
static uint32_t discarded;          /* by table_discard: those below */

/* Ended records in the order of their end, so that the oldest goes first; the capacity is a power
 * of two. */
struct kept {
    uint32_t *ring;
    uint32_t capacity, head, count;
};
_Static_assert((TABLE_KEEP_DONE & (TABLE_KEEP_DONE - 1)) == 0, "masked");
_Static_assert((TABLE_KEEP_FAILED & (TABLE_KEEP_FAILED - 1)) == 0, "masked");
static uint32_t done_ring[TABLE_KEEP_DONE], failed_ring[TABLE_KEEP_FAILED];
static HOT_DATA struct kept kept_done = {done_ring, TABLE_KEEP_DONE, 0, 0};
static struct kept kept_failed = {failed_ring, TABLE_KEEP_FAILED, 0, 0};

int
table_init(void)
{
    if (table_records != NULL)
        return 0;
    void *memory = mmap(NULL, TABLE_BYTES_MAX, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return -ENOMEM;
    table_records = memory;
    table_max = TABLE_BYTES_MAX / sizeof(struct record);
    STORE(table_high, 1);
    return 0;
}

static void
empty(void)
{
    discarded = table_high;
    forgotten = 1;
    STORE(table_high, 1);
    free_list = 0;
    kept_done.count = kept_failed.count = 0;
    uint64_t *const counts = (uint64_t *)&table_counts;
    for (size_t i = 0; i < sizeof table_counts / sizeof *counts; i++)
        STORE(counts[i], 0);
}

bool
table_forget(void)
{
    uint32_t left = table_high - forgotten, n = left < FORGET_BATCH ? left : FORGET_BATCH;
    for (; n > 0; n--, forgotten++) {
        STORE(table_records[forgotten].id, 0);
        STORE(table_records[forgotten].task, NULL);
    }
    if (forgotten < table_high)
        return true;
    empty();
    return false;
}

void
table_discard(void)
{
    size_t size = discarded * sizeof(struct record);
    /* the pages go back, and read as zero; locked ones do not */
    if (madvise(table_records, size, MADV_DONTNEED) != 0)
        memset(table_records, 0, size);
}

void
table_reset(void)
{
    empty();
    table_discard();
}

static HOT_INLINE void
release(struct record *record)
{
    STORE_RELEASE(record->id, 0);
    /* the next task here has no name until it is given one; of a Task-N there is none to remove,
     * and its third cache line was never touched */
    if (unlikely(record->name_number == 0))
        STORE(record->name[0], '\0');
    STORE_RELEASE(record->next_free, free_list);
    free_list = table_index(record);
}

/* Lets go of the oldest kept record. */
static HOT_INLINE void
kept_drop(struct kept *kept)
{
    release(&table_records[kept->ring[kept->head]]);
    kept->head = (kept->head + 1) & (kept->capacity - 1);
    kept->count--;
    /* the next to go was last touched a whole ring ago: it is fetched while there is time */
    const struct record *next = &table_records[kept->ring[kept->head]];
    __builtin_prefetch(&next->id, 1);
    __builtin_prefetch(&next->born, 1);
}

/* Lets go of a few that are past their time; called at each end, so that it keeps pace. */
static HOT_INLINE void
kept_expire(struct kept *kept, uint64_t now)
{
    static HOT_DATA uint64_t keep; /* a division too many for each end of a task */
    if (unlikely(keep == 0))
        keep = ticks_from_ns(TABLE_KEEP_NS);
    for (int i = 0; i < 2 && kept->count > 0; i++) {
        const struct record *oldest = &table_records[kept->ring[kept->head]];
        if (now - oldest->ended < keep)
            break;
        kept_drop(kept);
    }
}

static __attribute__((hot, noinline)) void
kept_add(struct kept *kept, struct record *record, uint64_t now)
{
    kept_expire(kept, now);
    if (kept->count == kept->capacity)
        kept_drop(kept);
    kept->ring[(kept->head + kept->count) & (kept->capacity - 1)] = table_index(record);
    kept->count++;
}

static inline struct record *
take_free(void)
{
    struct record *record = &table_records[free_list];
    free_list = record->next_free;
    return record;
}

static COLD struct record *
take_unused(void)
{
    if (table_high < table_max) {
        STORE(table_high, table_high + 1);
        return &table_records[table_high - 1];
    }
    /* what has ended gives way to what lives */
    struct kept *kept = kept_done.count > 0 ? &kept_done : &kept_failed;
    if (kept->count == 0)
        return NULL;
    kept_drop(kept);
    return take_free();
}

HOT_TEXT struct record *
table_new(void *task)
{
    struct record *record = likely(free_list != 0) ? take_free() : take_unused();
    if (unlikely(record == NULL))
        return NULL;
    __atomic_thread_fence(__ATOMIC_RELEASE); /* whoever sees what follows sees that the id was 0 */
    uint64_t *words = (uint64_t *)record, zero = 0;
    __asm__("" : "+r"(zero)); /* half as long as sixteen constants in the code */
#pragma GCC unroll 16
    for (size_t i = 1; i < offsetof(struct record, name) / sizeof *words; i++)
        STORE(words[i], zero);
    STORE(record->task, task);
    ADD(table_counts.live, 1);
    uint64_t id = table_last_id + 1;
    STORE_RELEASE(record->id, id);
    STORE_RELEASE(table_last_id, id);
    return record;
}

void
table_drop(struct record *record)
{
    STORE(record->task, NULL);
    ADD(table_counts.live, -1ull);
    release(record);
}

HOT_TEXT void
table_end(struct record *record, unsigned outcome, uint64_t now)
{
    STORE(record->ended, now);
    STORE(record->task, NULL);
    STORE(record->flags, (uint16_t)((record->flags & ~(unsigned)RECORD_CANCELLING) | outcome));
    STORE(record->woken, 0);
    ADD(table_counts.live, -1ull);
    if (likely(outcome == RECORD_DONE)) {
        ADD(table_counts.finished, 1);
        kept_add(&kept_done, record, now);
        return;
    }
    if (outcome == RECORD_FAILED)
        ADD(table_counts.failed, 1);
    else
        ADD(table_counts.cancelled, 1);
    kept_add(&kept_failed, record, now);
}

uint64_t
table_bytes(void)
{
    return (uint64_t)LOAD(table_high) * sizeof(struct record) + sizeof done_ring +
           sizeof failed_ring;
}
