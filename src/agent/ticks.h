/* SPDX-License-Identifier: MIT */
/*
 * The hooks' clock: the time stamp counter where it runs at one rate on all cores, in all states,
 * and the kernel itself trusts it; CLOCK_MONOTONIC otherwise. Ticks become nanoseconds only when
 * somebody reads; the rate is measured against CLOCK_MONOTONIC and grows more exact the longer the
 * agent runs.
 */
#ifndef LOOPTOP_AGENT_TICKS_H
#define LOOPTOP_AGENT_TICKS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/hidden.h"
#include "common/hot.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

extern HIDDEN bool ticks_from_tsc; /* set once by ticks_init */

static inline uint64_t
ticks_now(void)
{
#if defined(__x86_64__)
    if (likely(ticks_from_tsc))
        return __rdtsc();
#endif
    return clock_monotonic_ns();
}

/* Chooses the clock and takes the first mark; takes a few milliseconds. Any thread, once. */
void ticks_init(void);

/* Measures the rate anew; io thread, about once a second. */
void ticks_refine(void);

/* A span in nanoseconds; a negative one is 0. Any thread. */
uint64_t ticks_to_ns(uint64_t span);

/* A span of nanoseconds in ticks. Any thread. */
uint64_t ticks_from_ns(uint64_t ns);

/* Nanoseconds from then until now, 0 when then lies ahead. */
uint64_t ticks_since_ns(uint64_t then);

#endif
