/* SPDX-License-Identifier: MIT */
/*
 * Log-linear histogram of 64-bit values: HISTOGRAM_SUB buckets to each power of two, so that a
 * quantile is off by at most 1/16 of itself. One writer; readers in other threads may see an
 * addition half done (a count without its total), never a torn word: fields are relaxed atomics.
 */
#ifndef LOOPTOP_COMMON_HISTOGRAM_H
#define LOOPTOP_COMMON_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB 8
#define HISTOGRAM_BUCKETS                                                                          \
    (HISTOGRAM_SUB * 48) /* up to 2^50: 13 days in ns; more counts in the last */

struct histogram {
    uint32_t counts[HISTOGRAM_BUCKETS];
    uint64_t total; /* values counted */
    uint64_t max;   /* largest value */
};

/* Counts a value. */
void histogram_add(struct histogram *h, uint64_t value);

/* Counts it n times. */
void histogram_add_n(struct histogram *h, uint64_t value, uint32_t n);

/* Adds all of from to h. */
void histogram_merge(struct histogram *h, const struct histogram *from);

void histogram_clear(struct histogram *h);

/*
 * The value below which a share q (0 to 1) of the values lie: the middle of its bucket, never above
 * the largest value seen. 0 when empty.
 */
uint64_t histogram_quantile(const struct histogram *h, double q);

#endif
