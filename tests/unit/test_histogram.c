/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "common/histogram.h"

#define LARGEST ((1ull << 50) - 1) /* that still has a bucket of its own */

static uint64_t
random_value(void)
{
    uint64_t bits = (uint64_t)random() << 31 ^ (uint64_t)random();
    return bits >> (rand() % 49 + 14); /* all magnitudes alike, below 2^50 */
}

static int
compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static uint64_t
distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

static void
test_empty(void **state)
{
    (void)state;
    struct histogram h = {0};
    assert_int_equal(histogram_quantile(&h, 0.5), 0);
    histogram_add(&h, 1234);
    histogram_clear(&h);
    assert_int_equal(histogram_quantile(&h, 0.5), 0);
    assert_int_equal(h.total, 0);
    assert_int_equal(h.max, 0);
}

/* Of a single value every quantile is that value, to a sixteenth, and never above it. */
static void
test_one_value_at_each_magnitude(void **state)
{
    (void)state;
    for (int shift = 0; shift < 50; shift++) {
        for (uint64_t offset = 0; offset <= 2; offset++) {
            uint64_t value = (1ull << shift) + offset - 1;
            struct histogram h = {0};
            histogram_add(&h, value);
            for (double q = 0; q <= 1; q += 0.25) {
                uint64_t got = histogram_quantile(&h, q);
                assert_true(got <= value);
                assert_true(value - got <= value / 16);
            }
        }
    }
}

static void
test_small_values_are_exact(void **state)
{
    (void)state;
    struct histogram h = {0};
    for (uint64_t value = 0; value < 16; value++)
        histogram_add(&h, value);
    for (uint64_t value = 0; value < 16; value++)
        assert_int_equal(histogram_quantile(&h, ((double)value + 1) / 16), value);
}

/* Against the same quantile of the sorted values. */
static void
test_quantiles_are_within_a_sixteenth(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    static uint64_t values[COUNT];
    srand(1);
    for (int round = 0; round < 50; round++) {
        struct histogram h = {0};
        for (int i = 0; i < COUNT; i++) {
            values[i] = random_value();
            histogram_add(&h, values[i]);
        }
        qsort(values, COUNT, sizeof(values[0]), compare);
        assert_int_equal(h.total, COUNT);
        assert_int_equal(h.max, values[COUNT - 1]);
        for (int rank = 1; rank <= COUNT; rank++) {
            uint64_t exact = values[rank - 1];
            uint64_t got = histogram_quantile(&h, (rank - 0.5) / COUNT);
            assert_true(distance(got, exact) <= exact / 16);
        }
    }
}

static void
test_quantile_stands_odd_shares(void **state)
{
    (void)state;
    struct histogram h = {0};
    histogram_add(&h, 1);
    histogram_add(&h, 5);
    assert_int_equal(histogram_quantile(&h, -1.0), 1);
    assert_int_equal(histogram_quantile(&h, 0.0 / 0.0), 1);
    assert_int_equal(histogram_quantile(&h, 0.5), 1);
    assert_int_equal(histogram_quantile(&h, 0.51), 5);
    assert_int_equal(histogram_quantile(&h, 7.0), 5);
}

static void
test_values_beyond_the_last_bucket(void **state)
{
    (void)state;
    struct histogram h = {0};
    histogram_add(&h, LARGEST);
    assert_int_equal(h.counts[HISTOGRAM_BUCKETS - 1], 1);
    histogram_add(&h, LARGEST + 1);
    histogram_add(&h, UINT64_MAX);
    assert_int_equal(h.counts[HISTOGRAM_BUCKETS - 1], 3);
    assert_true(h.max == UINT64_MAX);
    assert_in_range(histogram_quantile(&h, 0.5), 1ull << 49, LARGEST);
}

static void
test_merge_is_adding_both(void **state)
{
    (void)state;
    struct histogram a = {0}, b = {0}, both = {0};
    srand(2);
    for (int i = 0; i < 2000; i++) {
        uint64_t value = random_value();
        histogram_add(i % 3 ? &a : &b, value);
        histogram_add(&both, value);
    }
    histogram_merge(&a, &b);
    assert_memory_equal(&a, &both, sizeof(a));
}

/* A full bucket takes no more and total stays the sum: quantiles stay where they were. */
static void
test_full_buckets_do_not_wrap(void **state)
{
    (void)state;
    struct histogram h = {0}, more = {0};
    h.counts[3] = UINT32_MAX;
    h.total = UINT32_MAX;
    h.max = 3;
    histogram_add(&h, 3);
    assert_int_equal(h.counts[3], UINT32_MAX);
    assert_int_equal(h.total, UINT32_MAX);
    histogram_add(&more, 3);
    histogram_add(&more, 100);
    histogram_merge(&h, &more);
    assert_int_equal(h.counts[3], UINT32_MAX);
    assert_int_equal(h.total, UINT32_MAX + 1ull);
    assert_int_equal(h.max, 100);
    assert_int_equal(histogram_quantile(&h, 0.99), 3);
}

static void
test_counts_one_value_many_times(void **state)
{
    static struct histogram one, many;

    (void)state;
    histogram_clear(&one);
    histogram_clear(&many);
    for (int i = 0; i < 1000; i++)
        histogram_add(&one, 70000);
    histogram_add_n(&many, 70000, 1000);
    histogram_add_n(&many, 1 << 30, 0); /* none */
    assert_memory_equal(&one, &many, sizeof one);
    histogram_add_n(&many, 70000, UINT32_MAX);
    assert_int_equal(many.total, UINT32_MAX); /* full */
    histogram_add(&many, 5);
    assert_int_equal(histogram_quantile(&many, 0), 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_one_value_many_times),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_one_value_at_each_magnitude),
        cmocka_unit_test(test_small_values_are_exact),
        cmocka_unit_test(test_quantiles_are_within_a_sixteenth),
        cmocka_unit_test(test_quantile_stands_odd_shares),
        cmocka_unit_test(test_values_beyond_the_last_bucket),
        cmocka_unit_test(test_merge_is_adding_both),
        cmocka_unit_test(test_full_buckets_do_not_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
