/* SPDX-License-Identifier: MIT */
/* The cell grid: what may reach a terminal, wide glyphs, cutting, clipping, dumps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/screen/surface.h"
#include "client/screen/surface_dump.h"
#include "common/buf.h"

static struct surface surface;

static void
make(int cols, int rows, bool ascii)
{
    surface_done(&surface);
    assert_int_equal(surface_init(&surface, cols, rows, ascii), 0);
}

static void
expect(const char *text)
{
    struct buf buf;

    buf_init(&buf, 1 << 16);
    surface_dump(&surface, &buf);
    assert_int_equal(buf_append(&buf, "", 1), 0);
    assert_string_equal(buf.data, text);
    buf_done(&buf);
}

static void
hostile_text_is_shown_not_obeyed(void **state)
{
    (void)state;
    make(40, 1, false);
    surface_put(
        &surface, 0, 0, ROLE_DEFAULT, "a\x1b[31m\r\n\t\x07\x7f|\xc2\x9b|\xe2\x80\xae|\xff|");
    expect("a\uFFFD[31m\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD|\uFFFD|\uFFFD|\uFFFD|\n");
    make(40, 1, false);
    surface_put(
        &surface, 0, 0, ROLE_DEFAULT, "x\xe2\x80\x8b\xef\xbb\xbfy"); /* invisible: dropped */
    expect("xy\n");
}

static void
marks_are_bounded(void **state)
{
    (void)state;
    make(8, 1, false);
    assert_int_equal(
        surface_put(&surface, 0, 0, ROLE_DEFAULT, "e\u0301\u0301\u0301\u0301\u0301z"), 2);
    assert_string_equal(surface_at(&surface, 0, 0)->text, "e\u0301\u0301");
    assert_string_equal(surface_at(&surface, 1, 0)->text, "z");
    surface_put(&surface, 0, 0, ROLE_DEFAULT, "\u0301");
    assert_string_equal(surface_at(&surface, 0, 0)->text, "\uFFFD"); /* on nothing */
}

static void
ascii_has_forms(void **state)
{
    (void)state;
    make(40, 1, true);
    surface_put(&surface, 0, 0, ROLE_DEFAULT, "▶◇…≥—▁█│漢é\u0301x");
    expect(">.~>-_#|??x\n");
}

static void
wide_glyphs_keep_their_halves(void **state)
{
    (void)state;
    make(5, 1, false);
    assert_int_equal(surface_put(&surface, 0, 0, ROLE_DEFAULT, "漢字x"), 5);
    expect("漢字x\n");
    assert_int_equal(surface_at(&surface, 1, 0)->width, 0);
    surface_put(&surface, 1, 0, ROLE_DEFAULT, "a"); /* over the right half */
    expect(" a字x\n");
    surface_put(&surface, 2, 0, ROLE_DEFAULT, "b"); /* over the left half */
    expect(" ab x\n");
    surface_put(&surface, 4, 0, ROLE_DEFAULT, "漢"); /* does not fit */
    expect(" ab\n");
}

static void
texts_are_cut(void **state)
{
    (void)state;
    make(8, 1, false);
    assert_int_equal(surface_fit(&surface, 0, 0, 4, FIT_START, ROLE_DEFAULT, "abcdef"), 4);
    expect("abc…\n");
    surface_fit(&surface, 0, 0, 4, FIT_END, ROLE_DEFAULT, "abcdef");
    expect("…def\n");
    surface_fit(&surface, 0, 0, 4, FIT_START, ROLE_DEFAULT, "abcd");
    expect("abcd\n");
    make(8, 1, false);
    surface_fit(&surface, 0, 0, 6, FIT_RIGHT, ROLE_DEFAULT, "12s");
    expect("   12s\n");
    make(8, 1, false);
    surface_fit(&surface, 0, 0, 4, FIT_START, ROLE_DEFAULT, "漢字漢字"); /* a half is a blank */
    expect("漢…\n");
    make(8, 1, false);
    surface_fit(&surface, 0, 0, 4, FIT_END, ROLE_DEFAULT, "漢字漢字");
    expect("…字\n");
    make(16, 1, false);
    surface_fit(&surface, 0, 0, 16, FIT_MIDDLE, ROLE_DEFAULT, "request-7512/very-slow");
    expect("request-75…-slow\n");
    surface_fit(&surface, 0, 0, 16, FIT_MIDDLE, ROLE_DEFAULT, "漢字漢字漢字漢字x");
    expect("漢字漢字漢…漢字x\n");
    make(3, 1, false);
    surface_fit(&surface, 0, 0, 1, FIT_MIDDLE, ROLE_DEFAULT, "abc");
    surface_fit(&surface, 1, 0, 2, FIT_MIDDLE, ROLE_DEFAULT, "abc");
    expect("…a…\n");
    assert_int_equal(surface_fit(&surface, 3, 0, 0, FIT_START, ROLE_DEFAULT, "abc"), 3);
}

