/* SPDX-License-Identifier: MIT */
/* A line being typed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/screen/keys.h"
#include "client/widget/line_edit.h"

static struct line_edit edit;
static struct line_history history;

static void
type(const char *text)
{
    for (; *text; text++)
        assert_true(line_edit_key(&edit, (unsigned char)*text));
}

static void
typing_and_moving(void **state)
{
    (void)state;
    line_edit_init(&edit, "", 64, NULL);
    type("abc");
    line_edit_key(&edit, KEYS_LEFT);
    line_edit_key(&edit, 0x6F22); /* 漢 */
    assert_string_equal(edit.text, "ab漢c");
    line_edit_key(&edit, KEYS_BACKSPACE);
    assert_string_equal(edit.text, "abc");
    line_edit_key(&edit, KEYS_HOME);
    line_edit_key(&edit, KEYS_BACKSPACE);
    line_edit_key(&edit, KEYS_LEFT);
    line_edit_key(&edit, KEYS_DELETE);
    assert_string_equal(edit.text, "bc");
    line_edit_key(&edit, KEYS_END);
    line_edit_key(&edit, KEYS_RIGHT);
    line_edit_key(&edit, KEYS_DELETE);
    type(" def  ");
    line_edit_key(&edit, KEYS_CTRL('w'));
    assert_string_equal(edit.text, "bc ");
    line_edit_key(&edit, KEYS_CTRL('u'));
    assert_string_equal(edit.text, "");
    line_edit_key(&edit, KEYS_CTRL('w'));
    line_edit_key(&edit, KEYS_CTRL('k'));
    assert_int_equal(edit.len, 0);
}

static void
other_keys_are_not_taken(void **state)
{
    (void)state;
    line_edit_init(&edit, "", 64, NULL);
    assert_false(line_edit_key(&edit, KEYS_ENTER));
    assert_false(line_edit_key(&edit, KEYS_ESCAPE));
    assert_false(line_edit_key(&edit, KEYS_F1));
    assert_false(line_edit_key(&edit, 0x9B)); /* a control character */
    assert_int_equal(edit.len, 0);
}

static void
the_bound_holds(void **state)
{
    (void)state;
    line_edit_init(&edit, "漢漢", 6, NULL); /* five bytes: one of them fits */
    assert_string_equal(edit.text, "漢");
    type("ab");
    assert_string_equal(edit.text, "漢ab");
    type("c");
    line_edit_key(&edit, 0x6F22);
    assert_string_equal(edit.text, "漢ab");
}

static void
lines_of_before(void **state)
{
    (void)state;
    memset(&history, 0, sizeof history);
    line_edit_init(&edit, "first", 64, &history);
    line_edit_remember(&edit);
    line_edit_remember(&edit); /* the same again is not kept twice */
    line_edit_init(&edit, "second", 64, &history);
    line_edit_remember(&edit);
    assert_int_equal(history.count, 2);
    line_edit_init(&edit, "typed", 64, &history);
    line_edit_key(&edit, KEYS_UP);
    assert_string_equal(edit.text, "second");
    line_edit_key(&edit, KEYS_UP);
    line_edit_key(&edit, KEYS_UP);
    assert_string_equal(edit.text, "first");
    line_edit_key(&edit, KEYS_DOWN);
    line_edit_key(&edit, KEYS_DOWN);
    line_edit_key(&edit, KEYS_DOWN);
    assert_string_equal(edit.text, "typed");
    for (int i = 0; i < 2 * LINE_EDIT_HISTORY; i++) {
        snprintf(edit.text, sizeof edit.text, "%d", i);
        edit.len = strlen(edit.text);
        line_edit_remember(&edit);
    }
    assert_int_equal(history.count, LINE_EDIT_HISTORY);
    assert_string_equal(history.lines[0], "63");
}

static void
the_cursor_is_seen(void **state)
{
    struct surface surface;

    (void)state;
    assert_int_equal(surface_init(&surface, 10, 1, false), 0);
    line_edit_init(&edit, "0123456789abcdef", 64, NULL);
    assert_int_equal(line_edit_draw(&edit, &surface, 2, 0, 8, ROLE_DEFAULT), 9);
    assert_string_equal(surface_at(&surface, 8, 0)->text, "f");
    line_edit_key(&edit, KEYS_HOME);
    assert_int_equal(line_edit_draw(&edit, &surface, 2, 0, 8, ROLE_DEFAULT), 2);
    assert_string_equal(surface_at(&surface, 2, 0)->text, "0");
    surface_done(&surface);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(typing_and_moving),
        cmocka_unit_test(other_keys_are_not_taken),
        cmocka_unit_test(the_bound_holds),
        cmocka_unit_test(lines_of_before),
        cmocka_unit_test(the_cursor_is_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
