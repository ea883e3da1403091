/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "common/ring.h"

/* After each push the ring holds the newest samples, whatever its capacity. */
static void
test_holds_the_newest(void **state)
{
    (void)state;
    double storage[5], out[8];
    for (size_t capacity = 1; capacity <= 5; capacity++) {
        struct ring ring;
        ring_init(&ring, storage, capacity);
        assert_int_equal(ring_copy(&ring, out, 8), 0);
        for (int i = 1; i <= 20; i++) {
            ring_push(&ring, i);
            size_t want = (size_t)i < capacity ? (size_t)i : capacity;
            assert_int_equal(ring.count, want);
            assert_int_equal(ring_copy(&ring, out, 8), want);
            for (size_t k = 0; k < want; k++) {
                assert_true(out[want - 1 - k] == i - (double)k);
                assert_true(ring_newest(&ring, k) == i - (double)k);
            }
        }
        assert_int_equal(ring_copy(&ring, out, 1), 1);
        assert_true(out[0] == 20);
        ring_clear(&ring);
        assert_int_equal(ring.count, 0);
        ring_push(&ring, 7);
        assert_true(ring_newest(&ring, 0) == 7);
    }
}

static void
test_max_passes_over_gaps(void **state)
{
    (void)state;
    double storage[4];
    struct ring ring;
    ring_init(&ring, storage, 4);
    assert_true(isnan(ring_max(&ring, 4)));
    ring_push(&ring, NAN);
    assert_true(isnan(ring_max(&ring, 4)));
    ring_push(&ring, -3);
    ring_push(&ring, NAN);
    assert_true(ring_max(&ring, 4) == -3);
    ring_push(&ring, -5);
    assert_true(ring_max(&ring, 1) == -5);
    assert_true(ring_max(&ring, 99) == -3);
    ring_push(&ring, 9);
    ring_push(&ring, 2);
    assert_true(ring_max(&ring, 1) == 2);
    assert_true(ring_max(&ring, 2) == 9);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_holds_the_newest),
        cmocka_unit_test(test_max_passes_over_gaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
