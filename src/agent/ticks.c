// SPDX-License-Identifier: MIT
/* See ticks.h. The rate is kept as a fixed-point factor, ns = ticks * factor / 2^32. */
#include "agent/ticks.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "agent/atomic.h"
#include "common/clock.h"

#define UNITY (1ull << 32)
__extension__ typedef unsigned __int128 wide;

#define FIRST_MARK_NS 2000000 /* long enough for a rate good to 0.1 % */

HOT_DATA bool ticks_from_tsc;
static uint64_t factor = UNITY;
static uint64_t first_ticks, first_ns;

#if defined(__x86_64__)
/* CPUID 0x80000007 EDX bit 8: the counter's rate does not change. */
static bool
tsc_is_invariant(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(0x80000007u, &a, &b, &c, &d) && (d & (1u << 8));
}

/* The kernel drops the counter as its own clock when cores or a hypervisor make it unreliable. */
static bool
kernel_trusts_tsc(void)
{
    char text[32] = "";
    int fd = open(
        "/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    return n >= 3 && strncmp(text, "tsc", 3) == 0;
}
#endif

void
ticks_init(void)
{
#if defined(__x86_64__)
    ticks_from_tsc = tsc_is_invariant() && kernel_trusts_tsc();
#endif
    first_ticks = ticks_now();
    first_ns = clock_monotonic_ns();
    if (ticks_from_tsc) {
        struct timespec pause = {.tv_nsec = FIRST_MARK_NS};
        nanosleep(&pause, NULL);
        ticks_refine();
    }
}

void
ticks_refine(void)
{
    if (!ticks_from_tsc)
        return;
    uint64_t span_ticks = ticks_now() - first_ticks;
    uint64_t span_ns = clock_monotonic_ns() - first_ns;
    if (span_ticks > 0)
        STORE(factor, (uint64_t)(((wide)span_ns << 32) / span_ticks));
}

uint64_t
ticks_to_ns(uint64_t span)
{
    if ((int64_t)span < 0)
        return 0;
    return (uint64_t)(((wide)span * LOAD(factor)) >> 32);
}

uint64_t
ticks_from_ns(uint64_t ns)
{
    uint64_t f = LOAD(factor);
    return f == 0 ? 0 : (uint64_t)(((wide)ns << 32) / f);
}

uint64_t
ticks_since_ns(uint64_t then)
{
    return ticks_to_ns(ticks_now() - then);
}
