/* SPDX-License-Identifier: MIT */
/* What is written is read back with cJSON, which the writer does not use. */
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

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/utf8.h"
#include "proto/json_check.h"
#include "proto/json_out.h"
#include "vendor/cjson/cJSON.h"

#define MAX (1 << 20)

static void
assert_text(struct buf *buf, const char *want)
{
    assert_int_equal(buf_append(buf, "", 1), 0);
    assert_string_equal(buf->data, want);
    buf_clear(buf);
}

static void
test_structure_and_commas(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf buf;
    struct json_out out;
    buf_init(&buf, MAX);
    json_out_init(&out, &buf);
    json_out_object(&out);
    json_out_key(&out, "a");
    json_out_array(&out);
    json_out_uint(&out, 1);
    json_out_array(&out);
    json_out_array_end(&out);
    json_out_object(&out);
    json_out_object_end(&out);
    json_out_raw(&out, "[2,3]", 5);
    json_out_array_end(&out);
    json_out_kv_string(&out, "b", "x");
    json_out_kv_string(&out, "c", NULL);
    json_out_kv_bool(&out, "d", true);
    json_out_kv_bool(&out, "e", false);
    json_out_kv_null(&out, "f");
    json_out_kv_int(&out, "g", -5);
    json_out_kv_uint(&out, "h", 5);
    json_out_kv_fixed(&out, "i", 0.5, 2);
    json_out_object_end(&out);
    assert_text(&buf, "{\"a\":[1,[],{},[2,3]],\"b\":\"x\",\"c\":null,\"d\":true,\"e\":false,"
                      "\"f\":null,\"g\":-5,\"h\":5,\"i\":0.50}");
}

static void
test_integers_are_what_printf_writes(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf buf;
    struct json_out out;
    buf_init(&buf, MAX);
    srand(4);
    for (int round = 0; round < 20000; round++) {
        uint64_t value = ((uint64_t)random() << 33 ^ (uint64_t)random()) >> (rand() % 64);
        if (round < 300)
            value = (uint64_t)round;
        if (round == 300)
            value = UINT64_MAX;
        if (round == 301)
            value = (uint64_t)INT64_MIN;
        char want[64];
        (void)snprintf(want, sizeof(want), "%" PRIu64, value);
        json_out_init(&out, &buf);
        json_out_uint(&out, value);
        assert_text(&buf, want);
        (void)snprintf(want, sizeof(want), "%" PRId64, (int64_t)value);
        json_out_init(&out, &buf);
        json_out_int(&out, (int64_t)value);
        assert_text(&buf, want);
    }
}

static void
test_fixed(void **state)
{
    (void)state;
    static const struct {
        double value;
        int decimals;
        const char *want;
    } known[] = {
        {0, 0, "0"},
        {0, 1, "0.0"},
        {-0.0, 1, "0.0"},
        {-0.01, 1, "0.0"},
        {-1.25, 2, "-1.25"},
        {0.05, 2, "0.05"},
        {0.999, 1, "1.0"},
        {99.96, 1, "100.0"},
        {1795212345.125, 3, "1795212345.125"},
        {3.7, 0, "4"},
        {1.5, -3, "2"},
        {0.123456789012, 20, "0.123456789"},
        {1e18, 9, "1000000000000000000"},
        {1e15, 6, "1000000000000000.000"},
        {-1e22, 3, "-10000000000000000000000"},
        {NAN, 1, "null"},
        {INFINITY, 1, "null"},
        {-INFINITY, 1, "null"},
    };
    CLEANUP(buf_done) struct buf buf;
    struct json_out out;
    buf_init(&buf, MAX);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        json_out_init(&out, &buf);
        json_out_fixed(&out, known[i].value, known[i].decimals);
        assert_text(&buf, known[i].want);
    }
    json_out_init(&out, &buf);
    json_out_fixed(&out, 1.7976931348623157e308, 2);
    assert_int_equal(buf.len, 309);
}

