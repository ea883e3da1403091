/* SPDX-License-Identifier: MIT */
/*
 * The last samples of a figure, in storage of the caller's. Samples are doubles: counts are exact
 * to 2^53, a sample that could not be taken is not-a-number. One thread at a time.
 */
#ifndef LOOPTOP_COMMON_RING_H
#define LOOPTOP_COMMON_RING_H

#include <stddef.h>

struct ring {
    double *samples; /* borrowed */
    size_t capacity;
    size_t count; /* samples held, at most capacity */
    size_t next;  /* where the next one goes */
};

/* An empty ring over capacity samples (at least 1) that outlive it. */
void ring_init(struct ring *ring, double *samples, size_t capacity);

/* Adds a sample; in a full ring the oldest one goes. */
void ring_push(struct ring *ring, double sample);

void ring_clear(struct ring *ring);

/* The sample of that age, 0 the newest; age < count. */
double ring_newest(const struct ring *ring, size_t age);

/* Copies the newest samples, at most max, oldest first; returns how many. */
size_t ring_copy(const struct ring *ring, double *out, size_t max);

/* The largest of the newest n samples, those that are not a number passed over; NaN: there is none.
 */
double ring_max(const struct ring *ring, size_t n);

#endif
