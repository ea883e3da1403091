/* SPDX-License-Identifier: MIT */
/*
 * Keeps the rows that are here in step with what is on the screen. A move within the rows at hand
 * costs nothing; one that comes near their edge asks for the next window at once, and at most one
 * such request is under way. The subscription follows when things are quiet, since each change
 * restarts its interval.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/model/json_in.h"
#include "client/tui_impl.h"
#include "common/buf.h"
#include "common/cleanup.h"
#include "vendor/cjson/cJSON.h"

#define SUBSCRIBE_QUIET_NS 200000000ull
#define AGAIN_NS 500000000ull /* before the same is asked again */

void
tui_table_changed(struct tui *tui)
{
    tui->generation++;
    tui->held = false;
    tui->subscribe_due_ns = tui->model.now_ns;
}

static struct asked
asked_of(const struct tui *tui, const struct task_query *query)
{
    return (struct asked){tui->generation, query->offset, query->focus, query->limit};
}

static bool
same_asked(const struct asked *a, const struct asked *b)
{
    return a->generation == b->generation && a->offset == b->offset && a->focus == b->focus &&
           a->limit == b->limit;
}

void
tui_table_ask(struct tui *tui, enum request_kind kind, const struct task_query *query)
{
    CLEANUP_FREE char *params = task_query_json(query);
    struct request *request = params ? tui_request(tui, kind, "tasks", params) : NULL;
    const char *unreachable = model_unreachable(&tui->model);

    if (request)
        request->asked = (struct asked){tui->generation, query->offset, query->focus, query->limit};
    else
        model_note(&tui->model, NOTE_ERROR, "not asked: %s",
            unreachable ? unreachable : "the request could not be sent");
}

bool
tui_table_whole(const struct tui *tui)
{
    const struct task_page *page = &tui->model.page;

    return tui->model.have_page && tui->good_generation == tui->generation && page->offset == 0 &&
           page->count == page->matched;
}

/* The query for what is on the screen; while paused, for as much as one answer holds. */
static struct task_query
wanted_query(const struct tui *tui)
{
    struct task_query query = tui->model.query;
    const struct window *window = &tui->model.window;

    query.focus = window->pinned ? window->focus : 0;
    window_want(window, &query.offset, &query.limit);
    if (tui->model.paused) {
        int64_t from = window->top - LOOPTOP_ROWS_MAX / 2;
        query.offset = from > 0 ? (uint64_t)from : 0;
        query.limit = LOOPTOP_ROWS_MAX;
    }
    return query;
}

static void
sync_rows(struct tui *tui)
{
    struct model *model = &tui->model;
    bool same = tui->good_generation == tui->generation && model->have_page;
    struct task_query query = wanted_query(tui);

    if (model->paused
            ? tui->held && same
            : same && !model->window.seeking && window_covered(&model->window, &model->page))
        return;
    struct asked asked = asked_of(tui, &query);
    if (tui_request_find(tui, REQUEST_TASKS) ||
        (same_asked(&asked, &tui->last) && model->now_ns < tui->last_ns + AGAIN_NS))
        return;
    tui->last = asked;
    tui->last_ns = model->now_ns;
    tui_table_ask(tui, REQUEST_TASKS, &query);
}

/* `subscribe`'s params; false without memory. */
static bool
subscribe_params(const struct tui *tui, const struct task_query *query, struct buf *out)
{
    CLEANUP_FREE char *tasks = task_query_json(query);

    if (!tasks)
        return false;
    buf_printf(out, "{\"interval_ns\":%.0f",
        fmax(tui->options->delay_s * 1e9, (double)LOOPTOP_INTERVAL_MIN_NS));
    if (!tui->inactive)
        buf_printf(out, ",\"tasks\":%s", tasks);
    return buf_append(out, "}", 2) == 0;
}

