/* SPDX-License-Identifier: MIT */
/* LINK: tests/golden/golden.c tests/golden/fixture.c */
/* Which columns of the task table have room, how wide they are, and what is said in a narrow one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/view/columns.h"
#include "client/widget/table.h"
#include "golden/fixture.h"

static struct model model;

static struct table
new_table(void)
{
    return (struct table){.columns = columns_table,
        .count = columns_count,
        .pinned = 2,
        .narrowed = COLUMNS_NARROWED};
}

static void
columns_fit(void **state)
{
    struct table table = new_table();
    struct table_layout layout;

    (void)state;
    for (int width = 0; width < 260; width++) {
        for (table.scroll = 0; table.scroll < 13; table.scroll++) {
            table_layout(&table, width, &layout);
            for (int i = 0; i < layout.count; i++) {
                const struct table_column *column = &columns_table[layout.column[i]];
                assert_true(layout.width[i] >= column->min && layout.width[i] <= column->max);
                if (i > 0)
                    assert_true(layout.x[i] > layout.x[i - 1] + layout.width[i - 1]);
                if (width >= 41)
                    assert_true(layout.x[i] + layout.width[i] < width);
            }
        }
    }
    table.scroll = 0;
    table_layout(&table, 80, &layout);
    static const char *const titles[] = {"ID", "NAME", "S", "WAITING ON", "AT", "AGE", "IDLE"};
    assert_int_equal(layout.count, 7);
    for (int i = 0; i < 7; i++)
        assert_string_equal(columns_table[layout.column[i]].title, titles[i]);
    assert_int_equal(layout.width[2], 7); /* the state's word is there */
    table.exact_cols = 8;                 /* with ids of tens of millions, too */
    table_layout(&table, 80, &layout);
    assert_int_equal(layout.count, 7);
    assert_int_equal(layout.width[0], 8);
    table.exact_cols = 0;
    assert_true(layout.more_right);
    table_layout(&table, 260, &layout);
    assert_int_equal(layout.count, columns_count);
    for (int i = 0; i < 30; i++)
        table_scroll(&table, 1, 80);
    table_layout(&table, 80, &layout);
    assert_int_equal(layout.column[layout.count - 1], columns_count - 1); /* the last is reached */
    assert_true(layout.more_left && !layout.more_right);
}

static bool
has_column(const struct table_layout *layout, int column)
{
    for (int i = 0; i < layout->count; i++)
        if (layout->column[i] == column)
            return true;
    return false;
}

static int
width_of(const struct table *table, int width, int column)
{
    struct table_layout layout;

    table_layout(table, width, &layout);
    for (int i = 0; i < layout.count; i++)
        if (layout.column[i] == column)
            return layout.width[i];
    return 0;
}

static void
what_is_left_over_goes_to_names_first(void **state)
{
    struct table table = new_table();

    (void)state;
    table.first = 1;
    table.first_cols = 20;
    table.keep = 7;
    assert_true(width_of(&table, 80, 1) < columns_table[1].ideal); /* nothing is left over */
    assert_int_equal(width_of(&table, 230, 1), 20);
    table.first_cols = 5;
    assert_int_equal(width_of(&table, 230, 1), columns_table[1].ideal);
    table.first_cols = 200;
    assert_int_equal(width_of(&table, 230, 1), 24);
}

static const char *
idle_of(bool age_exact, uint64_t steps, int64_t ended_ns)
{
    static struct columns_cell cell;
    struct task_row row = {.name = "",
        .state = ended_ns < 0 ? LOOPTOP_WAIT : LOOPTOP_DONE,
        .age_exact = age_exact,
        .steps = steps,
        .idle_ns = 2000000000,
        .ended_ns = ended_ns};

    for (int i = 0; i < columns_count; i++)
        if (strcmp(columns_table[i].title, "IDLE") == 0)
            columns_cell(&model, &row, i, 8, &cell);
    return cell.text;
}

/* Of a task that waited before there was an agent nobody knows since when, until it steps. */
static void
idle_is_a_least_one_before_the_first_step_that_is_seen(void **state)
{
    (void)state;
    assert_string_equal(idle_of(false, 0, -1), "≥2.0s");
    assert_string_equal(idle_of(false, 1, -1), "2.0s");
    assert_string_equal(idle_of(true, 0, -1), "2.0s");
    assert_string_equal(idle_of(false, 0, 2000000000), "2.0s");
}

static void
the_sorted_column_is_always_seen(void **state)
{
    struct table table = new_table();
    struct table_layout layout;

    (void)state;
    for (int width = 0; width < 260; width++) {
        for (int i = 0; i < columns_count * 13; i++) {
            table.keep = i % columns_count;
            table.scroll = i / columns_count;
            table_layout(&table, width, &layout);
            int last = layout.count - 1;
            if (width < 45)
                continue;
            assert_true(has_column(&layout, table.keep));
            assert_true(layout.x[last] + layout.width[last] < width);
        }
    }
    table.keep = 9;
    table.hidden = 1u << 9;
    table.scroll = 0;
    table_layout(&table, 80, &layout);
    assert_false(has_column(&layout, 9)); /* unless a person hid it */
}

static void
expect_site(const char *file, const char *function, bool stale, int width, const char *text)
{
    struct task_site site = {file, function, 228};
    struct task_row row = {.id = 1, .name = "", .at = &site, .at_stale = stale};
    struct columns_cell cell;

    columns_cell(&model, &row, columns_of_key(LOOPTOP_COL_AT), width, &cell);
    assert_string_equal(cell.text, text);
}

static void
a_place_keeps_its_line(void **state)
{
    (void)state;
    expect_site("/srv/shop.py", "Shop.work", false, 21, "shop.py:228 Shop.work");
    expect_site("/srv/shop.py", "Shop.work", false, 20, "shop.py:228 work");
    expect_site("/srv/shop.py", "Shop.work", true, 20, "~shop.py:228 work");
    expect_site("/srv/shop.py", "f.<locals>.g", false, 15, "shop.py:228 g");
    expect_site("/srv/shop.py", "Shop.work", false, 14, "shop.py:228");
    expect_site("/srv/shop.py", "Shop.work", false, 11, "shop.py:228");
    expect_site("/srv/shop.py", "Shop.work", false, 8, "….py:228");
    expect_site("/srv/shop.py", "Shop.work", true, 8, "~…py:228");
}
int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_fit),
        cmocka_unit_test(idle_is_a_least_one_before_the_first_step_that_is_seen),
        cmocka_unit_test(the_sorted_column_is_always_seen),
        cmocka_unit_test(what_is_left_over_goes_to_names_first),
        cmocka_unit_test(a_place_keeps_its_line),
    };

    fixture_model(&model, 50);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    model_done(&model);
    return failed;
}
