/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/model/task_list.h"
#include "client/model/tasks.h"
#include "common/cleanup.h"
#include "looptop/limits.h"
#include "vendor/cjson/cJSON.h"

#define COLUMNS                                                                                    \
    "\"columns\":[\"id\",\"name\",\"state\",\"coroutine\",\"waiting_on\",\"at\",\"age_ns\","       \
    "\"age_exact\",\"idle_ns\",\"busy_ns\",\"busy_pct\",\"steps\",\"max_step_ns\","                \
    "\"created_at\",\"parent\",\"loop\",\"exception\",\"ended_ns\",\"queued_ns\",\"flags\"]"
#define TABLES                                                                                     \
    "\"strings\":[\"worker\",\"Queue.get\"],"                                                      \
    "\"sites\":[[\"/srv/app.py\",31,\"worker\"],[\"/srv/app.py\",60,\"main\"]]"
#define ROW "[7,\"worker-3\",3,0,1,0,81000000,1,5000000,120000,0.1,4,90000,1,2,1,-1,-1,-1,0]"

static int
decode(const char *text, struct task_page *page)
{
    cJSON *json = cJSON_Parse(text);
    int r;

    if (!json)
        fail_msg("not JSON: %s", text);
    r = task_page_decode(json, page);
    cJSON_Delete(json);
    return r;
}

static int
decode_row(const char *row, struct task_page *page)
{
    char text[2048];

    (void)snprintf(text, sizeof(text), "{" COLUMNS ",\"rows\":[%s]," TABLES "}", row);
    return decode(text, page);
}

static void
test_reads_a_page(void **state)
{
    CLEANUP(task_page_done) struct task_page page;
    const struct task_row *row;

    (void)state;
    assert_int_equal(decode("{\"time_s\":12.5,\"total\":14,\"matched\":3,\"offset\":2,"
                            "\"focus_index\":1," COLUMNS ",\"rows\":[" ROW "]," TABLES "}",
                         &page),
        0);
    assert_int_equal(page.count, 1);
    assert_true(page.time_s > 12.4 && page.time_s < 12.6);
    assert_int_equal(page.total, 14);
    assert_int_equal(page.matched, 3);
    assert_int_equal(page.offset, 2);
    assert_int_equal(page.focus_index, 1);
    row = page.rows;
    assert_int_equal(row->id, 7);
    assert_string_equal(row->name, "worker-3");
    assert_int_equal(row->state, LOOPTOP_WAIT);
    assert_string_equal(row->coroutine, "worker");
    assert_string_equal(row->waiting_on, "Queue.get");
    assert_null(row->exception);
    assert_string_equal(row->at->file, "/srv/app.py");
    assert_int_equal(row->at->line, 31);
    assert_string_equal(row->created_at->function, "main");
    assert_true(row->age_exact);
    assert_false(row->at_stale);
    assert_int_equal(row->age_ns, 81000000);
    assert_int_equal(row->idle_ns, 5000000);
    assert_int_equal(row->busy_ns, 120000);
    assert_int_equal(row->max_step_ns, 90000);
    assert_int_equal(row->steps, 4);
    assert_int_equal(row->parent, 2);
    assert_int_equal(row->loop, 1);
    assert_int_equal(row->ended_ns, -1);
    assert_int_equal(row->queued_ns, -1);
}

static void
test_finds_columns_by_name(void **state)
{
    CLEANUP(task_page_done) struct task_page page;

    (void)state;
    assert_int_equal(
        decode("{\"columns\":[\"new\",\"flags\",\"name\",\"id\",\"state\",\"coroutine\","
               "\"waiting_on\",\"at\",\"age_ns\",\"age_exact\",\"idle_ns\",\"busy_ns\","
               "\"busy_pct\",\"steps\",\"max_step_ns\",\"created_at\",\"parent\",\"loop\","
               "\"exception\",\"ended_ns\",\"queued_ns\"],\"rows\":[[{},1,\"x\",9,0,-1,-1,-1,1,"
               "0,2,3,4,5,6,-1,0,1,-1,7,8]]}",
            &page),
        0);
    assert_int_equal(page.rows[0].id, 9);
    assert_string_equal(page.rows[0].name, "x");
    assert_true(page.rows[0].at_stale);
    assert_int_equal(page.rows[0].ended_ns, 7);
    assert_int_equal(page.rows[0].queued_ns, 8);
    assert_int_equal(page.focus_index, -1);
}

