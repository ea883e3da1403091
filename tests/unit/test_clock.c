/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "common/clock.h"

static uint64_t
now_ns(clockid_t id)
{
    struct timespec ts;
    assert_int_equal(clock_gettime(id, &ts), 0);
    return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static void
test_is_the_system_clock(void **state)
{
    (void)state;
    uint64_t before = now_ns(CLOCK_MONOTONIC);
    uint64_t ours = clock_monotonic_ns();
    assert_in_range(ours, before, now_ns(CLOCK_MONOTONIC));
    before = now_ns(CLOCK_BOOTTIME);
    ours = clock_boottime_ns();
    assert_in_range(ours, before, now_ns(CLOCK_BOOTTIME));
    double real_before = (double)now_ns(CLOCK_REALTIME) / 1e9;
    double real = clock_realtime_s();
    assert_true(real >= real_before - 1e-6);
    assert_true(real <= (double)now_ns(CLOCK_REALTIME) / 1e9 + 1e-6);
}

static void
test_freezes_and_runs_again(void **state)
{
    (void)state;
    clock_set_for_test(42, 1.5);
    assert_int_equal(clock_monotonic_ns(), 42);
    assert_true(clock_realtime_s() == 1.5);
    clock_set_for_test(43, 0.0);
    assert_int_equal(clock_monotonic_ns(), 43);
    assert_true(clock_realtime_s() == 0.0);
    clock_set_for_test(0, 0.0);
    assert_true(clock_monotonic_ns() > 43);
    assert_true(clock_realtime_s() > 1e9);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_the_system_clock),
        cmocka_unit_test(test_freezes_and_runs_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
