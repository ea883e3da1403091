/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAGE_MAX 240
#define HOSTILE_TAIL "31m \xff\xfe broken" /* apart, since hex digits would run on */
#define NAME_BYTES 160
#define S 1000000000ull
#define MS 1000000ull

static struct task_site sites[] = {
    {"/srv/orders/report.py", "render", 61},
    {"/srv/orders/orders.py", "get_order", 88},
    {"/srv/orders/db.py", "fetch", 140},
    {"/srv/orders/worker.py", "loop", 31},
    {"/srv/orders/middleware/authentication.py", "dispatch", 203},
    {"/srv/orders/server.py", "serve", 12},
};

static const struct {
    const char *name, *coroutine, *waiting_on, *exception;
    enum looptop_state state;
    int site;
    uint64_t age, idle, busy, longest, steps;
    double pct;
    bool inexact, stale;
} kinds[] = {
    {"report-", "orders.report.render", NULL, NULL, LOOPTOP_RUN, 0, 2100 * MS, 1840 * MS, 2000 * MS,
        1840 * MS, 7, 98.1, false, true},
    {"Task-", "orders.handlers.get_order", "Lock.acquire", NULL, LOOPTOP_WAIT, 1, 252 * S, 252 * S,
        3 * MS, 900000, 41, 0, false, false},
    {"heartbeat-", "orders.beat.run", "sleep", NULL, LOOPTOP_WAIT, 3, 273600 * S, 1800 * MS, 81 * S,
        60 * MS, 152000, 0.1, true, false},
    {"worker-", "orders.worker.Worker.loop", NULL, NULL, LOOPTOP_READY, 3, 31 * S, 14 * MS,
        512 * MS, 9 * MS, 812, 2.0, false, false},
    {"upload-", "orders.s3.put", "Future", NULL, LOOPTOP_CANCELLING, 2, 55 * S, 31 * S, 4 * MS,
        2 * MS, 12, 0, false, false},
    {"job-", "orders.jobs.run", NULL, "ValueError", LOOPTOP_FAILED, 2, 12 * S, 3 * S, 4 * MS,
        2 * MS, 12, 0, false, false},
    {"job-", "orders.jobs.run", NULL, NULL, LOOPTOP_DONE, 2, 12 * S, 3 * S, 4 * MS, 2 * MS, 12, 0,
        false, false},
    {"job-", "orders.jobs.run", NULL, NULL, LOOPTOP_CANCELLED, -1, 12 * S, 3 * S, 4 * MS, 2 * MS,
        12, 0, false, false},
    {"Task-", "uvicorn.protocols.http.h11_impl.RequestResponseCycle.run_asgi", NULL, NULL,
        LOOPTOP_NEW, -1, 0, 0, 0, 0, 0, 0, false, false},
    {"Task-", "orders.handlers.list_orders", "Future", NULL, LOOPTOP_WAIT, 4, 61 * S, 59 * S,
        800 * MS, 70 * MS, 99, 61.5, false, true},
};

#define KINDS (sizeof kinds / sizeof *kinds)

static void
fill_row(struct task_row *row, uint64_t index, char *name)
{
    size_t kind = index % KINDS;
    bool ended = kinds[kind].state >= LOOPTOP_DONE;

    snprintf(name, NAME_BYTES, "%s%u", kinds[kind].name, (unsigned)index + 1);
    *row = (struct task_row){
        .id = index + 1,
        .parent = index > 0,
        .loop = 1,
        .steps = kinds[kind].steps,
        .name = name,
        .coroutine = kinds[kind].coroutine,
        .waiting_on = kinds[kind].waiting_on,
        .exception = kinds[kind].exception,
        .at = kinds[kind].site >= 0 ? &sites[kinds[kind].site] : NULL,
        .created_at = &sites[5],
        .state = kinds[kind].state,
        .age_exact = !kinds[kind].inexact,
        .at_stale = kinds[kind].stale,
        .age_ns = kinds[kind].age,
        .idle_ns = kinds[kind].idle,
        .busy_ns = kinds[kind].busy,
        .max_step_ns = kinds[kind].longest,
        .ended_ns = ended ? (int64_t)(3 * S) : -1,
        .queued_ns = kinds[kind].state == LOOPTOP_READY ? (int64_t)(4 * MS)
                     : kinds[kind].state == LOOPTOP_NEW ? 0
                                                        : -1,
        .busy_pct = kinds[kind].pct,
    };
}