static void
clips_nest(void **state)
{
    (void)state;
    make(6, 3, false);
    struct rect former = surface_clip(&surface, (struct rect){1, 1, 4, 1});
    surface_fill(&surface, (struct rect){-5, -5, 100, 100}, ROLE_DEFAULT, "#");
    struct rect inner = surface_clip(&surface, (struct rect){0, 0, 2, 3});
    surface_put(&surface, 0, 1, ROLE_DEFAULT, "abcdef");
    surface_unclip(&surface, inner);
    surface_put(&surface, 4, 1, ROLE_DEFAULT, "xyz");
    surface_unclip(&surface, former);
    expect("\n b##x\n\n");
    surface_put(&surface, -2, 0, ROLE_DEFAULT, "abc"); /* from outside */
    surface_put(&surface, 0, -1, ROLE_DEFAULT, "no");
    surface_put(&surface, 0, 3, ROLE_DEFAULT, "no");
    expect("c\n b##x\n\n");
}

static void
boxes_and_roles(void **state)
{
    struct buf buf;

    (void)state;
    make(12, 3, false);
    surface_box(&surface, (struct rect){0, 0, 12, 3}, "a long title");
    expect("┌─ a lon… ─┐\n│          │\n└──────────┘\n");
    surface_overlay(&surface, (struct rect){1, 1, 3, 1}, ROLE_SELECTED);
    buf_init(&buf, 1 << 12);
    surface_dump_roles(&surface, &buf);
    buf_append(&buf, "", 1);
    assert_string_equal(buf.data, "xxxYYYYYYxxx\nxSSS       x\nxxxxxxxxxxxx\n");
    buf_done(&buf);
    make(1, 1, false);
    surface_box(&surface, (struct rect){0, 0, 1, 1}, "t"); /* no room: nothing */
    expect("\n");
}

static void
sizes_are_believed_within_reason(void **state)
{
    (void)state;
    make(0, 0, false);
    surface_put(&surface, 0, 0, ROLE_DEFAULT, "x");
    assert_null(surface_at(&surface, 0, 0));
    assert_int_equal(surface_resize(&surface, -3, 5), 0);
    assert_int_equal(surface.cols, 0);
    assert_int_equal(surface_resize(&surface, 1 << 30, 1), 0);
    assert_true(surface.cols <= 4096);
    surface_done(&surface);
}

static void
roles_have_parents(void **state)
{
    (void)state;
    assert_int_equal(role_parent(ROLE_TASK_FAILED), ROLE_TASK);
    assert_int_equal(role_parent(ROLE_TASK), ROLE_DEFAULT);
    assert_int_equal(role_parent(ROLE_TABLE_SORT), ROLE_TABLE_HEAD);
    assert_int_equal(role_parent(ROLE_TABLE_HEAD), ROLE_DEFAULT);
    assert_int_equal(role_parent(ROLE_DEFAULT), ROLE_DEFAULT);
    for (int i = 0; i < ROLES; i++) {
        assert_int_equal(role_find(role_name((enum role)i)), i);
        for (int k = 0; k < i; k++)
            assert_int_not_equal(role_letter((enum role)i), role_letter((enum role)k));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_text_is_shown_not_obeyed),
        cmocka_unit_test(marks_are_bounded),
        cmocka_unit_test(ascii_has_forms),
        cmocka_unit_test(wide_glyphs_keep_their_halves),
        cmocka_unit_test(texts_are_cut),
        cmocka_unit_test(clips_nest),
        cmocka_unit_test(boxes_and_roles),
        cmocka_unit_test(sizes_are_believed_within_reason),
        cmocka_unit_test(roles_have_parents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
