/* SPDX-License-Identifier: MIT */
/* LINK: src/agent/names.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "agent/names.h"

static uint32_t
string(const char *text)
{
    return names_string(text, strlen(text));
}

static void
test_the_same_text_is_one_number(void **state)
{
    (void)state;
    uint32_t a = string("worker"), b = string("worke"), c = string("");
    assert_true(a != 0 && b != 0 && c != 0 && a != b);
    assert_int_equal(string("worker"), a);
    assert_string_equal(names_text(a), "worker");
    assert_string_equal(names_text(c), "");
    assert_null(names_text(0));
    assert_null(names_text(names_string_count()));
}

static void
test_a_long_text_is_cut_between_characters(void **state)
{
    char text[NAMES_STRING_MAX * 2];
    (void)state;
    for (size_t i = 0; i + 1 < sizeof text; i += 2)
        memcpy(text + i, "\xC3\xA9", 2);
    const char *kept = names_text(names_string(text, sizeof text));
    size_t n = strlen(kept);
    assert_true(n < NAMES_STRING_MAX && n > NAMES_STRING_MAX - 3 && n % 2 == 0);
}

static void
test_places(void **state)
{
    (void)state;
    uint32_t file = string("a.py"), function = string("f");
    uint32_t site = names_site(file, function, 7);
    assert_int_equal(names_site(file, function, 7), site);
    assert_true(names_site(file, function, 8) != site);
    assert_int_equal(names_place(site).line, 7);
    assert_int_equal(names_place(site).file, file);
    assert_int_equal(names_place(0).file, 0);
    assert_int_equal(names_place(names_site_count()).line, 0);
}

/* Full is full: what is there stays, what is new is "not known". Last, since it stays full. */
static void
test_a_full_table_knows_no_more(void **state)
{
    char text[32];
    (void)state;
    uint32_t worker = string("worker");
    for (int i = 0; i < NAMES_STRINGS_MAX + 10; i++) {
        (void)snprintf(text, sizeof text, "text %d", i);
        (void)string(text);
    }
    assert_int_equal(string("never seen before"), NAMES_FULL);
    assert_string_equal(names_text(NAMES_FULL), "(too many names)");
    assert_int_equal(string("worker"), worker);
    for (uint32_t i = 0; i < NAMES_SITES_MAX + 10; i++)
        (void)names_site(1, 1, 1000 + i);
    assert_int_equal(names_site(2, 2, 2), 0);
    assert_true(names_bytes() < 4u << 20);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_text_is_one_number),
        cmocka_unit_test(test_a_long_text_is_cut_between_characters),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_a_full_table_knows_no_more),
    };
    if (names_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
