/* SPDX-License-Identifier: MIT */
/* next and count are all the state: the oldest sample is count places before next. */
#include "common/ring.h"

#include <math.h>

void
ring_init(struct ring *ring, double *samples, size_t capacity)
{
    *ring = (struct ring){.samples = samples, .capacity = capacity};
}

void
ring_push(struct ring *ring, double sample)
{
    ring->samples[ring->next] = sample;
    ring->next = ring->next + 1 == ring->capacity ? 0 : ring->next + 1;
    if (ring->count < ring->capacity)
        ring->count++;
}

void
ring_clear(struct ring *ring)
{
    ring->count = 0;
    ring->next = 0;
}

double
ring_newest(const struct ring *ring, size_t age)
{
    size_t back = age + 1;
    size_t at = ring->next >= back ? ring->next - back : ring->next + ring->capacity - back;
    return ring->samples[at];
}

size_t
ring_copy(const struct ring *ring, double *out, size_t max)
{
    size_t n = ring->count < max ? ring->count : max;
    for (size_t i = 0; i < n; i++)
        out[i] = ring_newest(ring, n - 1 - i);
    return n;
}

double
ring_max(const struct ring *ring, size_t n)
{
    double max = NAN;
    if (n > ring->count)
        n = ring->count;
    for (size_t age = 0; age < n; age++) {
        double sample = ring_newest(ring, age);
        if (!(sample <= max) && sample == sample)
            max = sample;
    }
    return max;
}
