/* SPDX-License-Identifier: MIT */
/* LINK: tests/golden/golden.c */
/* The list of processes against the files beside this one; GENERATE=1 writes them anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/model/model.h"
#include "client/screen/keys.h"
#include "client/view/list_screen.h"
#include "client/view/registry.h"
#include "golden.h"

#define NOW_S 1795212345.0 /* 2026-11-20 13:25:45 UTC */
#define ROWS 60

static const struct {
    int cols, rows;
} sizes[] = {{80, 24}, {120, 40}, {40, 10}};

static const struct {
    const char *python, *loop, *command;
    enum process_agent state;
    int64_t tasks, lag_ns, rss, up_ns;
    double busy_pct, cpu_pct;
    bool exact;
} kinds[] = {
    {"3.13.5", "uvloop", "python -m uvicorn orders:app --port 8000 --workers 4 --log-level warning",
        PROCESS_ANSWERED, 1284, 800000, 212 << 20, 273600000000000, 31.4, 34.1, true},
    {"3.13.5", "uvloop", "worker of 41233: python -m uvicorn orders:app --port 8000",
        PROCESS_ANSWERED, 103271, 412000000, 98 << 20, 4000000000, 98.7, 99.6, false},
    {"3.11.2", "asyncio", "python3 jobs.py", PROCESS_NO_AGENT, -1, -1, 20 << 20, 61000000000,
        (double)NAN, 0, false},
    {"3.15.0b1", "asyncio", "python3 stuck.py", PROCESS_SILENT, -1, -1, 20 << 20, 7200000000000,
        (double)NAN, 120.5, false},
    {"3.12.1", "asyncio", "python3 old.py", PROCESS_REFUSED, -1, -1, 20 << 20, 7200000000000,
        (double)NAN, 0.2, false},
    {"", "asyncio", "\x1b[31m\xff evil 漢字 \xe2\x80\xae name\n", PROCESS_ANSWERED, 0, 0, -1, -1, 0,
        (double)NAN, true},
};

static void
fill(struct process_row *row, int index)
{
    size_t kind = (size_t)index % (sizeof kinds / sizeof *kinds);

    *row = (struct process_row){.pid = 41233 + index * 7,
        .start_ns = 1,
        .state = kinds[kind].state,
        .busy_exact = kinds[kind].exact,
        .tasks = kinds[kind].tasks,
        .lag_ns = kinds[kind].lag_ns,
        .rss = kinds[kind].rss,
        .up_ns = kinds[kind].up_ns,
        .busy_pct = kinds[kind].busy_pct,
        .cpu_pct = kinds[kind].cpu_pct};
    snprintf(row->user, sizeof row->user, "orders");
    snprintf(row->python, sizeof row->python, "%s", kinds[kind].python);
    snprintf(row->loop, sizeof row->loop, "%s", kinds[kind].loop);
    snprintf(row->command, sizeof row->command, "%s", kinds[kind].command);
}

/* A model with so many processes, the third of which is selected. */
static void
list_model(struct model *model, int count, bool users)
{
    static struct process_row rows[ROWS];

    model_init(model, 0);
    model->now_s = NOW_S;
    model->now_ns = 3600000000000;
    model->interval_s = 1;
    for (int i = 0; i < count; i++) {
        fill(&rows[i], i);
        if (users && i % 2) {
            rows[i].uid = 1000;
            snprintf(rows[i].user, sizeof rows[i].user, "a-long-user-name");
        }
    }
    assert_int_equal(processes_take(&model->processes, rows, (size_t)count), 0);
    processes_move(&model->processes, 2);
}

static void
draw(struct list_screen *screen, struct model *model, struct surface *surface)
{
    int x, y;

    list_screen_layout(screen, model, surface->cols, surface->rows);
    list_screen_draw(screen, model, surface, &x, &y);
}

