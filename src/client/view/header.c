/* SPDX-License-Identifier: MIT */
/*
 * The header answers "is it healthy, and if not, who?": process and link in the first line, then
 * the loop's lag, the tasks, the memory, each with its last minute. A blocked loop takes over the
 * line of the lag. With fewer rows the figures move together in one line, the most telling ones
 * first.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/view/registry.h"
#include "client/view/words.h"
#include "client/widget/sparkline.h"
#include "client/widget/strip.h"

#define LABEL_COLS 7
#define VALUE_COLS 9
#define SECONDS_A_BAR 4

static int
graph_cols(int width)
{
    int cols = width * 27 / 100;

    return width < 60 ? 0 : cols > 60 ? 60 : cols;
}

/* A line over a history: all of them have the same time scale, so that what is above is
 * simultaneous. */
static struct sparkline
line_of(const struct history *history)
{
    return (struct sparkline){.values = history->values,
        .count = history->count,
        .per_bar = SECONDS_A_BAR,
        .newest = 1 + (int)(history->second % SECONDS_A_BAR)};
}

static void
add_link(const struct model *model, struct strip *strip)
{
    struct strip_item *item;
    char clock[16] = "";
    time_t now = (time_t)model->now_s;
    struct tm tm;

    if (model->link.state == LINK_ENDED)
        item = strip_add(strip, 0, "", ROLE_ALARM, " ENDED ");
    else if (model->link.state == LINK_GONE)
        item = strip_add(strip, 0, "", ROLE_ALARM, " GONE ");
    else if (model->paused)
        item = strip_add(strip, 0, "", ROLE_NOTICE, " PAUSED ");
    else if (model->link.state == LINK_SILENT)
        item = strip_add(strip, 0, "", ROLE_NOTICE, " SILENT ");
    else
        item = strip_add(strip, 2, "", ROLE_GOOD, "live %gs", model->interval_s);
    item->right = true;
    if (localtime_r(&now, &tm))
        strftime(clock, sizeof clock, "%H:%M:%S", &tm);
    strip_add(strip, 6, "", ROLE_DEFAULT, "%s", clock);
}

static void
add_process(const struct model *model, struct strip *strip)
{
    const struct status *status = &model->status;
    char figure[FMT_SIZE];

    strip_add(strip, 0, "", ROLE_HEADER_NAME, "%s", model->name);
    strip_add(strip, 1, "", ROLE_DEFAULT, "%d", (int)model->pid);
    strip_add(strip, 4, "", ROLE_DEFAULT, "CPython %s", model->python);
    if (!model->have_status)
        return;
    if (status->loops_count == 1)
        strip_add(strip, 5, "", ROLE_DEFAULT, "%s", status->loops[0].kind);
    else
        strip_add(strip, 5, "", ROLE_DEFAULT, "%zu loops", status->loops_count);
    strip_add(
        strip, 3, "up", ROLE_DEFAULT, "%s", fmt_duration(figure, (double)status->process_up_ns));
}

static void
draw_identity(const struct model *model, struct surface *surface, int x, int y, int width)
{
    struct strip strip = {0};

    add_process(model, &strip);
    strip_add(&strip, 9, "", ROLE_DIM, "%s", model->command)->flexible = true;
    add_link(model, &strip);
    strip_draw(&strip, surface, x, y, width);
}

/* Label, graph and the figure of now; returns the column after them. */
static int
draw_graph(struct surface *surface, struct rect at, const char *label, const struct sparkline *line,
    enum role role, const char *value)
{
    int cols = graph_cols(at.w), x = at.x;

    surface_fit(surface, x, at.y, LABEL_COLS - 1, FIT_START, ROLE_HEADER_LABEL, label);
    x += LABEL_COLS - 1;
    if (cols > 0) {
        sparkline_draw(line, surface, x, at.y, cols);
        x += cols;
    }
    return surface_fit(surface, x, at.y, VALUE_COLS, FIT_RIGHT, role, value) + 2;
}

static enum role
busy_role(double busy)
{
    return busy >= 90 ? ROLE_ERROR : busy >= 70 ? ROLE_WARNING : ROLE_DEFAULT;
}