static void
subscribe(struct tui *tui, const struct task_query *query)
{
    CLEANUP(buf_done) struct buf buf;
    struct request *request;

    buf_init(&buf, LOOPTOP_REQUEST_MAX);
    if (!subscribe_params(tui, query, &buf))
        return;
    request = tui_request(tui, REQUEST_SUBSCRIBE, "subscribe", buf.data);
    if (!request)
        return;
    request->asked = asked_of(tui, query);
    tui->update_ns = tui->model.now_ns;
    tui->subscribe_due_ns = 0;
}

static void
sync_subscription(struct tui *tui)
{
    struct model *model = &tui->model;
    struct task_query query = wanted_query(tui);
    const struct asked *now = &tui->subscribed;

    if (model->paused || tui_request_find(tui, REQUEST_SUBSCRIBE))
        return;
    struct asked asked = asked_of(tui, &query);
    if (tui->subscription != 0 && same_asked(&asked, now)) {
        tui->subscribe_due_ns = 0;
        return;
    }
    if (tui->subscribe_due_ns == 0)
        tui->subscribe_due_ns = model->now_ns + SUBSCRIBE_QUIET_NS;
    /* a filter is tried with `tasks` first, so that a wrong one does not end the updates */
    bool tried = tui->good_generation == tui->generation || tui->subscription == 0;
    if (tried && model->now_ns >= tui->subscribe_due_ns)
        subscribe(tui, &query);
}

void
tui_table_sync(struct tui *tui)
{
    if (!tui->conn)
        return;
    if (!tui->inactive)
        sync_rows(tui);
    sync_subscription(tui);
}

void
tui_table_take(struct tui *tui, const struct cJSON *result, const struct asked *asked, bool update)
{
    struct model *model = &tui->model;
    struct task_page page;

    if (asked->generation != tui->generation || (model->paused && asked->limit < LOOPTOP_ROWS_MAX))
        return;
    if (task_page_decode(result, &page) < 0) {
        model_note(model, NOTE_ERROR, "the agent's answer to `tasks` is not understood");
        return;
    }
    /* rows asked for before the last scrolling do not push out those that are seen */
    if (update && model->have_page && window_covered(&model->window, &model->page) &&
        !window_covered(&model->window, &page) && asked->focus != model->window.focus) {
        task_page_done(&page);
        return;
    }
    tui->good_generation = asked->generation;
    snprintf(tui->good_filter, sizeof tui->good_filter, "%s", model->filter);
    tui->held = model->paused;
    if (tui->parts.prompt.open && strcmp(tui->parts.prompt.edit.text, model->filter) == 0) {
        tui->parts.prompt.error[0] = '\0';
        tui->parts.prompt.column = 0;
    }
    model_take_page(model, &page, asked->focus);
    tui->dirty = true;
    tui_key_early(tui);
}

/* A filter that was refused gives way to the last good one. */
static void
take_filter_back(struct tui *tui)
{
    if (strcmp(tui->model.filter, tui->good_filter) == 0)
        return;
    model_set_filter(&tui->model, tui->good_filter);
    tui_table_changed(tui);
}

void
tui_table_refused(
    struct tui *tui, const struct request *request, int64_t code, const char *text, int column)
{
    struct model *model = &tui->model;

    tui->subscribe_due_ns = model->now_ns + AGAIN_NS;
    if (code == LOOPTOP_ERR_INACTIVE) {
        tui->inactive = true;
        tui->early_count = 0; /* the first rows may be long in coming */
        return;
    }
    if (request->asked.generation != tui->generation)
        return;
    if (tui->parts.prompt.open && tui->prompt_for == ACTION_FILTER) {
        snprintf(tui->parts.prompt.error, sizeof tui->parts.prompt.error, "%s", text);
        tui->parts.prompt.column = column;
    } else {
        model_note(model, NOTE_ERROR, "%s", text);
    }
    take_filter_back(tui);
}

void
tui_table_subscribed(struct tui *tui, const struct asked *asked, const struct cJSON *result)
{
    uint64_t subscription = 0;

    if (json_in_uint(result, "subscription", 0, &subscription) == 0)
        tui->subscription = subscription;
    tui->subscribed = *asked;
}