static void
fill_page(struct task_page *page, uint64_t tasks)
{
    size_t count = tasks < PAGE_MAX ? (size_t)tasks : PAGE_MAX;

    *page = (struct task_page){.count = count,
        .rows = calloc(count + 1, sizeof *page->rows),
        .text = calloc(count + 1, NAME_BYTES),
        .total = tasks,
        .matched = tasks,
        .focus_index = -1};
    for (size_t i = 0; i < count; i++)
        fill_row(&page->rows[i], i, page->text + i * NAME_BYTES);
}

static void
fill_loop(struct loop_status *loop, uint64_t tasks)
{
    *loop = (struct loop_status){.id = 1,
        .tasks = tasks,
        .kind = "uvloop",
        .state = "running",
        .tid = 41233,
        .thread = "MainThread",
        .busy_pct = 31,
        .iterations_per_s = 900,
        .callbacks_per_s = 9000,
        .steps_per_s = 8100,
        .busy_exact = true,
        .lag_now_ns = 800000,
        .lag_p50_ns = 400000,
        .lag_p90_ns = 2000000,
        .lag_p99_ns = 12000000,
        .lag_max_ns = 412000000};
}

static void
fill_status(struct status *status, uint64_t tasks)
{
    *status = (struct status){.time_s = FIXTURE_NOW_S,
        .pid = 41233,
        .python = "3.13.5",
        .process_up_ns = 273600 * S,
        .agent_up_ns = 3600 * S,
        .hooks_state = "active",
        .tasks = tasks,
        .created = 2 * tasks,
        .finished = tasks,
        .steps = 81000,
        .created_per_s = 91,
        .finished_per_s = 90,
        .failed_per_s = 0.2,
        .steps_per_s = 8100,
        .loops_count = 1,
        .memory = {.rss_bytes = 222298112,
            .heap_bytes = 155189248,
            .blocks = 1900000,
            .gc_pause_ns_per_s = 2100000,
            .agent_bytes = 1310720},
        .agent_bytes = 1310720,
        .agent_bytes_max = 67108864,
        .agent_records = tasks};
    status->by_state[LOOPTOP_RUN] = tasks > 0;
    status->by_state[LOOPTOP_READY] = tasks / 10;
    status->by_state[LOOPTOP_WAIT] = tasks - tasks / 10 - (tasks > 0);
    fill_loop(&status->loops[0], tasks);
}

static void
fill_histories(struct model *model, uint64_t tasks)
{
    static double lag[LOOPTOP_HISTORY], busy[LOOPTOP_HISTORY], count[LOOPTOP_HISTORY],
        rss[LOOPTOP_HISTORY];

    for (int i = 0; i < LOOPTOP_HISTORY; i++) {
        lag[i] = i % 97 == 0 ? 412e6 : i % 31 == 0 ? 80e6 : 3e5 + 2e5 * (i % 7);
        busy[i] = 20 + i % 40;
        count[i] = (double)tasks * (0.5 + i / 1200.0);
        rss[i] = 150e6 + 120e3 * i;
    }
    history_set(&model->lag, lag, LOOPTOP_HISTORY);
    history_set(&model->busy, busy, LOOPTOP_HISTORY);
    history_set(&model->tasks, count, LOOPTOP_HISTORY);
    history_set(&model->rss, rss, LOOPTOP_HISTORY);
}

void
fixture_model(struct model *model, uint64_t tasks)
{
    struct task_page page;
    static struct status status;

    setenv("TZ", "UTC", 1);
    tzset();
    model_init(model, 41233);
    snprintf(model->name, sizeof model->name, "uvicorn");
    snprintf(model->command, sizeof model->command, "python -m uvicorn orders:app --port 8000");
    snprintf(model->python, sizeof model->python, "3.13.5");
    model->interval_s = 1;
    model->now_s = FIXTURE_NOW_S;
    model->now_ns = FIXTURE_NOW_NS;
    model->query = (struct task_query){.sort = LOOPTOP_COL_IDLE, .finished = true};
    model->window.height = 20;
    fill_histories(model, tasks);
    fill_status(&status, tasks);
    model_take_status(model, &status);
    fill_page(&page, tasks);
    model_take_page(model, &page, 0);
}