static void
add_busy(const struct loop_status *loop, struct strip *strip, uint8_t priority)
{
    char figure[FMT_SIZE];

    strip_add(strip, priority, "busy", busy_role(loop->busy_pct), "%s%s%%",
        loop->busy_exact || isnan(loop->busy_pct) ? "" : "≥", words_rate(figure, loop->busy_pct))
        ->width = 6;
}

static void
draw_lag(const struct model *model, struct surface *surface, struct rect at)
{
    struct loop_status worst, *loop = model_worst_lag(&model->status, &worst) ? &worst : NULL;
    struct sparkline lag = line_of(&model->lag), busy = line_of(&model->busy);
    char figure[FMT_SIZE];
    struct strip strip = {0};

    if (!loop) {
        int x =
            surface_fit(surface, at.x, at.y, LABEL_COLS - 1, FIT_START, ROLE_HEADER_LABEL, "lag");
        surface_put(surface, x, at.y, ROLE_DIM, "no event loop has run yet");
        return;
    }
    lag.height = sparkline_lag;
    lag.warn = MODEL_WARN_NS;
    lag.error = MODEL_ERROR_NS;
    busy.height = sparkline_linear;
    busy.to = 100;
    busy.warn = 70;
    busy.error = 90;
    int x = draw_graph(surface, at, "lag", &lag, words_lag_role(loop->lag_now_ns),
        words_duration(figure, loop->lag_now_ns));
    strip_add(&strip, 4, "p50", ROLE_DEFAULT, "%s", words_duration(figure, loop->lag_p50_ns))
        ->width = 6;
    strip_add(&strip, 1, "p99", words_lag_role(loop->lag_p99_ns), "%s",
        words_duration(figure, loop->lag_p99_ns))
        ->width = 6;
    strip_add(&strip, 2, "max", words_lag_role(loop->lag_max_ns), "%s",
        words_duration(figure, loop->lag_max_ns))
        ->width = 6;
    add_busy(loop, &strip, 0);
    struct strip_item *line = strip_add(&strip, 6, "", ROLE_DEFAULT, " ");
    line->line = &busy;
    line->width = (int16_t)(graph_cols(at.w) / 2);
    strip_add(
        &strip, 5, "steps/s", ROLE_DEFAULT, "%s", words_rate(figure, model->status.steps_per_s));
    strip_draw(&strip, surface, x, at.y, at.x + at.w - x);
}

/* The row of a task on screen, for its name. */
static const struct task_row *
find_row(const struct model *model, uint64_t id)
{
    for (size_t i = 0; i < model->page.count; i++)
        if (model->page.rows[i].id == id)
            return &model->page.rows[i];
    return NULL;
}

static void
describe_running(const struct model *model, uint64_t id, char *out, size_t size)
{
    const struct task_row *row = find_row(model, id);
    char site[200];

    if (id == 0) {
        snprintf(out, size, "by a callback of the loop, not a task");
        return;
    }
    if (!row) {
        snprintf(out, size, "by task %llu", (unsigned long long)id);
        return;
    }
    words_site(site, sizeof site, row->at, false);
    /* a name is not read while C code holds the GIL */
    const char *quote = row->name[0] ? "\"" : "";
    snprintf(out, size, "by task %llu %s%s%s%s%s%s", (unsigned long long)id, quote, row->name,
        quote, row->name[0] ? "  " : "", row->at ? "last seen at " : "",
        row->at          ? site
        : row->coroutine ? row->coroutine
                         : "");
}

static void
draw_blocked(const struct model *model, const struct loop_status *loop, struct surface *surface,
    struct rect at)
{
    const struct status *status = &model->status;
    uint64_t waiting = loop->tasks > 0 ? loop->tasks - (loop->running_task != 0) : 0;
    char figure[FMT_SIZE], running[400];
    struct strip strip = {0};

