/* SPDX-License-Identifier: MIT */
/* Small parts of the model: histories, tags, outcomes, combined filters, processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/model/find.h"
#include "client/model/history.h"
#include "client/model/model.h"
#include "client/model/process.h"
#include "common/clock.h"
#include "platform/proc.h"

static struct model model;

static void
histories(void **state)
{
    static struct history history;
    double values[LOOPTOP_HISTORY + 5];

    (void)state;
    for (int i = 0; i < LOOPTOP_HISTORY + 5; i++)
        values[i] = i;
    history_set(&history, values, LOOPTOP_HISTORY + 5);
    assert_int_equal(history.count, LOOPTOP_HISTORY);
    assert_true(history.values[0] == 5);
    history_set(&history, values, 2); /* 0 1 */
    history_join(&history, (double[]){9, 0, 7}, 3);
    assert_int_equal(history.count, 3);
    assert_true(history.values[0] == 9 && history.values[1] == 0 && history.values[2] == 7);
    history_push(&history, 1000.2, 3);
    history_push(&history, 1000.9, 8); /* the same second: the larger */
    history_push(&history, 1001.0, 1);
    assert_int_equal(history.count, 5);
    assert_true(history.values[3] == 8 && history.values[4] == 1);
    for (int i = 0; i < LOOPTOP_HISTORY; i++)
        history_push(&history, 2000 + i, i);
    assert_int_equal(history.count, LOOPTOP_HISTORY);
    assert_true(history.values[LOOPTOP_HISTORY - 1] == LOOPTOP_HISTORY - 1);
    assert_true(fabs(history_growth(&history) - 60) < 1e-9);
    history_set(&history, values, 5);
    assert_true(isnan(history_growth(&history)));
}

static void
tags(void **state)
{
    struct tags tags = {0};
    struct tag tag = {.id = 1, .name = "a"};

    (void)state;
    for (uint64_t i = 1; i <= LOOPTOP_CANCEL_MAX; i++) {
        tag.id = i;
        assert_int_equal(tags_toggle(&tags, &tag), 0);
    }
    tag.id = LOOPTOP_CANCEL_MAX + 1;
    assert_true(tags_toggle(&tags, &tag) < 0);
    tag.id = 7;
    assert_int_equal(tags_toggle(&tags, &tag), 0);
    assert_false(tags_has(&tags, 7));
    assert_true(tags_has(&tags, 8));
    assert_int_equal(tags.count, LOOPTOP_CANCEL_MAX - 1);
    tags_clear(&tags);
    assert_false(tags_has(&tags, 8));
    tags_done(&tags);
}

static void
outcomes(void **state)
{
    static struct outcomes outcomes;
    struct cancel_result result = {
        .id = 2, .outcome = LOOPTOP_OUTCOME_CANCELLED, .after_ns = 3000000};
    uint64_t now = CLOCK_NS_PER_S;

    (void)state;
    outcomes_asked(&outcomes, 2, now);
    assert_true(outcomes_find(&outcomes, 2, now + 1000 * CLOCK_NS_PER_S)->open); /* for ever */
    outcomes_answered(&outcomes, &result, now);
    assert_int_equal(outcomes_find(&outcomes, 2, now)->kind, NOTE_INFO);
    assert_null(outcomes_find(&outcomes, 2, now + 11 * CLOCK_NS_PER_S));
    assert_null(outcomes_find(&outcomes, 3, now));
    assert_null(outcomes_find(&outcomes, 0, now));
    for (uint64_t i = 100; i < 100 + 2 * OUTCOMES_MAX; i++)
        outcomes_failed(&outcomes, i, "why", now);
    assert_null(outcomes_find(&outcomes, 100, now));
    assert_string_equal(outcomes_find(&outcomes, 611, now)->text, "not cancelled: why");
}

