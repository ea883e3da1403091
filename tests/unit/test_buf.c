/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/cleanup.h"

static void
assert_holds(const struct buf *buf, const char *text)
{
    assert_int_equal(buf->len, strlen(text));
    assert_memory_equal(buf->data, text, buf->len);
}

static void
test_appends(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf buf;
    buf_init(&buf, 1000);
    assert_null(buf.data);
    assert_int_equal(buf_append(&buf, "", 0), 0);
    assert_int_equal(buf_puts(&buf, "ab"), 0);
    assert_int_equal(buf_printf(&buf, "%d-%s", 42, "x"), 0);
    assert_int_equal(buf_printf(&buf, "%s", ""), 0);
    assert_int_equal(buf_append(&buf, "\0z", 2), 0);
    assert_int_equal(buf.len, 8);
    assert_memory_equal(buf.data, "ab42-x\0z", 8);
}

static void
test_reaches_exactly_its_limit(void **state)
{
    (void)state;
    for (size_t max = 1; max < 600; max += 7) {
        CLEANUP(buf_done) struct buf buf;
        buf_init(&buf, max);
        for (size_t i = 0; i < max; i++)
            assert_int_equal(buf_printf(&buf, "%c", 'a' + (int)(i % 26)), 0);
        assert_int_equal(buf.len, max);
        assert_true(buf.cap <= max);
        assert_int_equal(buf_puts(&buf, "x"), -E2BIG);
        assert_int_equal(buf.len, max);
    }
}

static void
test_errors_stick_until_cleared(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf buf;
    buf_init(&buf, 4);
    assert_int_equal(buf_puts(&buf, "abcde"), -E2BIG);
    assert_int_equal(buf_puts(&buf, "a"), -E2BIG);
    assert_int_equal(buf_printf(&buf, "%s", ""), -E2BIG);
    assert_int_equal(buf_reserve(&buf, 0), -E2BIG);
    assert_int_equal(buf.len, 0);
    buf_clear(&buf);
    assert_int_equal(buf_puts(&buf, "abcd"), 0);
    assert_holds(&buf, "abcd");
}

static void
test_refuses_sizes_that_overflow(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf buf;
    buf_init(&buf, 100);
    assert_int_equal(buf_puts(&buf, "abc"), 0);
    assert_int_equal(buf_reserve(&buf, SIZE_MAX), -E2BIG);
    buf_done(&buf);
    buf_init(&buf, SIZE_MAX);
    assert_int_equal(buf_puts(&buf, "abc"), 0);
    assert_int_equal(buf_reserve(&buf, SIZE_MAX - 3), -ENOMEM);
    buf_clear(&buf);
    assert_int_equal(buf_puts(&buf, "abc"), 0);
}

static void
test_is_usable_after_done(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 10);
    (void)buf_puts(&buf, "abc");
    buf_done(&buf);
    assert_null(buf.data);
    assert_int_equal(buf_puts(&buf, "0123456789"), 0);
    assert_holds(&buf, "0123456789");
    buf_done(&buf);
    buf_done(&buf);
    buf_done(NULL);
}

/* Random appends and consumes beside a plain array that does the same. */
static void
test_consumes_from_the_front(void **state)
{
    (void)state;
    char model[4096];
    size_t len = 0;
    CLEANUP(buf_done) struct buf buf;
    buf_init(&buf, sizeof(model));
    srand(7);
    for (int round = 0; round < 5000; round++) {
        size_t n = (size_t)(rand() % 200);
        if (rand() % 2 && len + n <= sizeof(model)) {
            memset(model + len, round % 256, n);
            assert_int_equal(buf_append(&buf, model + len, n), 0);
            len += n;
        } else if (n <= len) {
            buf_consume(&buf, n);
            memmove(model, model + n, len - n);
            len -= n;
        }
        assert_int_equal(buf.len, len);
        if (len > 0)
            assert_memory_equal(buf.data, model, len);
    }
}

static void
test_taken_pointer_is_not_freed(void **state)
{
    (void)state;
    char *kept;
    {
        CLEANUP_FREE char *text = strdup("kept");
        kept = TAKE(text);
        assert_null(text);
    }
    assert_string_equal(kept, "kept");
    free(kept);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_appends),
        cmocka_unit_test(test_reaches_exactly_its_limit),
        cmocka_unit_test(test_errors_stick_until_cleared),
        cmocka_unit_test(test_refuses_sizes_that_overflow),
        cmocka_unit_test(test_is_usable_after_done),
        cmocka_unit_test(test_consumes_from_the_front),
        cmocka_unit_test(test_taken_pointer_is_not_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
