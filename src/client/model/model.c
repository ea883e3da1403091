/* SPDX-License-Identifier: MIT */
/* Filling the model, and what several views conclude from it. */
#include "client/model/model.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/model/json_in.h"
#include "vendor/cjson/cJSON.h"

/* One of the histories of an answer, replacing or joining what is there. */
static void
take_history(const cJSON *object, const char *name, bool join, struct history *history)
{
    double values[LOOPTOP_HISTORY];
    const cJSON *inner;

    if (json_in_object(object, "history", &inner) < 0 || !inner)
        return;
    size_t n = history_decode(inner, name, values);
    if (join)
        history_join(history, values, n);
    else
        history_set(history, values, n);
}

void
model_take_loops(struct model *model, const cJSON *result)
{
    const cJSON *loops, *loop;
    bool join = false;

    if (json_in_array(result, "loops", &loops) < 0 || !loops)
        return;
    cJSON_ArrayForEach(loop, loops)
    {
        take_history(loop, "lag_ns", join, &model->lag);
        take_history(loop, "busy_pct", join, &model->busy);
        join = true;
    }
}

void
model_take_memory(struct model *model, const cJSON *result)
{
    take_history(result, "rss_bytes", false, &model->rss);
    take_history(result, "tasks", false, &model->tasks);
}

void
model_init(struct model *model, pid_t pid)
{
    memset(model, 0, sizeof *model);
    model->pid = pid;
    model->page.focus_index = -1;
    window_home(&model->window);
}

void
model_done(struct model *model)
{
    processes_done(&model->processes);
    task_page_done(&model->page);
    tags_done(&model->tags);
    detail_done(&model->detail);
    memset(model, 0, sizeof *model);
}

static double
figure(int64_t value)
{
    return value == STATUS_UNKNOWN ? (double)NAN : (double)value;
}

void
model_take_status(struct model *model, const struct status *status)
{
    double lag = NAN, busy = NAN;

    status_copy(&model->status, status);
    model->have_status = true;
    for (size_t i = 0; i < status->loops_count; i++) {
        lag = fmax(lag, figure(status->loops[i].lag_now_ns));
        busy = fmax(busy, status->loops[i].busy_pct);
    }
    history_push(&model->lag, status->time_s, lag);
    history_push(&model->busy, status->time_s, busy);
    history_push(&model->tasks, status->time_s, (double)status->tasks);
    history_push(&model->rss, status->time_s, figure(status->memory.rss_bytes));
}

void
model_take_page(struct model *model, struct task_page *page, uint64_t focus)
{
    task_page_done(&model->page);
    model->page = *page;
    model->have_page = true;
    window_arrived(&model->window, &model->page, focus);
    model_select(model);
}

void
model_select(struct model *model)
{
    const struct task_row *row = window_selected(&model->window, &model->page);

    if (row)
        tag_of(row, &model->selected);
    else if (!model->window.pinned || model->window.focus != model->selected.id)
        model->selected = (struct tag){.id = model->window.focus};
}

void
model_note(struct model *model, enum note_kind kind, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(model->note, sizeof model->note, format, args);
    va_end(args);
    model->note_kind = kind;
    model->note_ns = model->now_ns;
}

void
model_set_filter(struct model *model, const char *filter)
{
    if (filter != model->filter)
        snprintf(model->filter, sizeof model->filter, "%s", filter);
    model->query.filter = model->filter[0] ? model->filter : NULL;
}

bool
model_loop_blocked(const struct status *status, const struct loop_status *loop)
{
    return loop->iteration_for_ns > MODEL_ERROR_NS && strcmp(status->hooks_state, "active") == 0;
}

const struct loop_status *
model_worst_loop(const struct status *status)
{
    const struct loop_status *worst = NULL;

    for (size_t i = 0; i < status->loops_count; i++) {
        const struct loop_status *loop = &status->loops[i];
        if (strcmp(loop->state, "closed") == 0)
            continue;
        if (!worst || loop->iteration_for_ns > worst->iteration_for_ns + MODEL_ERROR_NS ||
            (worst->iteration_for_ns <= MODEL_ERROR_NS && loop->lag_now_ns > worst->lag_now_ns))
            worst = loop;
    }
    return worst;
}

static int64_t
larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

bool
model_worst_lag(const struct status *status, struct loop_status *ret_worst)
{
    const struct loop_status *worst = model_worst_loop(status);

    if (!worst)
        return false;
    *ret_worst = *worst;
    for (size_t i = 0; i < status->loops_count; i++) {
        const struct loop_status *loop = &status->loops[i];
        if (strcmp(loop->state, "closed") == 0)
            continue;
        ret_worst->lag_p50_ns = larger(ret_worst->lag_p50_ns, loop->lag_p50_ns);
        ret_worst->lag_p99_ns = larger(ret_worst->lag_p99_ns, loop->lag_p99_ns);
        ret_worst->lag_max_ns = larger(ret_worst->lag_max_ns, loop->lag_max_ns);
        if (loop->busy_pct > ret_worst->busy_pct) {
            ret_worst->busy_pct = loop->busy_pct;
            ret_worst->busy_exact = loop->busy_exact;
        }
    }
    return true;
}

const char *
model_unreachable(const struct model *model)
{
    if (model->link.state == LINK_ENDED)
        return model->link.reason;
    return model->link.state == LINK_GONE ? "not connected" : NULL;
}

const char *
model_readonly(const struct model *model)
{
    if (model->readonly)
        return "looptop was started with --readonly";
    if (model->status.readonly)
        return "the target refuses it (LOOPTOP_READONLY=1 in its environment)";
    return NULL;
}