static void
test_refuses_what_is_not_documented(void **state)
{
    static const char *const rows[] = {
        "7",                                                    /* no array */
        "[7]",                                                  /* too short */
        "[7,\"a\",3,0,1,0,1,1,1,1,0,1,1,1,2,1,-1,-1,-1,0,5]",   /* too long */
        "[-7,\"a\",3,0,1,0,1,1,1,1,0,1,1,1,2,1,-1,-1,-1,0]",    /* id below 0 */
        "[7.5,\"a\",3,0,1,0,1,1,1,1,0,1,1,1,2,1,-1,-1,-1,0]",   /* id not whole */
        "[1e30,\"a\",3,0,1,0,1,1,1,1,0,1,1,1,2,1,-1,-1,-1,0]",  /* id too large */
        "[7,8,3,0,1,0,1,1,1,1,0,1,1,1,2,1,-1,-1,-1,0]",         /* name no text */
        "[7,\"a\",8,0,1,0,1,1,1,1,0,1,1,1,2,1,-1,-1,-1,0]",     /* no such state */
        "[7,\"a\",3,2,1,0,1,1,1,1,0,1,1,1,2,1,-1,-1,-1,0]",     /* no such string */
        "[7,\"a\",3,0.5,1,0,1,1,1,1,0,1,1,1,2,1,-1,-1,-1,0]",   /* between two strings */
        "[7,\"a\",3,0,-2,0,1,1,1,1,0,1,1,1,2,1,-1,-1,-1,0]",    /* below none */
        "[7,\"a\",3,0,1,2,1,1,1,1,0,1,1,1,2,1,-1,-1,-1,0]",     /* no such site */
        "[7,\"a\",3,0,1,0,1,1,1,1,0,1,1,1e300,2,1,-1,-1,-1,0]", /* nor that */
        "[7,\"a\",3,0,1,0,1e999,1,1,1,0,1,1,1,2,1,-1,-1,-1,0]", /* infinite */
        "[7,\"a\",1,0,1,0,1,1,1,1,0,1,1,1,2,1,-1,-1,-2,0]",     /* queued later than now */
        "[7,\"a\",3,0,1,0,1,1,1,1,\"x\",1,1,1,2,1,-1,-1,-1,0]", /* share no number */
        "[7,\"a\",3,0,1,0,1,1,1,1,0,1,1,1,2,1,-1,-2,-1,0]",     /* ended before 0 */
        ROW "," ROW ",[]",                                      /* the third only */
    };
    struct task_page page = {.count = 77};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (decode_row(rows[i], &page) != -EPROTO)
            fail_msg("taken: %s", rows[i]);
    assert_int_equal(page.count, 77); /* untouched */
}

static void
test_refuses_other_shapes(void **state)
{
    static const char *const texts[] = {
        "[]",
        "{}",
        "{\"rows\":[]}",
        "{\"columns\":[\"id\"],\"rows\":[]}",
        "{\"columns\":7,\"rows\":[]}",
        "{" COLUMNS "}",
        "{" COLUMNS ",\"rows\":{}}",
        "{" COLUMNS ",\"rows\":[],\"strings\":[1]}",
        "{" COLUMNS ",\"rows\":[],\"sites\":[[\"f\",1]]}",
        "{" COLUMNS ",\"rows\":[],\"sites\":[[1,1,\"f\"]]}",
        "{" COLUMNS ",\"rows\":[],\"sites\":[\"f\"]}",
        "{" COLUMNS ",\"rows\":[],\"total\":-1}",
        "{" COLUMNS ",\"rows\":[],\"focus_index\":-2}",
    };
    struct task_page page;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (decode(texts[i], &page) != -EPROTO)
            fail_msg("taken: %s", texts[i]);
}

static void
test_refuses_too_many_rows(void **state)
{
    size_t rows = LOOPTOP_ROWS_MAX + 1, size = rows * sizeof(ROW ",") + 1024, len;
    char *text = malloc(size);
    struct task_page page;

    (void)state;
    assert_non_null(text);
    len = (size_t)snprintf(text, size, "{" COLUMNS "," TABLES ",\"rows\":[" ROW);
    for (size_t i = 1; i < rows; i++)
        len += (size_t)snprintf(text + len, size - len, "," ROW);
    (void)snprintf(text + len, size - len, "]}");
    assert_int_equal(decode(text, &page), -EPROTO);
    /* One row fewer is the limit itself. */
    text[len - sizeof("," ROW) + 1] = '\0';
    (void)snprintf(text + strlen(text), 3, "]}");
    assert_int_equal(decode(text, &page), 0);
    assert_int_equal(page.count, LOOPTOP_ROWS_MAX);
    task_page_done(&page);
    task_page_done(&page);
    task_page_done(NULL);
    free(text);
}

