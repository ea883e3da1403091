/* SPDX-License-Identifier: MIT */
/*
 * Values below HISTOGRAM_SUB have a bucket each; above, a value's bucket is its power of two and
 * the three bits after its first. Adding is a clz, a shift and three stores: it is on the path of
 * every step. total is the sum of counts always: a bucket that is full takes no more, and neither
 * does total, so that quantiles stay those of what was counted.
 */
#include "common/histogram.h"

#define SUB_BITS 3
_Static_assert(HISTOGRAM_SUB == 1 << SUB_BITS, "the index takes SUB_BITS bits after the first");

#define LOAD(p) __atomic_load_n(&(p), __ATOMIC_RELAXED)
#define STORE(p, v) __atomic_store_n(&(p), (v), __ATOMIC_RELAXED)

static unsigned
bucket_of(uint64_t value)
{
    if (value < HISTOGRAM_SUB)
        return (unsigned)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - SUB_BITS;
    unsigned index = shift * HISTOGRAM_SUB + (unsigned)(value >> shift);
    return index < HISTOGRAM_BUCKETS ? index : HISTOGRAM_BUCKETS - 1;
}

static uint64_t
bucket_middle(unsigned index)
{
    if (index < HISTOGRAM_SUB)
        return index;
    unsigned shift = index / HISTOGRAM_SUB - 1;
    uint64_t low = (uint64_t)(HISTOGRAM_SUB + index % HISTOGRAM_SUB) << shift;
    return low + ((1ull << shift) >> 1);
}

void
histogram_add_n(struct histogram *h, uint64_t value, uint32_t n)
{
    uint32_t *count = &h->counts[bucket_of(value)];
    uint32_t before = LOAD(*count);
    uint32_t more = n < UINT32_MAX - before ? n : UINT32_MAX - before;
    STORE(*count, before + more);
    STORE(h->total, LOAD(h->total) + more);
    if (n > 0 && value > LOAD(h->max))
        STORE(h->max, value);
}

void
histogram_add(struct histogram *h, uint64_t value)
{
    histogram_add_n(h, value, 1);
}

void
histogram_merge(struct histogram *h, const struct histogram *from)
{
    uint64_t added = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint32_t n = LOAD(from->counts[i]);
        if (n == 0)
            continue;
        uint32_t old = LOAD(h->counts[i]);
        uint32_t room = UINT32_MAX - old;
        uint32_t taken = n < room ? n : room;
        STORE(h->counts[i], old + taken);
        added += taken;
    }
    STORE(h->total, LOAD(h->total) + added);
    uint64_t max = LOAD(from->max);
    if (max > LOAD(h->max))
        STORE(h->max, max);
}

void
histogram_clear(struct histogram *h)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        STORE(h->counts[i], 0);
    STORE(h->total, 0);
    STORE(h->max, 0);
}

/* Which of total values, counted from 1, the quantile is. */
static uint64_t
rank_of(uint64_t total, double q)
{
    if (!(q > 0.0))
        return 1;
    if (q >= 1.0)
        return total;
    double exact = q * (double)total;
    uint64_t rank = (uint64_t)exact;
    if ((double)rank < exact)
        rank++;
    if (rank < 1)
        return 1;
    return rank < total ? rank : total;
}

uint64_t
histogram_quantile(const struct histogram *h, double q)
{
    uint64_t total = LOAD(h->total);
    if (total == 0)
        return 0;
    uint64_t rank = rank_of(total, q);
    uint64_t seen = 0;
    uint64_t middle = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS && seen < rank; i++) {
        uint32_t n = LOAD(h->counts[i]);
        if (n == 0)
            continue;
        seen += n;
        middle = bucket_middle(i);
    }
    uint64_t max = LOAD(h->max);
    return middle < max ? middle : max;
}