static void
combined_filters(void **state)
{
    char out[64];

    (void)state;
    assert_int_equal(find_filter(NULL, "web", 0, out, sizeof out), 0);
    assert_string_equal(out, " web");
    assert_int_equal(find_filter("a | b", "c|d", 7, out, sizeof out), 0);
    assert_string_equal(out, "a  c | a  d |  b c |  b d | id:7");
    assert_int_equal(find_filter("name:\"x|y\"", "z", 0, out, sizeof out), 0);
    assert_string_equal(out, "name:\"x|y\" z");
    assert_true(find_filter("a", "0123456789", 0, out, 12) < 0);
    assert_int_equal(find_filter("a", "0123456789", 0, out, 13), 0);
    assert_true(find_filter("a", "0123456789", 7, out, 18) < 0);
    assert_true(find_filter("a|a|a|a|a|a|a|a|a|a|a|a|a|a|a|a|a", "b", 0, out, sizeof out) < 0);
}

static void
expect_name(const char *args, size_t n, const char *name)
{
    char out[64];

    process_name_of(args, n, out, sizeof out);
    assert_string_equal(out, name);
}

#define NAME(args, name) expect_name(args, sizeof args, name)

static void
process_names(void **state)
{
    (void)state;
    NAME("python3\0-X\0dev\0/srv/app.py\0--port", "app.py");
    NAME("/usr/bin/python3.13\0-m\0uvicorn\0app:app", "uvicorn");
    NAME("python\0-c\0import x", "python");
    NAME("python", "python");
    NAME("gunicorn: master [x]", "gunicorn: master [x]");
    NAME("python\0-m", "python");
    NAME("python\0a\x1b[31m", "a?[31m");
    expect_name("", 0, "");
}

static struct loop_status *
add_loop(const char *kind, int64_t lag, int64_t iteration)
{
    struct loop_status *loop = &model.status.loops[model.status.loops_count++];

    *loop = (struct loop_status){.lag_now_ns = lag, .iteration_for_ns = iteration};
    snprintf(loop->state, sizeof loop->state, "%s", kind);
    return loop;
}

static void
worst_loop(void **state)
{
    (void)state;
    memset(&model, 0, sizeof model);
    assert_null(model_worst_loop(&model.status));
    add_loop("closed", 9000000000, 9000000000);
    assert_null(model_worst_loop(&model.status));
    struct loop_status *calm = add_loop("running", 1000, 0);
    assert_ptr_equal(model_worst_loop(&model.status), calm);
    struct loop_status *late = add_loop("running", 300000000, 0);
    assert_ptr_equal(model_worst_loop(&model.status), late);
    struct loop_status *blocked = add_loop("running", 2000, 1840000000);
    assert_ptr_equal(model_worst_loop(&model.status), blocked);
    assert_false(model_loop_blocked(&model.status, blocked));
    snprintf(model.status.hooks_state, sizeof model.status.hooks_state, "active");
    assert_true(model_loop_blocked(&model.status, blocked));
    assert_false(model_loop_blocked(&model.status, late));
}

/* Another process may have the number: the time of its start tells. */
static void
process_ends(void **state)
{
    uint64_t start_ns;
    pid_t child;

    (void)state;
    assert_int_equal(proc_start_ns(NULL, getpid(), &start_ns), 0);
    assert_false(process_ended(getpid(), start_ns));
    assert_false(process_ended(getpid(), 0)); /* it could not be read */
    assert_true(process_ended(getpid(), start_ns + 10000000));
    child = fork();
    if (child == 0)
        _exit(0);
    assert_int_equal(waitid(P_PID, (id_t)child, &(siginfo_t){0}, WEXITED | WNOWAIT), 0);
    assert_true(process_ended(child, 0)); /* a zombie */
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(process_ended(child, 0));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(histories),
        cmocka_unit_test(tags),
        cmocka_unit_test(outcomes),
        cmocka_unit_test(combined_filters),
        cmocka_unit_test(process_names),
        cmocka_unit_test(process_ends),
        cmocka_unit_test(worst_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
