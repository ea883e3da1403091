/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "looptop/limits.h"
#include "looptop/protocol.h"
#include "proto/rpc.h"
#include "vendor/cjson/cJSON.h"

#define HEAD "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\""

static struct rpc_request
parsed(const char *line)
{
    struct rpc_request request;
    struct rpc_error error = {0};
    assert_int_equal(rpc_parse(line, strlen(line), &request, &error), 0);
    assert_non_null(request.root);
    return request;
}

static void
test_parses_a_request(void **state)
{
    (void)state;
    struct rpc_request r = parsed(
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tasks\",\"params\":{\"a\":1},\"more\":[]}\r");
    assert_string_equal(r.id, "7");
    assert_string_equal(r.method, "tasks");
    assert_false(r.notification);
    assert_non_null(r.params);
    rpc_request_done(&r);
    assert_null(r.root);
    rpc_request_done(&r);
    rpc_request_done(NULL);
}

static void
test_echoes_ids_as_written(void **state)
{
    (void)state;
    static const char *const ids[] = {
        "0",
        "-1",
        "1.5",
        "12345678901234567890",
        "1e3",
        "\"\"",
        "\"a\\u00e9\\\"\"",
        "null",
    };
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        char line[160];
        (void)snprintf(
            line, sizeof(line), "{\"id\": %s ,\"jsonrpc\":\"2.0\",\"method\":\"m\"}", ids[i]);
        struct rpc_request r = parsed(line);
        assert_string_equal(r.id, ids[i]);
        assert_false(r.notification);
        rpc_request_done(&r);
    }
}

static void
test_tells_notifications(void **state)
{
    (void)state;
    struct rpc_request r = parsed("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":null}");
    assert_true(r.notification);
    assert_string_equal(r.id, "null");
    assert_null(r.params);
    rpc_request_done(&r);
}

static void
test_refuses_with_the_code_that_fits(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int code;
        const char *id;
    } known[] = {
        {"", LOOPTOP_ERR_PARSE, "null"},
        {"{", LOOPTOP_ERR_PARSE, "null"},
        {HEAD "} x", LOOPTOP_ERR_PARSE, "null"},
        {HEAD ",\"x\":\"\xFF\"}", LOOPTOP_ERR_PARSE, "null"},
        {HEAD ",\"x\":\"\\u0000\"}", LOOPTOP_ERR_PARSE, "null"},
        {HEAD ",\"x\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}", LOOPTOP_ERR_PARSE, "null"},
        {"[]", LOOPTOP_ERR_REQUEST, "null"},
        {"[" HEAD "}]", LOOPTOP_ERR_REQUEST, "null"},
        {"1", LOOPTOP_ERR_REQUEST, "null"},
        {"{}", LOOPTOP_ERR_REQUEST, "null"},
        {"{\"jsonrpc\":\"2.0\",\"id\":3}", LOOPTOP_ERR_REQUEST, "3"},
        {"{\"jsonrpc\":\"1.0\",\"id\":3,\"method\":\"m\"}", LOOPTOP_ERR_REQUEST, "3"},
        {"{\"jsonrpc\":2.0,\"id\":3,\"method\":\"m\"}", LOOPTOP_ERR_REQUEST, "3"},
        {"{\"id\":\"x\",\"method\":\"m\"}", LOOPTOP_ERR_REQUEST, "\"x\""},
        {"{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":5}", LOOPTOP_ERR_REQUEST, "3"},
        {"{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"\"}", LOOPTOP_ERR_REQUEST, "3"},
        {"{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"0123456789012345678901234567890123\"}",
            LOOPTOP_ERR_METHOD, "3"},
        {"{\"jsonrpc\":\"2.0\",\"id\":[3],\"method\":\"m\"}", LOOPTOP_ERR_REQUEST, "null"},
        {"{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"m\"}", LOOPTOP_ERR_REQUEST, "null"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1e999,\"method\":\"m\"}", LOOPTOP_ERR_REQUEST, "null"},
        {"{\"jsonrpc\":\"2.0\",\"\\u0069d\":1,\"method\":\"m\"}", LOOPTOP_ERR_REQUEST, "null"},
        {"{\"jsonrpc\":\"2.0\",\"\\u0069d\":1,\"id\":[],\"method\":\"m\"}", LOOPTOP_ERR_REQUEST,
            "null"},
        {HEAD ",\"params\":[1]}", LOOPTOP_ERR_PARAMS, "1"},
        {HEAD ",\"params\":3}", LOOPTOP_ERR_PARAMS, "1"},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        struct rpc_request r;
        struct rpc_error error = {0};
        const char *line = known[i].line;
        assert_int_equal(rpc_parse(line, strlen(line), &r, &error), -EBADMSG);
        assert_int_equal(error.code, known[i].code);
        assert_string_equal(r.id, known[i].id);
        assert_null(r.root);
        assert_true(strlen(error.message) > 0);
    }
}

