/* SPDX-License-Identifier: MIT */
/* The frozen values are relaxed atomics, since a test sets them beside running threads. */
#include "common/clock.h"

#include <time.h>

static uint64_t frozen_monotonic_ns;
static double frozen_realtime_s;

static uint64_t
read_ns(clockid_t clock)
{
    uint64_t frozen = __atomic_load_n(&frozen_monotonic_ns, __ATOMIC_RELAXED);
    if (frozen)
        return frozen;
    struct timespec ts;
    (void)clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * CLOCK_NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t
clock_monotonic_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

uint64_t
clock_boottime_ns(void)
{
    return read_ns(CLOCK_BOOTTIME);
}

double
clock_realtime_s(void)
{
    if (__atomic_load_n(&frozen_monotonic_ns, __ATOMIC_ACQUIRE)) {
        double frozen;
        __atomic_load(&frozen_realtime_s, &frozen, __ATOMIC_RELAXED);
        return frozen;
    }
    struct timespec ts;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void
clock_set_for_test(uint64_t monotonic_ns, double realtime_s)
{
    __atomic_store(&frozen_realtime_s, &realtime_s, __ATOMIC_RELAXED);
    __atomic_store_n(&frozen_monotonic_ns, monotonic_ns, __ATOMIC_RELEASE);
}
