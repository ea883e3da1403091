/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "proto/json_check.h"

static int
check(const char *text)
{
    return json_check(text, strlen(text), 3, NULL, NULL);
}

static void
test_takes_json(void **state)
{
    (void)state;
    static const char *const valid[] = {
        "0",
        "-0",
        "12",
        "-1.5",
        "0.25e+10",
        "1E5",
        "1e-5",
        "true",
        "false",
        "null",
        "\"\"",
        " [ ] ",
        "{}",
        "[1,2 ,3]",
        "{\"a\":1, \"a\" : [{}]}",
        "\t\r\n1\n",
        "[[[]]]",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
        "\"\\ud83d\\uDE00\"",
        "\"\xC3\xA9\x7F\"",
    };
    for (size_t i = 0; i < sizeof(valid) / sizeof(valid[0]); i++)
        assert_int_equal(check(valid[i]), 0);
}

static void
test_refuses_what_is_not_json(void **state)
{
    (void)state;
    static const char *const invalid[] = {
        "",
        " ",
        "01",
        "-",
        "+1",
        ".5",
        "1.",
        "1e",
        "1e+",
        "0x10",
        "nan",
        "Infinity",
        "tru",
        "truex",
        "nul",
        "'a'",
        "\"",
        "\"\\",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"a\nb\"",
        "[",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "{\"a\" 1}",
        "[}",
        "{]",
        "1 2",
        "{} x",
        "[1]]",
        "\x01",
        "/**/1",
        "\xEF\xBB\xBF{}",
        "\xC3\xA9",
    };
    for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
        assert_int_equal(check(invalid[i]), -EBADMSG);
    assert_int_equal(json_check("1\0", 2, 3, NULL, NULL), -EBADMSG);
    assert_int_equal(json_check("\"a\0\"", 4, 3, NULL, NULL), -EBADMSG);
    assert_int_equal(json_check("\"\\\0\"", 4, 3, NULL, NULL), -EBADMSG);
}

static void
test_refuses_text_that_no_c_string_holds(void **state)
{
    (void)state;
    static const char *const invalid[] = {
        "\"\xFF\"",
        "\"\xC3\"",
        "\"\xED\xA0\x80\"",
        "\"a\\u0000\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\\ud800x\"",
        "{\"\\u0000\":1}",
    };
    for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
        assert_int_equal(check(invalid[i]), -EILSEQ);
}

static void
test_bounds_depth(void **state)
{
    (void)state;
    assert_int_equal(check("[[[1]]]"), 0);
    assert_int_equal(check("[[[[]]]]"), -ELOOP);
    assert_int_equal(check("{\"a\":[{\"b\":{}}]}"), -ELOOP);
    assert_int_equal(check("[[[]],[[]],\"[[[[\"]"), 0);
    assert_int_equal(json_check("1", 1, 0, NULL, NULL), 0);
    assert_int_equal(json_check("[]", 2, 0, NULL, NULL), -ELOOP);
    static char deep[1 << 20];
    memset(deep, '[', sizeof(deep));
    assert_int_equal(json_check(deep, sizeof(deep), 64, NULL, NULL), -ELOOP);
}

static void
assert_member(const char *text, const char *want)
{
    struct json_span span = {(const char *)1, 7};
    assert_int_equal(json_check(text, strlen(text), 4, "id", &span), 0);
    if (!want) {
        assert_null(span.text);
        return;
    }
    assert_int_equal(span.n, strlen(want));
    assert_memory_equal(span.text, want, span.n);
}

static void
test_finds_the_outermost_member(void **state)
{
    (void)state;
    assert_member("{\"id\" :  12 ,\"x\":1}", "12");
    assert_member("{\"x\":{\"id\":1},\"id\":\"a\\\"b\"}", "\"a\\\"b\"");
    assert_member("{\"id\":1,\"id\":2}", "1");
    assert_member("{\"id\":{\"id\":2}}", "{\"id\":2}");
    assert_member("{\"idx\":1,\"i\":2,\"x\":\"id\"}", NULL);
    assert_member("[{\"id\":1}]", NULL);
    assert_member("\"id\"", NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_json),
        cmocka_unit_test(test_refuses_what_is_not_json),
        cmocka_unit_test(test_refuses_text_that_no_c_string_holds),
        cmocka_unit_test(test_bounds_depth),
        cmocka_unit_test(test_finds_the_outermost_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
