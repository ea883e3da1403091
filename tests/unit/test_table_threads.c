/* SPDX-License-Identifier: MIT */
/* LINK: src/agent/table.c src/agent/names.c src/agent/ticks.c */
/*
 * One thread writes records and names as the hooks do, the other reads them as the io thread does.
 * Under TSan this shows data races; without it, torn records.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "agent/names.h"
#include "agent/table.h"
#include "agent/ticks.h"

#define TASKS 200000
#define LIVE 64

static bool done;
static uint64_t seen, torn, wrong_names;

static void
step(struct record *record)
{
    ADD(record->steps, 1);
    ADD(record->busy, 2);
}

static void *
write_records(void *arg)
{
    static char tasks[LIVE];
    struct record *live[LIVE] = {0};
    char text[32];
    (void)arg;
    for (int i = 0; i < TASKS; i++) {
        struct record **slot = &live[i % LIVE];
        if (*slot != NULL)
            table_end(*slot, i % 3 == 0 ? RECORD_FAILED : RECORD_DONE, ticks_now());
        *slot = table_new(&tasks[i % LIVE]);
        STORE((*slot)->parent, (*slot)->id);
        int n = snprintf(text, sizeof text, "coro-%d", i % 5000);
        STORE((*slot)->coroutine, names_string(text, (size_t)n));
        for (int k = 0; k < 3; k++)
            step(*slot);
    }
    STORE(done, true);
    return NULL;
}

static void
look(const struct record *record)
{
    uint64_t id = LOAD_ACQUIRE(record->id);
    uint64_t parent = LOAD(record->parent), steps = LOAD(record->steps);
    const char *name = names_text(LOAD(record->coroutine));
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (id == 0 || LOAD(record->id) != id)
        return;
    seen++;
    torn += (parent != 0 && parent != id) || steps > 3;
    wrong_names += name != NULL && strncmp(name, "coro-", 5) != 0;
}

static void
test_reader_sees_whole_records(void **state)
{
    pthread_t writer;
    (void)state;
    ticks_init();
    assert_int_equal(table_init(), 0);
    assert_int_equal(names_init(), 0);
    assert_int_equal(pthread_create(&writer, NULL, write_records, NULL), 0);
    while (!LOAD(done) || seen == 0)
        for (uint32_t i = 1; i < LOAD(table_high); i++)
            look(&table_records[i]);
    assert_int_equal(pthread_join(writer, NULL), 0);
    assert_true(seen > 0);
    assert_int_equal(torn, 0);
    assert_int_equal(wrong_names, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reader_sees_whole_records)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
