/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/model/status.h"
#include "vendor/cjson/cJSON.h"

#define LOOP                                                                                       \
    "{\"id\":1,\"kind\":\"asyncio\",\"state\":\"running\","                                        \
    "\"thread\":{\"tid\":41233,\"name\":\"MainThread\"},\"tasks\":12,"                             \
    "\"running\":{\"task\":7,\"for_ns\":120000},\"busy_pct\":3.5,\"busy_exact\":false,"            \
    "\"iterations_per_s\":60.0,\"callbacks_per_s\":75.0,\"steps_per_s\":null,"                     \
    "\"lag_ns\":{\"now\":800000,\"p50\":null,\"p90\":900000,\"p99\":12000000},"                    \
    "\"lag_source\":\"probe\",\"iteration_for_ns\":5}"
#define MEMORY                                                                                     \
    "{\"rss_bytes\":222298112,\"heap_bytes\":null,\"blocks\":1900000,"                             \
    "\"gc\":{\"collections\":[310,28,null],\"pause_total_ns\":91,\"pause_max_ns\":21,"             \
    "\"pause_ns_per_s\":2},\"agent_bytes\":1310720}"
#define STATUS                                                                                     \
    "{\"time_s\":2.5,\"pid\":41233,\"uid\":1000,\"python\":\"3.13.5\","                            \
    "\"process_up_ns\":84,\"agent_up_ns\":81,\"readonly\":true,"                                   \
    "\"hooks\":{\"state\":\"refused\",\"message\":\"why\",\"population\":\"walking\"},"            \
    "\"gil\":{\"waiting_ns\":4},\"totals\":{\"tasks\":12,\"by_state\":{\"new\":0,\"ready\":1,"     \
    "\"run\":1,\"wait\":10,\"cancelling\":0},\"created\":31,\"finished\":17,\"failed\":1,"         \
    "\"cancelled\":2,\"untracked\":3,\"steps\":812},\"rates\":{\"created\":2.5},"                  \
    "\"loops\":[" LOOP "],\"memory\":" MEMORY ",\"agent\":{\"bytes\":13,\"bytes_max\":67,"         \
    "\"clients\":1,\"records\":12,\"records_max\":26},\"events\":3}"

static struct status status; /* too large for a frame */

static int
decode(const char *text)
{
    cJSON *json = cJSON_Parse(text);
    int r;

    if (!json)
        fail_msg("not JSON: %s", text);
    r = status_decode(json, &status);
    cJSON_Delete(json);
    return r;
}

static void
test_reads_all_of_it(void **state)
{
    const struct loop_status *loop = status.loops;

    (void)state;
    assert_int_equal(decode(STATUS), 0);
    assert_int_equal(status.pid, 41233);
    assert_int_equal(status.uid, 1000);
    assert_string_equal(status.python, "3.13.5");
    assert_int_equal(status.process_up_ns, 84);
    assert_true(status.readonly);
    assert_string_equal(status.hooks_state, "refused");
    assert_string_equal(status.hooks_message, "why");
    assert_true(status.walking);
    assert_int_equal(status.gil_waiting_ns, 4);
    assert_int_equal(status.tasks, 12);
    assert_int_equal(status.by_state[LOOPTOP_WAIT], 10);
    assert_int_equal(status.by_state[LOOPTOP_DONE], 0);
    assert_int_equal(status.untracked, 3);
    assert_true(status.created_per_s > 2.4 && status.created_per_s < 2.6);
    assert_true(isnan(status.failed_per_s));
    assert_int_equal(status.loops_count, 1);
    assert_string_equal(loop->thread, "MainThread");
    assert_int_equal(loop->running_task, 7);
    assert_false(loop->busy_exact);
    assert_true(loop->lag_by_probe);
    assert_true(isnan(loop->steps_per_s));
    assert_int_equal(loop->lag_now_ns, 800000);
    assert_true(loop->lag_p50_ns == STATUS_UNKNOWN);
    assert_true(loop->lag_max_ns == STATUS_UNKNOWN);
    assert_int_equal(status.memory.rss_bytes, 222298112);
    assert_true(status.memory.heap_bytes == STATUS_UNKNOWN);
    assert_int_equal(status.memory.gc_collections[1], 28);
    assert_true(status.memory.gc_collections[2] == STATUS_UNKNOWN);
    assert_int_equal(status.agent_records_max, 26);
    assert_int_equal(status.events, 3);
}

