/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/fmt.h"
#include "common/parse.h"
#include "common/utf8.h"

#define DASH "\xE2\x80\x94"
#define DAY 86400e9

struct known {
    double value;
    const char *want;
};

typedef const char *(*formatter)(char out[FMT_SIZE], double value);

static void
assert_all(formatter format, const struct known *known, size_t count)
{
    char out[FMT_SIZE];
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(format(out, known[i].value), out);
        if (strcmp(out, known[i].want) != 0)
            fail_msg("%.17g: '%s', not '%s'", known[i].value, out, known[i].want);
    }
    assert_string_equal(format(out, NAN), DASH);
    assert_string_equal(format(out, -1), DASH);
}

#define ASSERT_ALL(format, known) assert_all(format, known, sizeof(known) / sizeof(known)[0])

static void
test_durations(void **state)
{
    (void)state;
    static const struct known known[] = {{0, "0"}, {1, "1ns"}, {412, "412ns"}, {999, "999ns"},
        {1000, "1.0\xC2\xB5s"}, {40e3, "40\xC2\xB5s"}, {99.4e3, "99\xC2\xB5s"}, {99.6e3, "0.1ms"},
        {0.8e6, "0.8ms"}, {999.7e3, "1.0ms"}, {9.94e6, "9.9ms"}, {9.96e6, "10ms"}, {12e6, "12ms"},
        {412e6, "412ms"}, {999.4e6, "999ms"}, {999.6e6, "1.0s"}, {2.1e9, "2.1s"}, {31e9, "31s"},
        {59.4e9, "59s"}, {59.6e9, "1m00s"}, {252e9, "4m12s"}, {3599.4e9, "59m59s"},
        {3599.6e9, "1h00m"}, {3 * 3600e9 + 250e9, "3h04m"}, {DAY - 1e9, "23h59m"}, {DAY, "1d00h"},
        {3 * DAY + 4 * 3600e9, "3d04h"}, {100 * DAY - 1e9, "99d23h"}, {100 * DAY, "100d"},
        {9999 * DAY, "9999d"}, {10000 * DAY, "27y"}, {(double)UINT64_MAX, "584y"},
        {INFINITY, DASH}};
    ASSERT_ALL(fmt_duration, known);
}

static void
test_bytes(void **state)
{
    (void)state;
    static const struct known known[] = {{0, "0"}, {1, "1B"}, {999, "999B"}, {1000, "1.0K"},
        {1024, "1.0K"}, {1229, "1.2K"}, {9.96 * 1024, "10K"}, {999.6 * 1024, "1.0M"},
        {1258291, "1.2M"}, {148.0 * (1 << 20), "148M"}, {3.4 * (1 << 30), "3.4G"}, {5e12, "4.5T"},
        {(double)UINT64_MAX, "16E"}};
    ASSERT_ALL(fmt_bytes, known);
}

static void
test_counts(void **state)
{
    (void)state;
    static const struct known known[] = {{0, "0"}, {7, "7"}, {1284, "1284"}, {9999, "9999"},
        {10000, "10.0k"}, {12345, "12.3k"}, {99949, "99.9k"}, {99960, "100k"}, {123456, "123k"},
        {999600, "1.0M"}, {1900000, "1.9M"}, {(double)UINT64_MAX, "18.4E"}};
    ASSERT_ALL(fmt_count, known);
}

static void
test_rates_and_shares(void **state)
{
    (void)state;
    static const struct known rates[] = {{0, "0"}, {0.001, "0.00"}, {0.017, "0.02"}, {0.2, "0.2"},
        {0.0949, "0.09"}, {0.0951, "0.1"}, {9.94, "9.9"}, {9.96, "10"}, {91.3, "91"},
        {999.4, "999"}, {999.6, "1.0k"}, {8100, "8.1k"}, {123456, "123k"}};
    static const struct known shares[] = {{0, "0.0"}, {0.04, "0.0"}, {31.44, "31.4"},
        {98.1, "98.1"}, {99.94, "99.9"}, {99.96, "100"}, {100, "100"}, {312, "312"},
        {1e300, "99999"}};
    ASSERT_ALL(fmt_rate, rates);
    ASSERT_ALL(fmt_pct, shares);
}

/* Over all magnitudes: no wider than the column, and never less for more. */
static void
test_width_and_order(void **state)
{
    (void)state;
    static const formatter formatters[] = {fmt_duration, fmt_bytes, fmt_count, fmt_rate, fmt_pct};
    for (size_t f = 0; f < sizeof(formatters) / sizeof(formatters[0]); f++) {
        double before = 0;
        for (double value = 0.001; value < 1.8e19; value *= 1.003) {
            char out[FMT_SIZE];
            (void)formatters[f](out, value);
            assert_in_range(utf8_width(out, strlen(out)), 1, FMT_WIDTH);
            double read;
            if (f != 0 || value < 1 || strchr(out, 'y') || parse_duration_text(out, &read) < 0)
                continue;
            assert_true(read >= before);
            assert_true(value < 60e9 ? fabs(read - value) <= value * 0.5 : value - read < DAY);
            before = read;
        }
    }
}

static void
test_ascii(void **state)
{
    (void)state;
    char out[FMT_SIZE];
    fmt_set_ascii(true);
    assert_string_equal(fmt_unknown(), "-");
    assert_string_equal(fmt_duration(out, 40e3), "40us");
    assert_string_equal(fmt_count(out, NAN), "-");
    fmt_set_ascii(false);
    assert_string_equal(fmt_count(out, NAN), DASH);
}

static void
test_clean(void **state)
{
    (void)state;
    char out[12];
    assert_string_equal(fmt_clean(out, sizeof(out), "a\x1b[0m\n\x7F"), "a?[0m??");
    assert_string_equal(fmt_clean(out, sizeof(out), "\xC2\x9B\xE2\x80\xAE|"), "??|");
    /* the separators of lines and of paragraphs */
    assert_string_equal(fmt_clean(out, sizeof(out), "\xE2\x80\xA8\xE2\x80\xA9|"), "??|");
    assert_string_equal(fmt_clean(out, sizeof(out), "\xFFz"), "\xEF\xBF\xBDz");
    assert_string_equal(fmt_clean(out, sizeof(out), "12345678901"), "12345678901");
    assert_string_equal(fmt_clean(out, sizeof(out), "123456789012"), "12345678\xE2\x80\xA6");
    assert_string_equal(fmt_clean(out, 1, "abc"), "");
    assert_ptr_equal(fmt_clean(out, 0, "abc"), out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_rates_and_shares),
        cmocka_unit_test(test_width_and_order),
        cmocka_unit_test(test_ascii),
        cmocka_unit_test(test_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
