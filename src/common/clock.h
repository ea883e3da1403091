/* SPDX-License-Identifier: MIT */
/* Clocks, with a seam by which tests set the time. Any thread. */
#ifndef LOOPTOP_COMMON_CLOCK_H
#define LOOPTOP_COMMON_CLOCK_H

#include <stdint.h>

#define CLOCK_NS_PER_S 1000000000ull

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t clock_monotonic_ns(void);

/* CLOCK_BOOTTIME in nanoseconds: since boot, times of suspension included. */
uint64_t clock_boottime_ns(void);

/* CLOCK_REALTIME in seconds since 1970. */
double clock_realtime_s(void);

/* Tests: freeze the clocks at these values, that since boot too at monotonic_ns; monotonic_ns 0
 * returns to the real ones. */
void clock_set_for_test(uint64_t monotonic_ns, double realtime_s);

#endif
