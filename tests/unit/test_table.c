/* SPDX-License-Identifier: MIT */
/* LINK: src/agent/table.c src/agent/ticks.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "agent/table.h"
#include "agent/ticks.h"

static char tasks[8]; /* their addresses stand for task objects */

static int
setup(void **state)
{
    (void)state;
    ticks_init();
    assert_int_equal(table_init(), 0);
    table_reset();
    return 0;
}

static void
test_a_task_finds_its_record(void **state)
{
    (void)state;
    struct record *record = table_new(&tasks[0]);
    uint32_t index = table_index(record);
    assert_non_null(record);
    assert_true(index > 0);
    assert_ptr_equal(table_find(index, &tasks[0]), record);
    assert_null(table_find(index, &tasks[1]));
    assert_null(table_find(index + 1000000, &tasks[0]));
    assert_int_equal(table_counts.live, 1);
}

static void
test_ids_are_never_reused(void **state)
{
    (void)state;
    uint64_t last = 0;
    for (int i = 0; i < 3 * TABLE_KEEP_DONE; i++) {
        struct record *record = table_new(&tasks[0]);
        assert_true(record->id > last);
        last = record->id;
        table_end(record, RECORD_DONE, ticks_now());
        assert_null(record->task);
        assert_int_equal(record->id, last); /* still to be seen */
    }
    assert_int_equal(table_counts.finished, 3 * TABLE_KEEP_DONE);
    assert_int_equal(table_counts.live, 0);
    /* what was kept too long served the next */
    assert_true(table_high <= TABLE_KEEP_DONE + 2);
}

static void
test_successes_do_not_push_out_failures(void **state)
{
    (void)state;
    struct record *failed = table_new(&tasks[0]);
    uint64_t id = failed->id;
    table_end(failed, RECORD_FAILED, ticks_now());
    for (int i = 0; i < 2 * TABLE_KEEP_DONE; i++)
        table_end(table_new(&tasks[1]), RECORD_DONE, ticks_now());
    assert_int_equal(failed->id, id);
    assert_true(failed->flags & RECORD_FAILED);
}

static void
test_what_ended_long_ago_goes(void **state)
{
    (void)state;
    struct record *old = table_new(&tasks[0]);
    uint64_t now = ticks_now();
    table_end(old, RECORD_DONE, now);
    table_end(table_new(&tasks[1]), RECORD_DONE, now + ticks_from_ns(TABLE_KEEP_NS) * 2);
    assert_int_equal(old->id, 0);
}

static void
test_a_full_table_counts_and_goes_on(void **state)
{
    (void)state;
    uint32_t max = table_max;
    table_max = 20;
    for (uint32_t i = 1; i < 20; i++)
        assert_non_null(table_new(&tasks[0]));
    assert_null(table_new(&tasks[1]));
    assert_null(table_new(&tasks[1]));
    /* one that ends makes room: the live go before the finished */
    table_end(&table_records[7], RECORD_CANCELLED, ticks_now());
    struct record *record = table_new(&tasks[2]);
    assert_ptr_equal(record, &table_records[7]);
    assert_int_equal(record->flags, 0);
    assert_int_equal(table_counts.cancelled, 1);
    table_max = max;
}

static void
test_a_dropped_record_leaves_no_trace(void **state)
{
    (void)state;
    struct record *record = table_new(&tasks[0]);
    table_drop(record);
    assert_int_equal(record->id, 0);
    assert_int_equal(table_counts.live, 0);
    assert_ptr_equal(table_new(&tasks[1]), record);
}

/* Between two parts steps end that began when the hooks were on. */
static void
test_all_is_forgotten_in_parts(void **state)
{
    (void)state;
    enum { COUNT = 10000 };
    char *many = calloc(1, COUNT);
    struct record *first = table_new(&many[0]), *last = NULL;
    uint64_t id;
    for (int i = 1; i < COUNT; i++)
        last = table_new(&many[i]);
    table_end(table_new(&tasks[0]), RECORD_DONE, ticks_now());
    id = last->id + 1;
    assert_true(table_forget());
    assert_null(table_find(table_index(first), &many[0]));
    assert_ptr_equal(table_find(table_index(last), &many[COUNT - 1]), last);
    table_end(last, RECORD_FAILED, ticks_now());
    while (table_forget())
        ;
    table_discard();
    assert_int_equal(table_counts.live, 0);
    assert_int_equal(table_high, 1);
    for (uint32_t i = 1; i < COUNT; i++)
        assert_true(table_records[i].id == 0 && table_records[i].born == 0);
    for (int i = 1; i < 2 * TABLE_KEEP_FAILED; i++) {
        struct record *record = table_new(&many[1]);
        assert_true(record->id > id++);
        table_end(record, RECORD_FAILED, ticks_now());
    }
    free(many);
}

static void
test_ticks_pass_as_time_does(void **state)
{
    (void)state;
    uint64_t a = ticks_now(), second = ticks_from_ns(1000000000);
    assert_in_range(ticks_to_ns(second), 999000000, 1001000000);
    assert_int_equal(ticks_to_ns((uint64_t)-5), 0);
    assert_true(ticks_since_ns(a) < 1000000000ull);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_task_finds_its_record, setup),
        cmocka_unit_test_setup(test_ids_are_never_reused, setup),
        cmocka_unit_test_setup(test_successes_do_not_push_out_failures, setup),
        cmocka_unit_test_setup(test_what_ended_long_ago_goes, setup),
        cmocka_unit_test_setup(test_a_full_table_counts_and_goes_on, setup),
        cmocka_unit_test_setup(test_a_dropped_record_leaves_no_trace, setup),
        cmocka_unit_test_setup(test_all_is_forgotten_in_parts, setup),
        cmocka_unit_test_setup(test_ticks_pass_as_time_does, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
