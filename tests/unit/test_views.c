/* SPDX-License-Identifier: MIT */
/* LINK: tests/golden/golden.c tests/golden/fixture.c */
/* What keys mean to views: actions, and nothing done by a view itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/screen/keys.h"
#include "client/view/cancel.h"
#include "client/view/columns.h"
#include "client/view/registry.h"
#include "client/view/tasks.h"
#include "golden/fixture.h"

static struct model model;
static struct view view;
static struct action action;

static void
press(int key)
{
    view_key(&view, &model, key, &action);
}

static void
type(const char *text)
{
    for (; *text; text++)
        press((unsigned char)*text);
}

static void
open_cancel(size_t count, bool tagged)
{
    static struct tag tags[64];

    view_close(&view);
    for (size_t i = 0; i < count; i++)
        tags[i] = (struct tag){.id = 100 + i};
    assert_int_equal(view_open(&view, &cancel_view, &model), 0);
    assert_int_equal(cancel_ask(&view, tags, count, tagged), 0);
}

static void
one_task_is_cancelled_with_enter(void **state)
{
    (void)state;
    open_cancel(1, false);
    press(KEYS_ENTER);
    assert_int_equal(action.kind, ACTION_CANCEL);
    assert_int_equal(action.count, 1);
    assert_int_equal(action.ids[0], 100);
    assert_string_equal(action.text, "looptop");
}

static void
y_and_n_answer(void **state)
{
    (void)state;
    for (size_t count = 1; count <= 7; count += 6) {
        open_cancel(count, count > 1);
        press('n');
        assert_int_equal(action.kind, ACTION_BACK);
        open_cancel(count, count > 1);
        press('y');
        assert_int_equal(action.kind, ACTION_CANCEL);
        assert_int_equal(action.count, count);
    }
    open_cancel(CANCEL_TYPED + 1, true);
    press(KEYS_DOWN);
    press(KEYS_DOWN); /* the buttons */
    press('y');
    assert_int_equal(action.kind, ACTION_REDRAW);
}

static void
several_are_left_unless_chosen(void **state)
{
    (void)state;
    open_cancel(7, true);
    press(KEYS_ENTER);
    assert_int_equal(action.kind, ACTION_BACK);
    press(KEYS_LEFT);
    press(KEYS_ENTER);
    assert_int_equal(action.kind, ACTION_CANCEL);
    assert_int_equal(action.count, 7);
    assert_int_equal(action.ids[6], 106);
}

/* It need not be the one under the cursor. */
static void
one_tagged_is_left_unless_chosen(void **state)
{
    (void)state;
    open_cancel(1, true);
    press(KEYS_ENTER);
    assert_int_equal(action.kind, ACTION_BACK);
    open_cancel(1, true);
    press(KEYS_UP);
    press(KEYS_UP); /* the message */
    press(KEYS_ENTER);
    press(KEYS_ENTER);
    assert_int_equal(action.kind, ACTION_BACK);
}

static void
many_need_their_number(void **state)
{
    (void)state;
    open_cancel(CANCEL_TYPED + 1, true);
    press(KEYS_ENTER);
    assert_int_not_equal(action.kind, ACTION_CANCEL);
    type("2");
    press(KEYS_ENTER);
    assert_int_not_equal(action.kind, ACTION_CANCEL);
    press(KEYS_DOWN); /* message */
    press(KEYS_DOWN); /* cancel them: not before the number is typed */
    press(KEYS_ENTER);
    assert_int_not_equal(action.kind, ACTION_CANCEL);
    type("1"); /* it has asked for the number again */
    press(KEYS_ENTER);
    assert_int_equal(action.kind, ACTION_CANCEL);
    assert_int_equal(action.count, CANCEL_TYPED + 1);
}

static void
the_message_is_typed(void **state)
{
    (void)state;
    open_cancel(1, false);
    press(KEYS_UP);
    press(KEYS_CTRL('u'));
    type("quit now"); /* no key of it is a command here */
    assert_int_equal(action.kind, ACTION_REDRAW);
    press(KEYS_ENTER); /* on to the buttons */
    assert_int_equal(action.kind, ACTION_REDRAW);
    press(KEYS_ENTER);
    assert_int_equal(action.kind, ACTION_CANCEL);
    assert_string_equal(action.text, "quit now");
    open_cancel(1, false);
    press(KEYS_ESCAPE);
    assert_int_equal(action.kind, ACTION_BACK);
    open_cancel(1, false);
    press('n');
    assert_int_equal(action.kind, ACTION_BACK);
    view_close(&view);
}

