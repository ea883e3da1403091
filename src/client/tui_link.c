/* SPDX-License-Identifier: MIT */
/*
 * The connection as a person sees it: live, silent, gone and tried again, or ended with its
 * process. What was heard last stays on the screen all the while.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "client/model/process.h"
#include "client/tui_impl.h"
#include "common/clock.h"
#include "vendor/cjson/cJSON.h"

#define RETRY_MAX_S 5
#define RECONNECT_MS 300
#define SAME_AGENT_S 0.001 /* an agent says when it was loaded, in milliseconds */

void
tui_link_opened(struct tui *tui)
{
    const struct conn_hello *hello = conn_hello(tui->conn);
    struct model *model = &tui->model;

    snprintf(model->python, sizeof model->python, "%s", hello->python);
    tui->started_s = hello->started_s;
    tui->tries = 0;
    tui->subscription = 0;
    tui->update_ns = model->now_ns;
    tui->subscribe_due_ns = model->now_ns;
    tui->stack_due_ns = 0;
    memset(&tui->subscribed, 0, sizeof tui->subscribed);
    model->link = (struct link){.state = LINK_LIVE};
    model->status.readonly = hello->readonly; /* a key may come before the first update */
    tui_request(tui, REQUEST_LOOPS, "loops", "{\"history\":true}");
    tui_request(tui, REQUEST_MEMORY, "memory", "{\"history\":true}");
    tui_table_changed(tui);
    tui->dirty = true;
}

/* Nothing is tried any more where the process is over; true: it is. */
static bool
notice_end(struct tui *tui)
{
    struct link *link = &tui->model.link;

    if (!process_ended(tui->model.pid, tui->start_ns))
        return false;
    link->state = LINK_ENDED;
    snprintf(link->reason, sizeof link->reason, "process %d has ended", (int)tui->model.pid);
    tui->conn = conn_close(tui->conn);
    tui->dirty = true;
    return true;
}

void
tui_link_lost(struct tui *tui, const char *reason)
{
    struct model *model = &tui->model;

    tui->conn = conn_close(tui->conn);
    tui_request_forget(tui, "the connection broke");
    model->link.state = LINK_GONE;
    model->link.since_ns = model->now_ns;
    model->link.retry_ns = model->now_ns + CLOCK_NS_PER_S;
    snprintf(model->link.reason, sizeof model->link.reason, "%s", reason);
    tui->dirty = true;
}

/* The process has become another program: nothing of the old one holds any more. */
static void
forget_process(struct tui *tui)
{
    struct model *model = &tui->model;

    task_page_done(&model->page);
    model->page.focus_index = -1;
    model->have_page = model->have_status = false;
    tags_clear(&model->tags);
    window_home(&model->window);
    view_close(&tui->parts.detail);
    detail_done(&model->detail);
    process_describe(
        model->pid, model->name, sizeof model->name, model->command, sizeof model->command);
    model_note(model, NOTE_WARNING, "process %d runs another program now", (int)model->pid);
    tui_layout(tui);
}

static void
reconnect(struct tui *tui)
{
    struct model *model = &tui->model;
    struct conn_error error = {0};
    unsigned wait_s = ++tui->tries < RETRY_MAX_S ? tui->tries : RETRY_MAX_S;

    int r = conn_open(model->pid, CONN_PRESENT, RECONNECT_MS, &tui->conn, &error);
    if (r < 0) {
        bool none = r == -ENOENT || r == -ECONNREFUSED;
        tui->conn = NULL;
        snprintf(model->link.reason, sizeof model->link.reason, "%s",
            none ? "agent stopped or detached" : error.text);
        model->now_ns = clock_monotonic_ns();
        model->link.retry_ns = model->now_ns + wait_s * CLOCK_NS_PER_S;
    } else if (!notice_end(tui)) {
        if (fabs(conn_hello(tui->conn)->started_s - tui->started_s) > SAME_AGENT_S)
            forget_process(tui);
        tui_link_opened(tui);
    }
    tui->dirty = true;
}

void
tui_link_pump(struct tui *tui)
{
    struct cJSON *message;
    uint64_t id;

    int error = conn_pump(tui->conn);
    while ((message = conn_next(tui->conn, &id)) != NULL) {
        tui_request_take(tui, message, id);
        cJSON_Delete(message);
    }
    if (error == -EPROTO)
        tui_link_lost(tui, "the agent sent something that is not the protocol");
    else if (error == -EPIPE)
        tui_link_lost(tui, "the agent closed the connection");
    else if (error < 0)
        tui_link_lost(tui, strerror(-error));
}

/* The request that is waited for longest, of those that the agent answers at once. */
static const struct request *
oldest_request(const struct tui *tui)
{
    const struct request *oldest = NULL;

    for (int i = 0; i < TUI_REQUESTS; i++) {
        const struct request *request = &tui->requests[i];
        bool at_once = request->kind != REQUEST_NONE && request->kind != REQUEST_STACK &&
                       request->kind != REQUEST_CANCEL;
        if (at_once && (!oldest || request->sent_ns < oldest->sent_ns))
            oldest = request;
    }
    return oldest;
}

static void
notice_silence(struct tui *tui)
{
    static const char *const names[REQUESTS] = {[REQUEST_TASKS] = "tasks",
        [REQUEST_SUBSCRIBE] = "updates",
        [REQUEST_LOOPS] = "the loops",
        [REQUEST_MEMORY] = "memory",
        [REQUEST_ROW] = "the task",
        [REQUEST_FIND_PLACE] = "what is searched",
        [REQUEST_FIND] = "what is searched",
        [REQUEST_TAG] = "the tasks to tag"};
    struct link *link = &tui->model.link;
    const struct request *request = oldest_request(tui);
    uint64_t interval = (uint64_t)(tui->options->delay_s * 1e9);
    uint64_t due = tui->update_ns + interval, now = tui->model.now_ns;
    enum link_state former = link->state;

    link->state = LINK_LIVE;
    if (request && request->sent_ns + MODEL_SILENT_NS < now) {
        link->state = LINK_SILENT;
        link->since_ns = request->sent_ns;
        link->waiting_for = names[request->kind];
    } else if (due + MODEL_SILENT_NS < now) {
        link->state = LINK_SILENT;
        link->since_ns = due;
        link->waiting_for = "the next update";
    }
    if (link->state != former)
        tui->dirty = true;
}

void
tui_link_tick(struct tui *tui)
{
    const struct link *link = &tui->model.link;

    if (tui->conn)
        notice_silence(tui);
    else if (link->state == LINK_GONE && !notice_end(tui) && tui->model.now_ns >= link->retry_ns)
        reconnect(tui);
}