static void
test_writes_queries(void **state)
{
    struct task_query query = {.sort = LOOPTOP_COL_AGE,
        .reverse = true,
        .filter = "name:\"a b\"",
        .offset = 3,
        .limit = 9,
        .after = 5,
        .focus = 6,
        .finished = true};
    char *text = task_query_json(&query);

    (void)state;
    assert_string_equal(text,
        "{\"sort\":\"age_ns\",\"reverse\":true,\"filter\":\"name:\\\"a b\\\"\",\"offset\":3,"
        "\"limit\":9,\"after\":5,\"focus\":6,\"finished\":true}");
    free(text);
    query = (struct task_query){.sort = LOOPTOP_COL_ID, .filter = "", .limit = 1};
    text = task_query_json(&query);
    assert_string_equal(
        text, "{\"sort\":\"id\",\"reverse\":false,\"offset\":0,\"limit\":1,\"finished\":false}");
    free(text);
}

/* Ids of the rows after sorting, as text. */
static void
assert_order(enum looptop_column column, bool reverse, const char *want)
{
    struct task_site first = {"a.py", "f", 2}, second = {"a.py", "g", 10};
    struct task_row rows[] = {
        {.id = 1, .name = "b", .state = LOOPTOP_WAIT, .idle_ns = 50, .at = &second},
        {.id = 2, .name = "a", .state = LOOPTOP_RUN, .idle_ns = 10, .coroutine = "x"},
        {.id = 3,
            .name = "c",
            .state = LOOPTOP_WAIT,
            .idle_ns = 90,
            .coroutine = "y",
            .at = &first},
        {.id = 4, .name = "c", .state = LOOPTOP_DONE, .idle_ns = 70, .busy_pct = 3},
    };
    for (size_t i = 0; i < 3; i++)
        rows[i].ended_ns = -1;
    const struct task_row *order[] = {&rows[3], &rows[1], &rows[2], &rows[0]};
    struct task_list list = {.rows = order, .count = 4};
    char got[32] = "";

    task_list_sort(&list, column, reverse);
    for (size_t i = 0; i < list.count; i++)
        (void)snprintf(got + strlen(got), sizeof(got) - strlen(got), "%d", (int)order[i]->id);
    assert_string_equal(got, want);
}

static void
test_sorts_as_the_agent_does(void **state)
{
    (void)state;
    assert_order(LOOPTOP_COL_ID, false, "4321");
    assert_order(LOOPTOP_COL_ID, true, "1234");
    assert_order(LOOPTOP_COL_NAME, false, "2134");
    assert_order(LOOPTOP_COL_NAME, true, "3412");
    assert_order(LOOPTOP_COL_IDLE, false, "2314");
    assert_order(LOOPTOP_COL_IDLE, true, "2134");
    assert_order(LOOPTOP_COL_BUSY_PCT, false, "4123");
    /* What is not known comes last in both directions. */
    assert_order(LOOPTOP_COL_COROUTINE, false, "2314");
    assert_order(LOOPTOP_COL_COROUTINE, true, "3214");
    assert_order(LOOPTOP_COL_AT, false, "3124");
    assert_order(LOOPTOP_COL_AT, true, "1324");
}

static void
test_gathers_pages(void **state)
{
    CLEANUP(task_list_done) struct task_list list = {0};
    struct task_page page;

    (void)state;
    assert_int_equal(decode_row("", &page), 0);
    assert_int_equal(task_list_add(&list, &page), 0);
    assert_int_equal(list.count, 0);
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(decode_row(ROW "," ROW, &page), 0);
        assert_int_equal(task_list_add(&list, &page), 0);
        assert_int_equal(page.count, 0); /* taken */
    }
    assert_int_equal(list.count, 6000);
    for (size_t i = 0; i < list.count; i++)
        assert_string_equal(list.rows[i]->name, "worker-3");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_a_page),
        cmocka_unit_test(test_finds_columns_by_name),
        cmocka_unit_test(test_refuses_what_is_not_documented),
        cmocka_unit_test(test_refuses_other_shapes),
        cmocka_unit_test(test_refuses_too_many_rows),
        cmocka_unit_test(test_writes_queries),
        cmocka_unit_test(test_sorts_as_the_agent_does),
        cmocka_unit_test(test_gathers_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
