/* SPDX-License-Identifier: MIT */
/* LINK: tests/golden/golden.c tests/golden/fixture.c */
/* Whole screens against the files beside this one; GENERATE=1 writes them anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client/screen/keys.h"
#include "client/view/cancel.h"
#include "client/view/registry.h"
#include "fixture.h"
#include "golden.h"

static const struct {
    int cols, rows;
} sizes[] = {{80, 24}, {120, 40}, {40, 10}};
#define SIZES (sizeof sizes / sizeof *sizes)

/* Draws the model at a size; `open` (NULL: nothing) is opened over it as a popup. */
static void
check(const char *name, struct model *model, int cols, int rows, bool ascii,
    const struct view_ops *open)
{
    static struct fixture_screen fixture;
    char full[128];

    fixture_screen(&fixture, model, cols, rows, ascii);
    if (model->detail.id)
        assert_int_equal(view_open(&fixture.screen.detail, &detail_view, model), 0);
    if (open)
        assert_int_equal(view_open(&fixture.screen.popup, open, model), 0);
    fixture_draw(&fixture, model);
    snprintf(full, sizeof full, "%s-%dx%d%s", name, cols, rows, ascii ? "-ascii" : "");
    golden_check(full, &fixture.surface, cols == 80 && !ascii);
    fixture_screen_done(&fixture);
}

/* At all sizes, and one of them in ASCII. */
static void
check_sizes(const char *name, struct model *model, const struct view_ops *open)
{
    for (size_t i = 0; i < SIZES; i++)
        check(name, model, sizes[i].cols, sizes[i].rows, false, open);
    check(name, model, 80, 24, true, open);
}

static void
tasks_by_count(void **state)
{
    static const uint64_t counts[] = {0, 1, 10000};
    static struct model model;
    char name[64];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        fixture_model(&model, counts[i]);
        snprintf(name, sizeof name, "tasks-%u", (unsigned)counts[i]);
        check_sizes(name, &model, NULL);
        model_done(&model);
    }
}

static void
tasks_hostile(void **state)
{
    static struct model model;

    (void)state;
    fixture_model(&model, 40);
    fixture_hostile(&model);
    check_sizes("tasks-hostile", &model, NULL);
    model_done(&model);
}

static void
tasks_marked(void **state)
{
    static struct model model;
    struct cancel_result result = {.id = 5,
        .name = "upload-5",
        .outcome = LOOPTOP_OUTCOME_SUPPRESSED,
        .after_ns = 2000000000,
        .at = "/srv/orders/worker.py:55 loop"};
    struct tag tag;

    (void)state;
    fixture_model(&model, 10000);
    model.status.tasks = 9980; /* the rest has ended */
    model_set_filter(&model, "state:wait age>30s");
    model.page.matched = 300;
    window_move(&model.window, &model.page, 2);
    model_select(&model);
    for (size_t i = 1; i < 3; i++) {
        tag_of(&model.page.rows[i], &tag);
        assert_int_equal(tags_toggle(&model.tags, &tag), 0);
    }
    outcomes_asked(&model.outcomes, 4, model.now_ns);
    outcomes_answered(&model.outcomes, &result, model.now_ns);
    check_sizes("tasks-marked", &model, NULL);
    model_done(&model);
}

static void
tasks_away(void **state)
{
    static struct model model;

    (void)state;
    fixture_model(&model, 10000);
    model.status.tasks = 9980; /* the rest has ended */
    window_move(&model.window, &model.page, 30);
    model.window.away = 950;
    model.page.offset = 8; /* the first rows have not arrived */
    check("tasks-away", &model, 80, 24, false, NULL);
    model_done(&model);
}

static void
tasks_columns(void **state)
{
    static struct model model;
    static struct fixture_screen fixture;
    struct action action;

    (void)state;
    fixture_model(&model, 100);
    model.query.sort = LOOPTOP_COL_BUSY;
    model.query.reverse = true;
    model.hidden_columns = 1u << 3;
    fixture_screen(&fixture, &model, 80, 24, false);
    for (int i = 0; i < 4; i++)
        view_key(&fixture.screen.tasks, &model, KEYS_RIGHT, &action);
    assert_int_equal(action.kind, ACTION_REDRAW);
    fixture_draw(&fixture, &model);
    golden_check("tasks-columns-80x24", &fixture.surface, false);
    fixture_screen_done(&fixture);
    check("tasks", &model, 200, 50, false, NULL);
    model_done(&model);
}