static void
test_fixed_reads_back_close(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf buf;
    struct json_out out;
    buf_init(&buf, MAX);
    srand(5);
    for (int round = 0; round < 20000; round++) {
        int decimals = rand() % 10;
        double value = ldexp((double)random() - 1e9, rand() % 60 - 40);
        buf_clear(&buf);
        json_out_init(&out, &buf);
        json_out_fixed(&out, value, decimals);
        (void)buf_append(&buf, "", 1);
        double got = strtod(buf.data, NULL);
        double unit = pow(10, -decimals);
        assert_true(fabs(got - value) <= unit * 0.51 + fabs(value) * 1e-15);
    }
}

static void
test_escapes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } known[] = {
        {"", "\"\""},
        {"a\"b\\c/", "\"a\\\"b\\\\c/\""},
        {"\n\t\r\b\f", "\"\\n\\t\\r\\b\\f\""},
        {"\x01\x1b[0m\x7f", "\"\\u0001\\u001b[0m\\u007f\""},
        {"\xC2\x80\xC2\x9F\xC2\xA0", "\"\\u0080\\u009f\xC2\xA0\""},
        {"\xE2\x82\xAC\xF0\x9F\x98\x80", "\"\xE2\x82\xAC\xF0\x9F\x98\x80\""},
        {"\xFFz\xC3", "\"\xEF\xBF\xBDz\xEF\xBF\xBD\""},
        {"\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
    };
    CLEANUP(buf_done) struct buf buf;
    struct json_out out;
    buf_init(&buf, MAX);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        json_out_init(&out, &buf);
        json_out_string(&out, known[i].text);
        assert_text(&buf, known[i].want);
    }
    json_out_init(&out, &buf);
    json_out_string_n(&out, "a\0b", 3);
    assert_text(&buf, "\"a\\u0000b\"");
}

/* The text as the reader must see it: invalid bytes replaced. */
static void
repair(char *out, const char *text, size_t n)
{
    size_t len = 0;
    for (size_t pos = 0; pos < n;) {
        uint32_t character;
        pos += utf8_decode(text + pos, n - pos, &character);
        len += utf8_encode(character, out + len);
    }
    out[len] = '\0';
}

static void
test_random_strings_read_back(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf buf;
    struct json_out out;
    buf_init(&buf, MAX);
    srand(6);
    for (int round = 0; round < 20000; round++) {
        char text[40], want[130];
        size_t n = (size_t)(rand() % 40);
        for (size_t i = 0; i < n; i++)
            text[i] = (char)(rand() % 3 ? 1 + rand() % 255 : 0x20 + rand() % 0x5F);
        buf_clear(&buf);
        json_out_init(&out, &buf);
        json_out_array(&out);
        json_out_string_n(&out, text, n);
        json_out_array_end(&out);
        assert_int_equal(json_check(buf.data, buf.len, 1, NULL, NULL), 0);
        cJSON *root = cJSON_ParseWithLength(buf.data, buf.len);
        assert_non_null(root);
        repair(want, text, n);
        assert_string_equal(cJSON_GetStringValue(cJSON_GetArrayItem(root, 0)), want);
        cJSON_Delete(root);
    }
}

/* At every limit short of the whole text the buffer reports it and stays within its bounds. */
static void
test_limits_stick(void **state)
{
    (void)state;
    for (size_t max = 1; max < 64; max++) {
        CLEANUP(buf_done) struct buf buf;
        struct json_out out;
        buf_init(&buf, max);
        json_out_init(&out, &buf);
        json_out_array(&out);
        json_out_string(&out, "plain");
        json_out_string(&out, "\x01\xFF\"");
        json_out_raw(&out, "12345", 5);
        json_out_null(&out);
        json_out_array_end(&out);
        assert_true(buf.len <= max);
        assert_int_equal(buf.error, max < 34 ? -E2BIG : 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_structure_and_commas),
        cmocka_unit_test(test_integers_are_what_printf_writes),
        cmocka_unit_test(test_fixed),
        cmocka_unit_test(test_fixed_reads_back_close),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_random_strings_read_back),
        cmocka_unit_test(test_limits_stick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