    surface_fill(surface, (struct rect){at.x - 1, at.y, at.w + 2, 1}, ROLE_ALARM, NULL);
    strip_add(&strip, 0, "", ROLE_ALARM, "■ BLOCKED %s",
        fmt_duration(figure, (double)loop->iteration_for_ns));
    if (status->loops_count > 1)
        strip_add(&strip, 3, "", ROLE_ALARM, "loop %llu (%s)", (unsigned long long)loop->id,
            loop->thread);
    describe_running(model, loop->running_task, running, sizeof running);
    strip_add(&strip, 1, "", ROLE_ALARM, "%s", running)->flexible = true;
    strip_add(&strip, 2, "", ROLE_ALARM, "%llu task%s wait%s", (unsigned long long)waiting,
        WORDS_PLURAL(waiting), waiting == 1 ? "s" : "");
    strip_draw(&strip, surface, at.x, at.y, at.w);
}

static void
draw_loop(const struct model *model, struct surface *surface, struct rect at)
{
    const struct loop_status *worst = model_worst_loop(&model->status);

    if (worst && model_loop_blocked(&model->status, worst))
        draw_blocked(model, worst, surface, at);
    else
        draw_lag(model, surface, at);
}

static void
add_state(
    const struct status *status, struct strip *strip, enum looptop_state state, uint8_t priority)
{
    char figure[FMT_SIZE];
    uint64_t count = status->by_state[state];

    strip_add(strip, priority, "", count ? words_state_role(state) : ROLE_DIM, "%s%s",
        words_state_glyph(state), fmt_count(figure, (double)count));
}

static void
add_growth(const struct history *history, struct strip *strip, uint8_t priority,
    const char *(*format)(char out[FMT_SIZE], double value))
{
    char figure[FMT_SIZE];
    double growth = history_growth(history);

    if (isnan(growth))
        return;
    if (fabs(growth) < 0.5)
        growth = 0;
    strip_add(strip, priority, "", growth == 0 ? ROLE_DIM : ROLE_DEFAULT, "%s%s/min",
        growth < 0 ? "-" : "+", format(figure, fabs(growth)))
        ->width = 10;
}

static void
add_speed(struct strip *strip, uint8_t priority, const char *label, double value, enum role role)
{
    char figure[FMT_SIZE];

    strip_add(
        strip, priority, label, value > 0 ? role : ROLE_DIM, "%s/s", words_rate(figure, value))
        ->width = 6;
}

static void
draw_tasks(const struct model *model, struct surface *surface, struct rect at)
{
    const struct status *status = &model->status;
    struct sparkline line = line_of(&model->tasks);
    char figure[FMT_SIZE];
    struct strip strip = {0};

    line.role = ROLE_HEADER_LABEL;
    sparkline_scale(&line, graph_cols(at.w));
    int x = draw_graph(
        surface, at, "tasks", &line, ROLE_STRONG, fmt_count(figure, (double)status->tasks));
    add_state(status, &strip, LOOPTOP_RUN, 0);
    add_state(status, &strip, LOOPTOP_READY, 1);
    add_state(status, &strip, LOOPTOP_WAIT, 2);
    if (status->by_state[LOOPTOP_NEW] > 0)
        add_state(status, &strip, LOOPTOP_NEW, 4);
    if (status->by_state[LOOPTOP_CANCELLING] > 0)
        add_state(status, &strip, LOOPTOP_CANCELLING, 3);
    add_growth(&model->tasks, &strip, 5, fmt_count);
    add_speed(&strip, 6, "made", status->created_per_s, ROLE_DEFAULT);
    add_speed(&strip, 7, "ended", status->finished_per_s, ROLE_DEFAULT);
    add_speed(&strip, 4, "failed", status->failed_per_s, ROLE_WARNING);
    add_speed(&strip, 8, "cancelled", status->cancelled_per_s, ROLE_DEFAULT);
    strip_draw(&strip, surface, x, at.y, at.x + at.w - x);
}

static void
add_alerts(const struct status *status, struct strip *strip)
{
    char figure[FMT_SIZE];

    if (status->untracked > 0)
        strip_add(strip, 0, "", ROLE_WARNING, "⚠ %s tasks not tracked: table full",
            fmt_count(figure, (double)status->untracked));
    if (status->walking)
        strip_add(strip, 1, "", ROLE_ACCENT, "reading older tasks…");
}

