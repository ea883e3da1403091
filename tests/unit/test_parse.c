/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/parse.h"

static void
test_whole_numbers(void **state)
{
    (void)state;
    uint64_t value = 42;
    assert_int_equal(parse_uint_text("0", 0, 9, &value), 0);
    assert_int_equal(value, 0);
    assert_int_equal(parse_uint_text("007", 0, 9, &value), 0);
    assert_int_equal(value, 7);
    assert_int_equal(parse_uint_text("18446744073709551615", 0, UINT64_MAX, &value), 0);
    assert_true(value == UINT64_MAX);
    assert_int_equal(parse_uint("123", 2, 0, 99, &value), 0);
    assert_int_equal(value, 12);
    static const char *const invalid[] = {
        "", " 1", "1 ", "+1", "-1", "0x1", "1.0", "1e3", "a", "1a", "\xD9\xA1"};
    for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
        assert_int_equal(parse_uint_text(invalid[i], 0, UINT64_MAX, &value), -EINVAL);
    assert_int_equal(parse_uint_text(NULL, 0, 9, &value), -EINVAL);
    assert_int_equal(parse_uint_text("4", 5, 9, &value), -ERANGE);
    assert_int_equal(parse_uint_text("10", 5, 9, &value), -ERANGE);
    static const char *const over[] = {"18446744073709551616", "99999999999999999999",
        "184467440737095516150", "36893488147419103232",
        "99999999999999999999999999999999999999999"};
    for (size_t i = 0; i < sizeof(over) / sizeof(over[0]); i++)
        assert_int_equal(parse_uint_text(over[i], 0, UINT64_MAX, &value), -ERANGE);
    assert_int_equal(value, 12);
}

static void
test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double want;
    } known[] = {{"0", 0}, {"12", 12}, {"0.5", 0.5}, {".5", 0.5}, {"98.1", 98.1},
        {"0.00000000000000000000000000001", 0}, {"1.99999999999999999999999", 2}};
    double value;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        assert_int_equal(parse_number(known[i].text, strlen(known[i].text), &value), 0);
        assert_true(fabs(value - known[i].want) < 1e-12);
    }
    static const char *const invalid[] = {
        "", ".", "1.", "1..2", "1.2.3", "-1", "+1", "1e3", " 1", "1 ", "nan", "inf", "1,5", "0x1"};
    value = 42;
    for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
        assert_int_equal(parse_number(invalid[i], strlen(invalid[i]), &value), -EINVAL);
    char long_number[500];
    memset(long_number, '9', sizeof(long_number));
    assert_int_equal(parse_number(long_number, sizeof(long_number), &value), -ERANGE);
    assert_true(value == 42);
}

static void
test_numbers_are_those_of_strtod(void **state)
{
    (void)state;
    srand(10);
    for (int round = 0; round < 20000; round++) {
        char text[64];
        double value;
        (void)snprintf(text, sizeof(text), "%ld.%0*ld", random() >> (rand() % 31), 1 + rand() % 12,
            random() >> (rand() % 31));
        assert_int_equal(parse_number(text, strlen(text), &value), 0);
        double want = strtod(text, NULL);
        assert_true(fabs(value - want) <= want * 1e-15);
    }
}

static void
test_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double want;
    } known[] = {{"0", 0}, {"2", 2e9}, {"0.5", 0.5e9}, {"3ns", 3}, {"40us", 40e3},
        {"40\xC2\xB5s", 40e3}, {"40\xCE\xBCs", 40e3}, {"1.5ms", 1.5e6}, {"30s", 30e9},
        {"5m", 300e9}, {"1h", 3600e9}, {"2D", 2 * 86400e9}, {"3h04m", 3 * 3600e9 + 240e9},
        {"1M30S", 90e9}, {"3d04h", 3 * 86400e9 + 4 * 3600e9}};
    double value;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        assert_int_equal(parse_duration_text(known[i].text, &value), 0);
        assert_true(fabs(value - known[i].want) < 0.5);
    }
    static const char *const invalid[] = {"", "s", "-1s", "1 s", "1x", "1sx", "1.s", "3h04", "ms",
        "1mss", " 1s", "1s ", "\xC2\xB5s", "1\xC2", "inf"};
    value = 42;
    for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
        assert_int_equal(parse_duration_text(invalid[i], &value), -EINVAL);
    assert_int_equal(parse_duration_text(NULL, &value), -EINVAL);
    assert_int_equal(parse_duration_text("200000d", &value), -ERANGE);
    assert_int_equal(parse_duration_text("90000d90000d", &value), -ERANGE);
    assert_true(value == 42);
    assert_int_equal(parse_duration("5ms", 2, &value), 0);
    assert_true(value == 300e9);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_numbers),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_numbers_are_those_of_strtod),
        cmocka_unit_test(test_durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