static void
empty_reasons(void **state)
{
    static const char *const states[] = {"waiting", "refused", "dormant"};
    static struct model model;
    char name[64];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        fixture_model(&model, 0);
        snprintf(model.status.hooks_state, sizeof model.status.hooks_state, "%s", states[i]);
        snprintf(model.status.hooks_message, sizeof model.status.hooks_message,
            "a free-threaded build of CPython 3.14");
        snprintf(name, sizeof name, "hooks-%s", states[i]);
        check(name, &model, 80, 24, false, NULL);
        model_done(&model);
    }
    fixture_model(&model, 0);
    model.status.loops_count = 0;
    check("no-loop", &model, 80, 24, false, NULL);
    model_set_filter(&model, "name:nobody");
    check("no-match", &model, 80, 24, false, NULL);
    model_done(&model);
    model_init(&model, 1);
    model.now_s = FIXTURE_NOW_S;
    check("no-answer", &model, 80, 24, false, NULL);
    model_done(&model);
}

static void
header_blocked(void **state)
{
    static struct model model;

    (void)state;
    fixture_model(&model, 1282);
    model.status.loops[0].iteration_for_ns = 1840000000;
    model.status.loops[0].running_task = 1;
    check_sizes("blocked", &model, NULL);
    model.status.loops[0].running_task = 0;
    check("blocked-callback", &model, 80, 24, false, NULL);
    snprintf(model.status.hooks_state, sizeof model.status.hooks_state, "dormant");
    check("blocked-dormant", &model, 80, 24, false, NULL);
    model_done(&model);
}

static void
header_unknown(void **state)
{
    static struct model model;
    struct loop_status *loop;

    (void)state;
    fixture_model(&model, 12);
    loop = &model.status.loops[0];
    loop->lag_now_ns = loop->lag_p50_ns = loop->lag_p99_ns = loop->lag_max_ns = STATUS_UNKNOWN;
    loop->busy_exact = false;
    model.status.memory.rss_bytes = model.status.memory.heap_bytes = STATUS_UNKNOWN;
    model.status.memory.blocks = model.status.memory.gc_pause_ns_per_s = STATUS_UNKNOWN;
    model.status.untracked = 31000;
    model.status.walking = true;
    model.status.loops[1] = *loop;
    model.status.loops_count = 2;
    model.lag.count = model.busy.count = 5;
    check_sizes("unknown", &model, NULL);
    model_done(&model);
}

static void
banners(void **state)
{
    static struct model model;

    (void)state;
    fixture_model(&model, 100);
    model.link = (struct link){.state = LINK_SILENT,
        .since_ns = FIXTURE_NOW_NS - 2100000000,
        .waiting_for = "the next update"};
    check("silent", &model, 80, 24, false, NULL);
    model.link.state = LINK_GONE;
    model.link.retry_ns = FIXTURE_NOW_NS + 1900000000;
    snprintf(model.link.reason, sizeof model.link.reason, "agent stopped or detached");
    check_sizes("gone", &model, NULL);
    snprintf(model.link.reason, sizeof model.link.reason,
        "the agent in process 41233 is 0.2.0 and speaks protocol 2, this is looptop 0.1.0 with "
        "protocol 1: use the looptop it was started with");
    check("gone-long", &model, 80, 24, false, NULL);
    model.link.state = LINK_ENDED;
    snprintf(model.link.reason, sizeof model.link.reason, "process 41233 has ended");
    check_sizes("ended", &model, NULL);
    model.link.state = LINK_LIVE;
    model.status.gil_waiting_ns = 1200000000;
    check("gil", &model, 80, 24, false, NULL);
    model.status.gil_waiting_ns = 0;
    model.paused = true;
    model_note(&model, NOTE_ERROR, "cancelling is off: %s", "looptop was started with --readonly");
    check("paused", &model, 80, 24, false, NULL);
    model_done(&model);
}

/* A task that failed: its frames are gone, those that were seen before stay. */
static void
detail_ended(void **state)
{
    static struct model model;

    (void)state;
    for (unsigned frames = 0; frames <= 4; frames += 4) {
        struct stack stack = {.id = 2, .state = LOOPTOP_FAILED, .complete = true};
        fixture_model(&model, 100);
        fixture_detail(&model, 2, frames);
        struct task_row *row = &model.detail.page.rows[0];
        row->state = LOOPTOP_FAILED;
        row->exception = "TimeoutError";
        row->ended_ns = 3000000000;
        detail_take_stack(&model.detail, &stack, 1);
        check(frames ? "detail-ended" : "detail-ended-before", &model, 80, 24, false, NULL);
        model_done(&model);
    }
}

