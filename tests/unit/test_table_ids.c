/* SPDX-License-Identifier: MIT */
/* LINK: src/agent/table.c src/agent/table_ids.c src/agent/ticks.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/table.h"
#include "agent/table_ids.h"
#include "agent/ticks.h"

#define TASKS 5000

static char tasks[TASKS]; /* their addresses stand for task objects */

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
test_finds_what_there_is(void **state)
{
    (void)state;
    struct record *first = table_new(&tasks[0]);
    assert_int_equal(table_ids_find(first->id), table_index(first));
    assert_int_equal(table_ids_find(0), 0);
    assert_int_equal(table_ids_find(first->id + 1), 0);
    assert_int_equal(table_ids_find(UINT64_MAX), 0);
    /* born since */
    struct record *second = table_new(&tasks[1]);
    assert_int_equal(table_ids_find(second->id), table_index(second));
    assert_int_equal(table_ids_search(second->id), table_index(second));
    table_drop(second);
    assert_int_equal(table_ids_find(second->id), 0);
}

static void
test_agrees_with_a_look_through_the_table(void **state)
{
    static struct record *live[TASKS];
    uint64_t begin = table_last_id + 1;
    uint32_t random = 1;

    (void)state;
    for (unsigned i = 0; i < 20 * TASKS; i++) {
        random = random * 1664525 + 1013904223;
        struct record **slot = &live[(random >> 8) % TASKS];
        if (*slot != NULL)
            table_end(*slot, i % 2 ? RECORD_FAILED : RECORD_DONE, ticks_now());
        *slot = table_new(&tasks[slot - live]);
        if (i % 997 == 0) {
            uint64_t id = begin + random % (table_last_id - begin + 2);
            assert_int_equal(table_ids_find(id), table_ids_search(id));
        }
        if (i % 30000 == 0)
            table_ids_trim();
    }
    for (size_t i = 0; i < TASKS; i++)
        if (live[i] != NULL)
            assert_int_equal(table_ids_find(live[i]->id), table_index(live[i]));
    for (uint64_t id = begin; id < begin + 1000; id++)
        assert_int_equal(table_ids_find(id), table_ids_search(id));
}

static void
test_what_was_forgotten_is_gone(void **state)
{
    (void)state;
    struct record *record = table_new(&tasks[0]);
    uint64_t id = record->id;
    assert_int_equal(table_ids_find(id), table_index(record));
    table_reset();
    assert_int_equal(table_ids_find(id), 0);
    record = table_new(&tasks[0]);
    assert_int_equal(table_ids_find(id), 0);
    assert_int_equal(table_ids_find(record->id), table_index(record));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_finds_what_there_is, setup),
        cmocka_unit_test_setup(test_agrees_with_a_look_through_the_table, setup),
        cmocka_unit_test_setup(test_what_was_forgotten_is_gone, setup),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    table_ids_trim();
    return failed;
}