void
fixture_hostile(struct model *model)
{
    static const char *const names[] = {"\x1b[31mred\x1b[0m \x07", "tab\tand\nnewline\r",
        "漢字の長い名前のタスクです、とても長い名前", "a\xe2\x80\xaegnp.exe",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "e\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81 zalgo", "\xf0\x9f\x98\x80 emoji",
        ("\x9b" HOSTILE_TAIL), "\xe2\x80\x8b\xef\xbb\xbf invisible", ""};
    size_t count = sizeof names / sizeof *names;

    for (size_t i = 0; i < model->page.count; i++) {
        struct task_row *row = &model->page.rows[i];
        row->name = names[i % count];
        row->coroutine = names[(i + 2) % count];
        row->waiting_on = row->waiting_on ? names[(i + 3) % count] : NULL;
    }
}

static char *
put(char **arena, const char *text)
{
    char *place = *arena;

    memcpy(place, text, strlen(text) + 1);
    *arena += strlen(text) + 1;
    return place;
}

static void
fill_locals(struct stack_frame *frame, unsigned count)
{
    static struct stack_local locals[] = {
        {"self", "orders.handlers.Handler", NULL, -1},
        {"sql", "str", "'select * from orders where id = $1'", -1},
        {"seen", "list", NULL, 12},
        {"text", "str", "'a long text that was cut at some place because it is too long", 4096},
        {"retries", "int", "0", -1},
        {"timeout", "float", "2.5", -1},
        {"user", "orders.users.User", NULL, -1},
        {"ok", "bool", "True", -1},
    };

    frame->locals = locals;
    frame->locals_count = count < 8 ? count : 8;
    frame->more_locals = count > 8 ? count - 8 : 0;
}

void
fixture_detail(struct model *model, uint64_t id, unsigned frames)
{
    struct stack stack = {.id = id, .state = LOOPTOP_WAIT, .complete = true, .awaits = "Future"};
    size_t frames_bytes = frames * sizeof *stack.frames;
    char *arena = malloc(frames_bytes + frames * 256 + 1), *text = arena + frames_bytes;
    char name[64];
    struct task_page page;

    stack.arena = arena;
    stack.frames = (struct stack_frame *)(void *)arena;
    stack.count = frames;
    for (unsigned i = 0; i < frames; i++) {
        snprintf(name, sizeof name, i + 1 == frames ? "fetch" : "handler_%u", i);
        stack.frames[i] = (struct stack_frame){.kind = i == 1 ? "generator" : "coroutine",
            .function = put(&text, name),
            .file = put(&text, i == 0 ? "tests/golden/source.py" : "/srv/orders/db.py"),
            .line = i == 0 ? 2 : 140 + i};
        fill_locals(&stack.frames[i], i * 4);
    }
    detail_open(&model->detail, id);
    detail_take_stack(&model->detail, &stack, getpid());
    fill_page(&page, id);
    page.rows[0] = page.rows[id - 1];
    page.count = 1;
    detail_take_page(&model->detail, &page);
    detail_take_parent(&model->detail, &model->page);
}

void
fixture_screen(struct fixture_screen *fixture, struct model *model, int cols, int rows, bool ascii)
{
    if (surface_init(&fixture->surface, cols, rows, ascii) < 0 ||
        screen_open(&fixture->screen, model) < 0)
        abort();
    fixture_draw(fixture, model);
}

void
fixture_screen_done(struct fixture_screen *fixture)
{
    screen_close(&fixture->screen);
    surface_done(&fixture->surface);
}

void
fixture_draw(struct fixture_screen *fixture, struct model *model)
{
    int x, y;

    screen_layout(&fixture->screen, model, fixture->surface.cols, fixture->surface.rows);
    screen_draw(&fixture->screen, model, &fixture->surface, &x, &y);
}