static void
detail(void **state)
{
    static struct model model;

    (void)state;
    fixture_model(&model, 100);
    fixture_detail(&model, 2, 4);
    check_sizes("detail", &model, NULL);
    check("detail", &model, 200, 50, false, NULL);
    check("detail", &model, 40, 6, false, NULL);
    snprintf(model.detail.error, sizeof model.detail.error, "no stack: the task has ended");
    model.detail.gone = true;
    model.detail.stack.complete = false;
    model.detail.stack.reason = "a cycle";
    check("detail-gone", &model, 80, 24, false, NULL);
    model_done(&model);
    fixture_model(&model, 100);
    detail_open(&model.detail, 7);
    model.detail.asked_ns = FIXTURE_NOW_NS - 900000000;
    model.status.gil_waiting_ns = 900000000;
    check("detail-pending", &model, 80, 24, false, NULL);
    model.detail.asked_ns = 0;
    model.paused = true;
    check("detail-paused", &model, 80, 24, false, NULL);
    model_done(&model);
}

static void
popups(void **state)
{
    static struct model model;

    (void)state;
    fixture_model(&model, 100);
    check_sizes("help", &model, &help_view);
    check("help", &model, 160, 40, false, &help_view);
    check("help", &model, 200, 50, false, &help_view);
    check_sizes("sort", &model, &sort_menu_view);
    model.hidden_columns = 1u << 4;
    check_sizes("columns", &model, &column_menu_view);
    model_done(&model);
}

static void
check_cancel(struct model *model, size_t count, int cols, int rows)
{
    static struct fixture_screen fixture;
    static struct tag tags[64];
    char name[64];

    for (size_t i = 0; i < count; i++)
        tag_of(&model->page.rows[i], &tags[i]);
    fixture_screen(&fixture, model, cols, rows, false);
    if (model->detail.id)
        assert_int_equal(view_open(&fixture.screen.detail, &detail_view, model), 0);
    assert_int_equal(view_open(&fixture.screen.popup, &cancel_view, model), 0);
    assert_int_equal(cancel_ask(&fixture.screen.popup, tags, count, count > 1), 0);
    fixture_draw(&fixture, model);
    snprintf(name, sizeof name, "cancel%s%s-%zu-%dx%d", model->detail.id ? "-detail" : "",
        tags[0].running ? "-run" : "", count, cols, rows);
    golden_check(name, &fixture.surface, cols == 80);
    fixture_screen_done(&fixture);
}

static void
cancel(void **state)
{
    static const size_t counts[] = {1, 7, 37};
    static const struct task_site far = {
        "/srv/orders/a/very/long/path/that/does/not/fit/into/one/line/shop.py", "serve", 228};
    static struct model model;

    (void)state;
    fixture_model(&model, 100);
    model.page.rows[0].state = LOOPTOP_RUN;
    check_cancel(&model, 1, 80, 24);
    model.page.rows[0].state = LOOPTOP_WAIT;
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < SIZES; k++)
            check_cancel(&model, counts[i], sizes[k].cols, sizes[k].rows);
    model.page.rows[0].at = &far;
    fixture_detail(&model, 2, 4);
    for (size_t k = 0; k < SIZES; k++)
        check_cancel(&model, 1, sizes[k].cols, sizes[k].rows);
    model_done(&model);
}

static void
prompt(void **state)
{
    static struct model model;
    static struct fixture_screen fixture;
    struct frame_prompt *typed = &fixture.screen.prompt;

    (void)state;
    fixture_model(&model, 100);
    fixture_screen(&fixture, &model, 80, 24, false);
    typed->open = true;
    typed->label = "Filter";
    line_edit_init(&typed->edit, "state:wait age>soon", LOOPTOP_FILTER_MAX, NULL);
    fixture_draw(&fixture, &model);
    golden_check("prompt-80x24", &fixture.surface, true);
    snprintf(typed->error, sizeof typed->error, "expected a time such as 30s");
    typed->column = 16;
    fixture_draw(&fixture, &model);
    golden_check("prompt-error-80x24", &fixture.surface, true);
    fixture_screen_done(&fixture);
    model_done(&model);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_by_count),
        cmocka_unit_test(tasks_hostile),
        cmocka_unit_test(tasks_marked),
        cmocka_unit_test(tasks_away),
        cmocka_unit_test(tasks_columns),
        cmocka_unit_test(empty_reasons),
        cmocka_unit_test(header_blocked),
        cmocka_unit_test(header_unknown),
        cmocka_unit_test(banners),
        cmocka_unit_test(detail),
        cmocka_unit_test(detail_ended),
        cmocka_unit_test(popups),
        cmocka_unit_test(cancel),
        cmocka_unit_test(prompt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