static void
menus(void **state)
{
    (void)state;
    model.query.sort = LOOPTOP_COL_IDLE;
    assert_int_equal(view_open(&view, &sort_menu_view, &model), 0);
    press('j');
    press(KEYS_ENTER);
    assert_int_equal(action.kind, ACTION_SORT);
    assert_int_equal(columns_key((int)action.amount), LOOPTOP_COL_BUSY_PCT);
    view_close(&view);
    assert_int_equal(view_open(&view, &column_menu_view, &model), 0);
    press('k'); /* round */
    press(KEYS_SPACE);
    assert_int_equal(action.kind, ACTION_HIDE_COLUMN);
    assert_int_equal(action.amount, columns_count - 1);
    view_resize(&view, &model, 40, 9);
    static const struct {
        int key, column;
    } moves[] = {{KEYS_HOME, 0}, {KEYS_PAGE_DOWN, 7}, {KEYS_PAGE_DOWN, 14}, {KEYS_PAGE_UP, 7},
        {KEYS_PAGE_UP, 0}, {KEYS_PAGE_UP, 0}, {KEYS_END, 14}, {KEYS_PAGE_DOWN, 14}};
    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++) {
        press(moves[i].key);
        assert_int_equal(action.kind, ACTION_REDRAW);
        press(KEYS_SPACE);
        assert_int_equal(action.amount, moves[i].column);
    }
    view_close(&view);
}

static void
table_keys(void **state)
{
    (void)state;
    model.query.sort = LOOPTOP_COL_IDLE;
    model.hidden_columns = 1u << columns_of_key(LOOPTOP_COL_BUSY_PCT);
    assert_int_equal(view_open(&view, &tasks_view, &model), 0);
    view_resize(&view, &model, 80, 20);
    press('>'); /* over the hidden one */
    assert_int_equal(action.kind, ACTION_SORT);
    assert_int_equal(columns_key((int)action.amount), LOOPTOP_COL_BUSY);
    press('k');
    assert_int_equal(action.kind, ACTION_MOVE);
    assert_int_equal(action.amount, -1);
    press('x');
    assert_int_equal(action.kind, ACTION_ASK_CANCEL);
    press('%');
    assert_int_equal(action.kind, ACTION_NONE);
    model.hidden_columns = 0;
    view_close(&view);
}

/* Every key of a table is reached: none is hidden by a row before it, or by the view's own. */
static void
no_key_is_bound_twice(void **state)
{
    (void)state;
    for (int v = 0; registry_views[v]; v++) {
        struct bindings own = registry_views[v]->bindings;
        for (size_t i = 0; i < own.count; i++)
            for (int k = 0; k < BINDING_KEYS && own.rows[i].keys[k]; k++)
                assert_ptr_equal(binding_find(own, own.rows[i].keys[k]), &own.rows[i]);
    }
    for (size_t i = 0; i < registry_common.count; i++)
        for (int k = 0; k < BINDING_KEYS && registry_common.rows[i].keys[k]; k++)
            assert_null(binding_find(tasks_view.bindings, registry_common.rows[i].keys[k]));
}

/* Nothing is drawn there. */
static bool
is_blank(const struct surface *surface, int x, int y)
{
    return strcmp(surface_at(surface, x, y)->text, " ") == 0;
}

/* Where a word stands in a line, -1: nowhere. */
static int
column_of(const struct surface *surface, const char *word, int y)
{
    for (int x = 0; x + (int)strlen(word) <= surface->cols; x++) {
        int n = 0;
        while (word[n] && surface_at(surface, x + n, y)->text[0] == word[n])
            n++;
        if (!word[n])
            return x;
    }
    return -1;
}

/* No key reaches into the column of what keys do, at any width and on any page. */
static void
help_keeps_its_columns(void **state)
{
    static const int widths[] = {40, 60, 80, 100, 120};
    struct surface surface;

    (void)state;
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        int rows = 400, indent;
        assert_int_equal(surface_init(&surface, widths[i], rows, false), 0);
        assert_int_equal(view_open(&view, &help_view, &model), 0);
        view_resize(&view, &model, widths[i], rows);
        view_draw(&view, &model, &surface, (struct rect){0, 0, widths[i], rows});
        indent = column_of(&surface, "pause", 2);
        assert_true(indent > 0);
        for (int y = 2; y < rows - 1; y++)
            if (surface_at(&surface, 2, y)->role != ROLE_BOX_TITLE &&
                !is_blank(&surface, indent, y))
                assert_true(is_blank(&surface, indent - 1, y));
        view_close(&view);
        surface_done(&surface);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_task_is_cancelled_with_enter),
        cmocka_unit_test(y_and_n_answer),
        cmocka_unit_test(several_are_left_unless_chosen),
        cmocka_unit_test(one_tagged_is_left_unless_chosen),
        cmocka_unit_test(many_need_their_number),
        cmocka_unit_test(the_message_is_typed),
        cmocka_unit_test(menus),
        cmocka_unit_test(table_keys),
        cmocka_unit_test(no_key_is_bound_twice),
        cmocka_unit_test(help_keeps_its_columns),
    };

    fixture_model(&model, 50);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    model_done(&model);
    return failed;
}