static void
test_bounds_the_id(void **state)
{
    (void)state;
    char line[200], id[100];
    struct rpc_error error = {0};
    memset(id, 'x', sizeof(id));
    for (int n = RPC_ID_MAX - 4; n < RPC_ID_MAX + 4; n++) {
        struct rpc_request r;
        (void)snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":\"%.*s\",\"method\":\"m\"}",
            n - 2, id);
        int got = rpc_parse(line, strlen(line), &r, &error);
        assert_int_equal(got, n < RPC_ID_MAX ? 0 : -EBADMSG);
        rpc_request_done(&r);
    }
    assert_int_equal(error.code, LOOPTOP_ERR_REQUEST);
}

/* A line and its newline take at most LOOPTOP_REQUEST_MAX bytes. */
static void
test_bounds_the_size(void **state)
{
    (void)state;
    static char line[LOOPTOP_REQUEST_MAX];
    struct rpc_request r;
    struct rpc_error error = {0};
    memset(line, ' ', sizeof(line));
    memcpy(line, HEAD "}", strlen(HEAD "}"));
    assert_int_equal(rpc_parse(line, sizeof(line) - 1, &r, &error), 0);
    rpc_request_done(&r);
    assert_int_equal(rpc_parse(line, sizeof(line), &r, &error), -EBADMSG);
    assert_int_equal(error.code, LOOPTOP_ERR_TOO_BIG);
}

static void
test_first_of_two_keys_wins(void **state)
{
    (void)state;
    struct rpc_error error = {0};
    uint64_t value = 0;
    struct rpc_request r = parsed("{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"a\","
                                  "\"method\":\"b\",\"params\":{\"n\":3,\"n\":4}}");
    assert_string_equal(r.id, "1");
    assert_string_equal(r.method, "a");
    assert_int_equal(rpc_param_uint(&r, "n", 0, 9, 0, &value, &error), 0);
    assert_int_equal(value, 3);
    rpc_request_done(&r);
}

static void
test_params(void **state)
{
    (void)state;
    struct rpc_error error = {0};
    struct rpc_request r = parsed(
        HEAD ",\"params\":{\"s\":\"abc\",\"u\":7,\"big\":9007199254740992,\"b\":true,\"n\":null}}");
    const char *s = NULL;
    uint64_t u = 0;
    bool b = false;
    assert_int_equal(rpc_param_string(&r, "s", 3, "f", &s, &error), 0);
    assert_string_equal(s, "abc");
    assert_int_equal(rpc_param_string(&r, "n", 3, "f", &s, &error), 0);
    assert_string_equal(s, "f");
    assert_int_equal(rpc_param_string(&r, "absent", 3, NULL, &s, &error), 0);
    assert_null(s);
    assert_int_equal(rpc_param_uint(&r, "u", 7, 7, 1, &u, &error), 0);
    assert_int_equal(u, 7);
    assert_int_equal(rpc_param_uint(&r, "big", 0, UINT64_MAX, 1, &u, &error), 0);
    assert_true(u == 1ull << 53);
    assert_int_equal(rpc_param_uint(&r, "absent", 5, 7, 1, &u, &error), 0);
    assert_int_equal(u, 1);
    assert_int_equal(rpc_param_bool(&r, "b", false, &b, &error), 0);
    assert_true(b);
    assert_int_equal(rpc_param_bool(&r, "n", false, &b, &error), 0);
    assert_false(b);
    assert_int_equal(error.code, 0);
    rpc_request_done(&r);
}