static void
draw_memory(const struct model *model, struct surface *surface, struct rect at)
{
    const struct memory_status *memory = &model->status.memory;
    struct sparkline line = line_of(&model->rss);
    char figure[FMT_SIZE], most[FMT_SIZE];
    struct strip strip = {0};

    line.role = ROLE_HEADER_LABEL;
    sparkline_scale(&line, graph_cols(at.w));
    int x =
        draw_graph(surface, at, "mem", &line, ROLE_STRONG, words_bytes(figure, memory->rss_bytes));
    add_growth(&model->rss, &strip, 4, fmt_bytes); /* beside the figure it is of */
    strip_add(&strip, 2, "heap", ROLE_DEFAULT, "%s", words_bytes(figure, memory->heap_bytes))
        ->width = 6;
    strip_add(&strip, 5, "blocks", ROLE_DEFAULT, "%s", words_count(figure, (double)memory->blocks))
        ->width = 6;
    strip_add(&strip, 3, "gc", memory->gc_pause_ns_per_s > 0 ? ROLE_DEFAULT : ROLE_DIM, "%s/s",
        words_duration(figure, memory->gc_pause_ns_per_s))
        ->width = 8;
    strip_add(&strip, 6, "agent", ROLE_DEFAULT, "%s/%s",
        fmt_bytes(figure, (double)model->status.agent_bytes),
        fmt_bytes(most, (double)model->status.agent_bytes_max));
    add_alerts(&model->status, &strip);
    strip_draw(&strip, surface, x, at.y, at.x + at.w - x);
}

/* Loop, tasks and memory in one line. */
static void
draw_short(const struct model *model, struct surface *surface, struct rect at, bool alone)
{
    const struct status *status = &model->status;
    const struct loop_status *blocked = model_worst_loop(status);
    struct loop_status worst, *loop = model_worst_lag(status, &worst) ? &worst : NULL;
    char figure[FMT_SIZE];
    struct strip strip = {0};

    if (blocked && model_loop_blocked(status, blocked)) {
        draw_blocked(model, blocked, surface, at);
        return;
    }
    if (alone)
        strip_add(&strip, 3, "", ROLE_HEADER_NAME, "%s", model->name);
    if (loop) {
        strip_add(&strip, 0, "lag", words_lag_role(loop->lag_now_ns), "%s",
            words_duration(figure, loop->lag_now_ns))
            ->width = 6;
        strip_add(&strip, 5, "p99", words_lag_role(loop->lag_p99_ns), "%s",
            words_duration(figure, loop->lag_p99_ns))
            ->width = 6;
        add_busy(loop, &strip, 2);
    }
    strip_add(&strip, 1, "tasks", ROLE_STRONG, "%s", fmt_count(figure, (double)status->tasks));
    strip_add(&strip, 4, "mem", ROLE_DEFAULT, "%s", words_bytes(figure, status->memory.rss_bytes));
    if (alone)
        add_link(model, &strip);
    else
        add_alerts(status, &strip);
    strip_draw(&strip, surface, at.x, at.y, at.w);
}

static void
header_draw(
    const struct view *view, const struct model *model, struct surface *surface, struct rect area)
{
    struct rect line = {area.x + 1, area.y, area.w - 2, 1};

    (void)view;
    surface_fill(surface, area, ROLE_DEFAULT, NULL);
    if (area.h == 0)
        return;
    if (area.h == 1 && model->have_status) {
        draw_short(model, surface, line, true);
        return;
    }
    draw_identity(model, surface, line.x, line.y, line.w);
    line.y++;
    if (!model->have_status) {
        surface_put(surface, line.x, line.y, ROLE_DIM, "waiting for the agent's first answer…");
        return;
    }
    if (area.h < 4) {
        draw_short(model, surface, line, false);
        return;
    }
    draw_loop(model, surface, line);
    line.y++;
    draw_tasks(model, surface, line);
    line.y++;
    draw_memory(model, surface, line);
}

const struct view_ops header_view = {.name = "header", .title = "Header", .draw = header_draw};