static void
check(const char *name, struct model *model, int cols, int rows, bool ascii, const char *prompt)
{
    struct list_screen screen;
    struct surface surface;
    char full[128];

    assert_int_equal(surface_init(&surface, cols, rows, ascii), 0);
    assert_int_equal(list_screen_open(&screen, model), 0);
    if (strcmp(name, "list-help") == 0)
        assert_int_equal(view_open(&screen.popup, &help_view, model), 0);
    if (prompt) {
        screen.prompt.open = true;
        screen.prompt.label = "Filter";
        screen.prompt.hint = "the hint";
        line_edit_init(&screen.prompt.edit, prompt, LOOPTOP_FILTER_MAX, NULL);
    }
    draw(&screen, model, &surface);
    snprintf(full, sizeof full, "%s-%dx%d%s", name, cols, rows, ascii ? "-ascii" : "");
    golden_check(full, &surface, cols == 80 && !ascii);
    list_screen_close(&screen);
    surface_done(&surface);
}

static void
check_sizes(const char *name, struct model *model)
{
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        check(name, model, sizes[i].cols, sizes[i].rows, false, NULL);
    check(name, model, 80, 24, true, NULL);
    model_done(model);
}

static void
few(void **state)
{
    static struct model model;

    (void)state;
    list_model(&model, 6, false);
    check_sizes("list", &model);
}

static void
many_of_several_users(void **state)
{
    static struct model model;

    (void)state;
    list_model(&model, ROWS, true);
    processes_sort(&model.processes, PROCESS_CPU, false);
    processes_move(&model.processes, 30);
    check_sizes("list-many", &model);
}

static void
none(void **state)
{
    static struct model model;

    (void)state;
    list_model(&model, 0, false);
    check_sizes("list-none", &model);
}

static void
not_looked_yet(void **state)
{
    static struct model model;

    (void)state;
    model_init(&model, 0);
    model.now_s = NOW_S;
    model.interval_s = 0.5;
    check("list-early", &model, 80, 24, false, NULL);
    model_done(&model);
}

static void
filtered(void **state)
{
    static struct model model;

    (void)state;
    list_model(&model, ROWS, false);
    processes_set_filter(&model.processes, "uvicorn");
    model.paused = true;
    check("list-filter", &model, 80, 24, false, "uvicorn");
    processes_set_filter(&model.processes, "*no such program*");
    check("list-no-match", &model, 80, 24, false, NULL);
    model_done(&model);
}

static void
refusal(void **state)
{
    static struct model model;

    (void)state;
    list_model(&model, 6, false);
    model_note(&model, NOTE_ERROR,
        "no agent in process 41247 (python3 jobs.py): none was started, or it was detached: start "
        "it with `looptop run`, or call looptop.start() in it");
    check_sizes("list-refusal", &model);
}

static void
help(void **state)
{
    static struct model model;

    (void)state;
    list_model(&model, 6, false);
    check_sizes("list-help", &model);
}

/* At any size, after any keys: nothing fails, and no harm is drawn. */
static void
any_size(void **state)
{
    static const int keys[] = {KEYS_RIGHT, KEYS_LEFT, '>', '<', 'I', KEYS_ENTER, '?', 0x6F22};
    static struct model model;
    unsigned seed = 20261122;

    (void)state;
    for (int round = 0; round < 600; round++) {
        struct list_screen screen;
        struct surface surface;
        struct action action;

        seed = seed * 1103515245u + 12345u;
        list_model(&model, (int)(seed >> 16) % (ROWS + 1), seed >> 9 & 1);
        if (seed >> 10 & 1)
            model_note(&model, NOTE_ERROR, "%s", kinds[seed % 6].command);
        assert_int_equal(surface_init(&surface, 1 + (int)(seed >> 8) % 150,
                             1 + (int)(seed >> 20) % 40, seed >> 11 & 1),
            0);
        assert_int_equal(list_screen_open(&screen, &model), 0);
        draw(&screen, &model, &surface);
        for (int i = 0; i < 8; i++) {
            view_key(list_screen_active(&screen), &model, keys[(seed >> i) % 8], &action);
            if (action.kind == ACTION_SORT)
                processes_sort(&model.processes, (enum process_column)action.amount, i & 1);
        }
        draw(&screen, &model, &surface);
        golden_check_cells(&surface);
        list_screen_close(&screen);
        surface_done(&surface);
        model_done(&model);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few),
        cmocka_unit_test(many_of_several_users),
        cmocka_unit_test(none),
        cmocka_unit_test(not_looked_yet),
        cmocka_unit_test(filtered),
        cmocka_unit_test(refusal),
        cmocka_unit_test(help),
        cmocka_unit_test(any_size),
    };

    setenv("TZ", "UTC", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