static void
test_params_of_a_wrong_type(void **state)
{
    (void)state;
    static const char *const values[] = {
        "-1",
        "1.5",
        "1e300",
        "9007199254740994",
        "\"1\"",
        "[1]",
        "{}",
        "true",
        "10",
    };
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char line[120];
        struct rpc_error error = {0};
        uint64_t u = 42;
        (void)snprintf(line, sizeof(line), HEAD ",\"params\":{\"limit\":%s}}", values[i]);
        struct rpc_request r = parsed(line);
        assert_int_equal(rpc_param_uint(&r, "limit", 0, 9, 0, &u, &error), -EINVAL);
        assert_int_equal(u, 42);
        assert_int_equal(error.code, LOOPTOP_ERR_PARAMS);
        assert_string_equal(error.field, "limit");
        assert_string_equal(error.message, "limit must be a whole number from 0 to 9");
        rpc_request_done(&r);
    }
    struct rpc_request r = parsed(HEAD ",\"params\":{\"s\":\"abcd\",\"n\":1}}");
    struct rpc_error error = {0};
    const char *s = NULL;
    bool b = false;
    assert_int_equal(rpc_param_string(&r, "s", 3, NULL, &s, &error), -EINVAL);
    assert_string_equal(error.message, "s must be at most 3 bytes");
    assert_int_equal(rpc_param_string(&r, "n", 3, NULL, &s, &error), -EINVAL);
    assert_int_equal(rpc_param_bool(&r, "n", false, &b, &error), -EINVAL);
    assert_string_equal(error.field, "n");
    assert_null(s);
    rpc_request_done(&r);
}

static void
test_arrays_of_numbers(void **state)
{
    (void)state;
    struct rpc_error error = {0};
    uint64_t values[4] = {9, 9, 9, 9};
    size_t count = 99;
    struct rpc_request r = parsed(HEAD ",\"params\":{\"a\":[1,2,3],\"one\":5,\"none\":[],"
                                       "\"long\":[1,2,3,4,5],\"bad\":[1,\"2\"],\"text\":\"1\"}}");
    assert_int_equal(rpc_param_uints(&r, "a", 3, values, &count, &error), 0);
    assert_int_equal(count, 3);
    assert_int_equal(values[0] * 100 + values[1] * 10 + values[2], 123);
    assert_int_equal(values[3], 9);
    assert_int_equal(rpc_param_uints(&r, "one", 4, values, &count, &error), 0);
    assert_int_equal(count, 1);
    assert_int_equal(values[0], 5);
    assert_int_equal(rpc_param_uints(&r, "none", 4, values, &count, &error), 0);
    assert_int_equal(count, 0);
    assert_int_equal(rpc_param_uints(&r, "absent", 4, values, &count, &error), 0);
    assert_int_equal(count, 0);
    count = 77;
    assert_int_equal(rpc_param_uints(&r, "long", 4, values, &count, &error), -EINVAL);
    assert_int_equal(rpc_param_uints(&r, "bad", 4, values, &count, &error), -EINVAL);
    assert_int_equal(rpc_param_uints(&r, "text", 4, values, &count, &error), -EINVAL);
    assert_int_equal(count, 77);
    assert_int_equal(values[0], 5);
    rpc_request_done(&r);
}

static void
test_object_as_a_request_of_its_own(void **state)
{
    (void)state;
    struct rpc_error error = {0};
    struct rpc_request inner;
    bool present = false;
    uint64_t u = 0;
    struct rpc_request r = parsed(HEAD ",\"params\":{\"tasks\":{\"limit\":4},\"n\":1}}");
    assert_int_equal(rpc_param_object(&r, "tasks", &inner, &present, &error), 0);
    assert_true(present);
    assert_string_equal(inner.id, "1");
    assert_null(inner.root);
    assert_int_equal(rpc_param_uint(&inner, "limit", 0, 9, 0, &u, &error), 0);
    assert_int_equal(u, 4);
    assert_int_equal(rpc_param_object(&r, "n", &inner, &present, &error), -EINVAL);
    assert_int_equal(rpc_param_object(&r, "absent", &inner, &present, &error), 0);
    assert_false(present);
    rpc_request_done(&r);
    r = parsed(HEAD "}");
    assert_int_equal(rpc_param_object(&r, "tasks", &inner, &present, &error), 0);
    assert_false(present);
    rpc_request_done(&r);
}