static void
test_takes_absence_for_not_known(void **state)
{
    (void)state;
    assert_int_equal(decode("{}"), 0);
    assert_int_equal(status.loops_count, 0);
    assert_string_equal(status.hooks_state, "");
    assert_true(isnan(status.created_per_s));
    assert_true(status.memory.rss_bytes == STATUS_UNKNOWN);
    assert_true(status.memory.gc_collections[0] == STATUS_UNKNOWN);
}

static void
test_refuses_other_types(void **state)
{
    static const char *const texts[] = {
        "[]",
        "{\"pid\":\"x\"}",
        "{\"pid\":1e10}",
        "{\"pid\":-1}",
        "{\"python\":3}",
        "{\"readonly\":1}",
        "{\"hooks\":[]}",
        "{\"hooks\":{\"state\":3}}",
        "{\"totals\":3}",
        "{\"totals\":{\"tasks\":-1}}",
        "{\"totals\":{\"by_state\":{\"run\":\"x\"}}}",
        "{\"rates\":{\"created\":\"x\"}}",
        "{\"rates\":{\"created\":1e999}}",
        "{\"loops\":{}}",
        "{\"loops\":[3]}",
        "{\"loops\":[{\"lag_ns\":3}]}",
        "{\"loops\":[{\"thread\":\"x\"}]}",
        "{\"memory\":3}",
        "{\"memory\":{\"gc\":3}}",
        "{\"memory\":{\"gc\":{\"collections\":[\"x\"]}}}",
        "{\"agent\":{\"clients\":1e12}}",
    };

    (void)state;
    status.tasks = 77;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (decode(texts[i]) != -EPROTO)
            fail_msg("taken: %s", texts[i]);
    assert_int_equal(status.tasks, 77); /* untouched */
}

static void
test_bounds_texts_and_lists(void **state)
{
    cJSON *root = cJSON_CreateObject(), *loops = cJSON_AddArrayToObject(root, "loops");
    char name[1000];

    (void)state;
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    cJSON_AddStringToObject(root, "python", name);
    for (int i = 0; i < STATUS_LOOPS_MAX + 5; i++) {
        cJSON *loop = cJSON_CreateObject();

        cJSON_AddStringToObject(loop, "kind", name);
        cJSON_AddItemToArray(loops, loop);
    }
    assert_int_equal(status_decode(root, &status), 0);
    cJSON_Delete(root);
    assert_int_equal(status.loops_count, STATUS_LOOPS_MAX);
    assert_true(strlen(status.python) < sizeof(status.python));
    assert_true(strlen(status.loops[3].kind) < sizeof(status.loops[3].kind));
}

static void
test_reads_histories(void **state)
{
    static double values[LOOPTOP_HISTORY];
    cJSON *json = cJSON_Parse("{\"a\":[1,null,3],\"b\":[],\"c\":7,\"d\":[\"x\",2]}");
    cJSON *large = cJSON_AddArrayToObject(json, "large");

    (void)state;
    for (int i = 0; i < LOOPTOP_HISTORY + 3; i++)
        cJSON_AddItemToArray(large, cJSON_CreateNumber(i));
    assert_int_equal(history_decode(json, "a", values), 3);
    assert_true(values[0] < 1.5 && isnan(values[1]) && values[2] > 2.5);
    assert_int_equal(history_decode(json, "b", values), 0);
    assert_int_equal(history_decode(json, "c", values), 0);
    assert_int_equal(history_decode(json, "none", values), 0);
    assert_int_equal(history_decode(NULL, "a", values), 0);
    assert_int_equal(history_decode(json, "d", values), 2);
    assert_true(isnan(values[0]));
    assert_int_equal(history_decode(json, "large", values), LOOPTOP_HISTORY);
    assert_int_equal((int)values[0], 3); /* the last of them */
    cJSON_Delete(json);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_all_of_it),
        cmocka_unit_test(test_takes_absence_for_not_known),
        cmocka_unit_test(test_refuses_other_types),
        cmocka_unit_test(test_bounds_texts_and_lists),
        cmocka_unit_test(test_reads_histories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
