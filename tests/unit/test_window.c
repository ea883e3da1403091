/* SPDX-License-Identifier: MIT */
/* The window over the task table: the selected task stays selected, and the screen stays put. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/model/model.h"
#include "client/model/window.h"

#define HEIGHT 10

static struct task_row rows[64];
static struct window window;

/* A page of 64 rows out of matched; ids count from first on. */
static struct task_page
page_of(uint64_t offset, uint64_t matched, uint64_t first)
{
    struct task_page page = {.rows = rows, .offset = offset, .matched = matched, .focus_index = -1};

    page.count = matched > offset ? (matched - offset < 64 ? (size_t)(matched - offset) : 64) : 0;
    for (size_t i = 0; i < page.count; i++)
        rows[i].id = first + i;
    return page;
}

static int
setup(void **state)
{
    (void)state;
    memset(&window, 0, sizeof window);
    window_home(&window);
    window.height = HEIGHT;
    return 0;
}

static void
stays_at_the_top_until_moved(void **state)
{
    struct task_page page = page_of(0, 1000, 1);

    (void)state;
    window_arrived(&window, &page, 0);
    assert_int_equal(window_selected(&window, &page)->id, 1);
    page = page_of(0, 1000, 501); /* another order */
    window_arrived(&window, &page, 0);
    assert_int_equal(window_selected(&window, &page)->id, 501);
    assert_int_equal(window.top, 0);
}

static void
holds_on_to_its_task(void **state)
{
    struct task_page page = page_of(0, 1000, 1);

    (void)state;
    window_arrived(&window, &page, 0);
    window_move(&window, &page, 3);
    assert_int_equal(window.focus, 4);
    rows[3].id = 8; /* 4 and 8 change places */
    rows[7].id = 4;
    window_arrived(&window, &page, 4);
    assert_int_equal(window.cursor, 7);
    assert_int_equal(window.top, 0);
    assert_int_equal(window_selected(&window, &page)->id, 4);
}

static void
a_task_that_leaves_does_not_take_the_screen_along(void **state)
{
    struct task_page page = page_of(0, 1000, 1);

    (void)state;
    window_arrived(&window, &page, 0);
    window_move(&window, &page, 3);
    rows[3].id = 2000;
    page.focus_index = 950;
    window_arrived(&window, &page, 4);
    assert_int_equal(window.top, 0);
    assert_int_equal(window.cursor, 3);
    assert_int_equal(window.away, 950);
    assert_int_equal(window.focus, 4);
    assert_null(window_selected(&window, &page)); /* and not the task that stands there now */
    window_follow(&window, &page, true);
    assert_int_equal(window.cursor, 950);
    assert_int_equal(window.top, 947); /* the same line */
    page = page_of(900, 1000, 3000);
    page.focus_index = 20;
    window_arrived(&window, &page, 4);
    assert_int_equal(window.cursor, 20);
    assert_int_equal(window.top, 17);
}

static void
a_task_that_ended_gives_its_place(void **state)
{
    struct task_page page = page_of(0, 1000, 1);

    (void)state;
    window_move(&window, &page, 3);
    rows[3].id = 77;
    window_arrived(&window, &page, 99); /* an older question: not told */
    assert_int_equal(window.focus, 4);
    window_arrived(&window, &page, 4); /* asked for, and nowhere */
    assert_int_equal(window.focus, 77);
    assert_int_equal(window.cursor, 3);
}

static void
ends_and_edges(void **state)
{
    struct task_page page = page_of(0, 25, 1);

    (void)state;
    window_end(&window, &page);
    assert_int_equal(window.cursor, 24);
    assert_int_equal(window.top, 15);
    window_move(&window, &page, 1);
    assert_int_equal(window.cursor, 24);
    window_move(&window, &page, -1000);
    assert_int_equal(window.cursor, 0);
    assert_int_equal(window.top, 0);
    window_end(&window, &page);
    page = page_of(0, 3, 1); /* the table shrank */
    window_arrived(&window, &page, 0);
    assert_int_equal(window.cursor, 2);
    assert_int_equal(window.top, 0);
    page = page_of(0, 0, 1);
    window_arrived(&window, &page, 0);
    assert_int_equal(window.cursor, 0);
    assert_null(window_selected(&window, &page));
    window_set_height(&window, &page, 0);
    window_move(&window, &page, 1);
    assert_int_equal(window.cursor, 0);
}

static void
rows_that_have_not_arrived(void **state)
{
    struct task_page page = page_of(0, 100000, 1);

    (void)state;
    window_arrived(&window, &page, 0);
    assert_true(window_covered(&window, &page));
    window_end(&window, &page);
    assert_int_equal(window.focus, 0);
    assert_false(window_covered(&window, &page));
    uint64_t offset;
    unsigned limit;
    window_want(&window, &offset, &limit);
    assert_int_equal(offset, 100000 - 2 * HEIGHT);
    assert_int_equal(limit, 3 * HEIGHT);
    page = page_of(offset, 100000, 500);
    window_arrived(&window, &page, 0);
    assert_true(window_covered(&window, &page));
    assert_int_equal(window.focus, 500 + 2 * HEIGHT - 1);
}

static void
seeking(void **state)
{
    struct task_page page = page_of(0, 100000, 1);

    (void)state;
    window_arrived(&window, &page, 0);
    window_seek(&window, 4711);
    assert_null(window_selected(&window, &page));
    page.focus_index = 5000;
    window_arrived(&window, &page, 4711);
    assert_int_equal(window.cursor, 5000);
    assert_int_equal(window.top, 5000 - HEIGHT / 2);
    assert_false(window.seeking);
    window_seek(&window, 4712);
    page.focus_index = 5001;
    window_arrived(&window, &page, 4712);
    assert_int_equal(window.top, 5000 - HEIGHT / 2); /* it is seen: nothing moves */
}

static void
what_was_sought_is_followed_until_the_cursor_moves(void **state)
{
    struct task_page page = page_of(0, 1000, 1);

    (void)state;
    window_arrived(&window, &page, 0);
    window_seek(&window, 4);
    window_arrived(&window, &page, 4);
    page.focus_index = 500; /* it sorts away, and is not among the rows at hand */
    rows[3].id = 2000;
    window_arrived(&window, &page, 4);
    assert_int_equal(window.cursor, 500);
    assert_int_equal(window.away, -1);
    page = page_of(450, 1000, 1);
    window_move(&window, &page, 1);
    page.focus_index = 10;
    window_arrived(&window, &page, window.focus);
    assert_int_equal(window.cursor, 501); /* seen: where it stands in the page counts */
    window.focus = 4711;
    window_arrived(&window, &page, 4711);
    assert_int_equal(window.away, 10);
}

static void
large_screens_ask_within_the_limit(void **state)
{
    uint64_t offset;
    unsigned limit;

    (void)state;
    window.height = 4000;
    window_want(&window, &offset, &limit);
    assert_true(limit <= LOOPTOP_ROWS_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(stays_at_the_top_until_moved, setup),
        cmocka_unit_test_setup(holds_on_to_its_task, setup),
        cmocka_unit_test_setup(a_task_that_leaves_does_not_take_the_screen_along, setup),
        cmocka_unit_test_setup(a_task_that_ended_gives_its_place, setup),
        cmocka_unit_test_setup(ends_and_edges, setup),
        cmocka_unit_test_setup(rows_that_have_not_arrived, setup),
        cmocka_unit_test_setup(seeking, setup),
        cmocka_unit_test_setup(what_was_sought_is_followed_until_the_cursor_moves, setup),
        cmocka_unit_test_setup(large_screens_ask_within_the_limit, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