/* The host's locale may have a decimal comma; neither reading nor writing follows it. */
static void
test_decimal_comma_of_the_locale(void **state)
{
    (void)state;
    static const char *const locales[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "fr_FR"};
    bool set = false;
    for (size_t i = 0; i < sizeof(locales) / sizeof(locales[0]) && !set; i++)
        set = setlocale(LC_ALL, locales[i]) && localeconv()->decimal_point[0] == ',';
    if (!set)
        skip();
    struct rpc_request r = parsed("{\"id\":1.5,\"jsonrpc\":\"2.0\",\"method\":\"m\","
                                  "\"params\":{\"n\":2.0}}");
    struct rpc_error error = {0};
    uint64_t value = 0;
    assert_int_equal(rpc_param_uint(&r, "n", 0, 9, 0, &value, &error), 0);
    assert_int_equal(value, 2);
    assert_int_equal(localeconv()->decimal_point[0], ',');
    rpc_request_done(&r);
    CLEANUP(buf_done) struct buf buf;
    struct json_out out;
    buf_init(&buf, 100);
    json_out_init(&out, &buf);
    json_out_fixed(&out, 2.5, 1);
    assert_memory_equal(buf.data, "2.5", 3);
    (void)setlocale(LC_ALL, "C");
}

static void
assert_text(struct buf *buf, const char *want)
{
    assert_int_equal(buf_append(buf, "", 1), 0);
    assert_string_equal(buf->data, want);
    buf_clear(buf);
}

static void
test_frames(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf buf;
    struct json_out out;
    struct rpc_error error;
    buf_init(&buf, 1000);
    rpc_result_begin(&buf, "\"x\"");
    json_out_init(&out, &buf);
    json_out_uint(&out, 5);
    rpc_result_end(&buf);
    assert_text(&buf, "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":5}\n");
    rpc_notification_begin(&buf, "update");
    json_out_init(&out, &buf);
    json_out_null(&out);
    rpc_result_end(&buf);
    assert_text(&buf, "{\"jsonrpc\":\"2.0\",\"method\":\"update\",\"params\":null}\n");
    rpc_error_set(&error, LOOPTOP_ERR_METHOD, "no \"%s\"", "x\n\x7F");
    rpc_error_write(&buf, "3", &error);
    assert_text(&buf, "{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":-32601,"
                      "\"message\":\"no \\\"x  \\\"\"}}\n");
    error.column = 4;
    (void)strcpy(error.field, "filter");
    error.message[0] = '\0';
    rpc_error_write(&buf, "null", &error);
    assert_text(&buf,
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32601,\"message\":\"\","
        "\"data\":{\"field\":\"filter\",\"column\":4}}}\n");
}

static void
test_long_messages_end_whole(void **state)
{
    (void)state;
    struct rpc_error error;
    char text[400];
    for (size_t i = 0; i + 2 < sizeof(text); i += 2)
        memcpy(text + i, "\xC3\xA9", 2);
    text[398] = '\0';
    rpc_error_set(&error, 1, "%s%s", "", text);
    size_t n = strlen(error.message);
    assert_true(n >= sizeof(error.message) - 5);
    assert_memory_equal(error.message + n - 3, "\xE2\x80\xA6", 3);
    assert_int_equal((unsigned char)error.message[n - 4], 0xA9);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parses_a_request),
        cmocka_unit_test(test_echoes_ids_as_written),
        cmocka_unit_test(test_tells_notifications),
        cmocka_unit_test(test_refuses_with_the_code_that_fits),
        cmocka_unit_test(test_bounds_the_id),
        cmocka_unit_test(test_bounds_the_size),
        cmocka_unit_test(test_first_of_two_keys_wins),
        cmocka_unit_test(test_params),
        cmocka_unit_test(test_params_of_a_wrong_type),
        cmocka_unit_test(test_arrays_of_numbers),
        cmocka_unit_test(test_object_as_a_request_of_its_own),
        cmocka_unit_test(test_decimal_comma_of_the_locale),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_long_messages_end_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
