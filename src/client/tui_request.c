/* SPDX-License-Identifier: MIT */
/*
 * Requests that are under way and what their answers do to the model. An answer that does not
 * decode is dropped with a note; it never takes the program down.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/model/json_in.h"
#include "client/tui_impl.h"
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "looptop/protocol.h"
#include "proto/json_out.h"
#include "vendor/cjson/cJSON.h"

struct request *
tui_request_find(struct tui *tui, enum request_kind kind)
{
    for (int i = 0; i < TUI_REQUESTS; i++)
        if (tui->requests[i].kind == kind)
            return &tui->requests[i];
    return NULL;
}

struct request *
tui_request(struct tui *tui, enum request_kind kind, const char *method, const char *params)
{
    struct request *request = tui_request_find(tui, REQUEST_NONE);
    uint64_t id;

    if (!request || !tui->conn || conn_send(tui->conn, method, params, &id) < 0)
        return NULL;
    *request = (struct request){.id = id, .kind = kind, .sent_ns = tui->model.now_ns};
    return request;
}

static void
request_done(struct request *request)
{
    free(request->ids);
    *request = (struct request){0};
}

void
tui_request_forget(struct tui *tui, const char *reason)
{
    for (int i = 0; i < TUI_REQUESTS; i++) {
        struct request *request = &tui->requests[i];
        for (size_t k = 0; k < request->ids_count; k++)
            outcomes_failed(&tui->model.outcomes, request->ids[k], reason, tui->model.now_ns);
        request_done(request);
    }
    tui->model.detail.asked_ns = 0;
}

/* `cancel`'s params; false without memory. */
static bool
cancel_params(struct buf *buf, const uint64_t *ids, size_t count, const char *message)
{
    struct json_out out;

    json_out_init(&out, buf);
    json_out_object(&out);
    json_out_key(&out, "ids");
    json_out_array(&out);
    for (size_t i = 0; i < count; i++)
        json_out_uint(&out, ids[i]);
    json_out_array_end(&out);
    if (*message)
        json_out_kv_string(&out, "message", message);
    json_out_kv_uint(&out, "wait_ns", TUI_CANCEL_WAIT_NS);
    json_out_object_end(&out);
    return buf_append(buf, "", 1) == 0;
}

void
tui_request_cancel(struct tui *tui, const uint64_t *ids, size_t count, const char *message)
{
    struct model *model = &tui->model;
    CLEANUP(buf_done) struct buf buf;
    struct request *request = NULL;
    uint64_t *kept = calloc(count, sizeof *kept);

    buf_init(&buf, LOOPTOP_REQUEST_MAX);
    if (kept && cancel_params(&buf, ids, count, message))
        request = tui_request(tui, REQUEST_CANCEL, "cancel", buf.data);
    if (!request) {
        free(kept);
        model_note(model, NOTE_ERROR, "not cancelled: the request could not be sent");
        return;
    }
    memcpy(kept, ids, count * sizeof *kept);
    request->ids = kept;
    request->ids_count = count;
    for (size_t i = 0; i < count; i++)
        outcomes_asked(&model->outcomes, ids[i], model->now_ns);
    model_note(model, NOTE_INFO, "cancelling %zu task%s…", count, count == 1 ? "" : "s");
}

void
tui_request_detail(struct tui *tui)
{
    struct detail *detail = &tui->model.detail;
    struct model *model = &tui->model;
    char params[96];

    if (!tui->parts.detail.ops || detail->id == 0 || model->paused || detail->gone ||
        model->now_ns < tui->stack_due_ns || tui_request_find(tui, REQUEST_STACK) ||
        tui_request_find(tui, REQUEST_ROW))
        return;
    snprintf(params, sizeof params, "{\"id\":%llu}", (unsigned long long)detail->id);
    struct request *stack = tui_request(tui, REQUEST_STACK, "stack", params);
    snprintf(params, sizeof params, "{\"ids\":[%llu],\"limit\":1}", (unsigned long long)detail->id);
    struct request *row = tui_request(tui, REQUEST_ROW, "tasks", params);
    if (stack)
        stack->asked.focus = detail->id;
    if (row)
        row->asked.focus = detail->id;
    detail->asked_ns = stack ? model->now_ns : 0;
    tui->stack_due_ns = model->now_ns + (uint64_t)(tui->options->delay_s * 1e9);
}

static void
take_stack(struct tui *tui, const struct request *request, const cJSON *result)
{
    struct stack stack;

    if (request->asked.focus != tui->model.detail.id)
        return;
    tui->model.detail.asked_ns = 0;
    if (stack_decode(result, &stack) == 0)
        detail_take_stack(&tui->model.detail, &stack, tui->model.pid);
}

/* Who created the task is called by its name, which is asked for once. */
static void
ask_parent(struct tui *tui)
{
    struct detail *detail = &tui->model.detail;
    const struct task_row *row = detail_row(detail);
    char params[96];

    if (!row || row->parent == 0 || detail->parent_asked == row->parent)
        return;
    snprintf(
        params, sizeof params, "{\"ids\":[%llu],\"limit\":1}", (unsigned long long)row->parent);
    struct request *request = tui_request(tui, REQUEST_PARENT, "tasks", params);
    if (!request)
        return;
    request->asked.focus = detail->id;
    detail->parent_asked = row->parent;
}

static void
take_row(struct tui *tui, const struct request *request, const cJSON *result)
{
    struct task_page page;

    if (request->asked.focus != tui->model.detail.id || task_page_decode(result, &page) < 0)
        return;
    detail_take_page(&tui->model.detail, &page);
    ask_parent(tui);
}

static void
take_parent(struct tui *tui, const struct request *request, const cJSON *result)
{
    struct task_page page;

    if (request->asked.focus != tui->model.detail.id || task_page_decode(result, &page) < 0)
        return;
    detail_take_parent(&tui->model.detail, &page);
    task_page_done(&page);
}

static void
summarize(struct model *model, const struct cancel_result *results, size_t count)
{
    size_t by_kind[3] = {0};
    char text[200];
    enum note_kind worst = NOTE_INFO;

    for (size_t i = 0; i < count; i++) {
        enum note_kind kind = outcome_kind(results[i].outcome);
        by_kind[kind]++;
        worst = kind > worst ? kind : worst;
    }
    if (count == 1) {
        cancel_describe(&results[0], text, sizeof text);
        model_note(model, worst, "task %llu \"%s\" %s", (unsigned long long)results[0].id,
            results[0].name, text);
    } else if (by_kind[NOTE_INFO] == count) {
        model_note(model, worst, "all %zu tasks ended", count);
    } else {
        model_note(model, worst, "%zu of %zu tasks ended; of the others their rows tell",
            by_kind[NOTE_INFO], count);
    }
}

static void
take_cancel(struct tui *tui, const struct request *request, const cJSON *result)
{
    struct model *model = &tui->model;
    CLEANUP_FREE struct cancel_result *results = calloc(request->ids_count + 1, sizeof *results);

    int count = results ? cancel_decode(result, results, request->ids_count) : -ENOMEM;
    for (size_t i = 0; i < request->ids_count; i++)
        outcomes_failed(&model->outcomes, request->ids[i], "no outcome was told", model->now_ns);
    for (int i = 0; i < count; i++)
        outcomes_answered(&model->outcomes, &results[i], model->now_ns);
    if (count > 0)
        summarize(model, results, (size_t)count);
    tags_clear(&model->tags);
}

static void
take_result(struct tui *tui, const struct request *request, const cJSON *result)
{
    switch (request->kind) {
    case REQUEST_TASKS:
        tui_table_take(tui, result, &request->asked, false);
        break;
    case REQUEST_SUBSCRIBE:
        tui_table_subscribed(tui, &request->asked, result);
        break;
    case REQUEST_LOOPS:
        model_take_loops(&tui->model, result);
        break;
    case REQUEST_MEMORY:
        model_take_memory(&tui->model, result);
        break;
    case REQUEST_STACK:
        take_stack(tui, request, result);
        break;
    case REQUEST_ROW:
        take_row(tui, request, result);
        break;
    case REQUEST_PARENT:
        take_parent(tui, request, result);
        break;
    case REQUEST_CANCEL_ROW:
        tui_cancel_row(tui, request, result);
        break;
    case REQUEST_CANCEL:
        take_cancel(tui, request, result);
        break;
    case REQUEST_FIND_PLACE:
        tui_find_place(tui, result);
        break;
    case REQUEST_FIND:
        tui_find_take(tui, result);
        break;
    case REQUEST_TAG:
        tui_tag_take(tui, result);
        break;
    default:
        break;
    }
}

static void
stack_refused(struct tui *tui, const struct request *request, int64_t code, const char *text)
{
    struct detail *detail = &tui->model.detail;

    if (request->asked.focus != detail->id)
        return;
    detail->asked_ns = 0;
    if (code == LOOPTOP_ERR_NO_TASK)
        snprintf(detail->error, sizeof detail->error, "no stack: the task has ended");
    else
        snprintf(detail->error, sizeof detail->error, "no new stack: %s", text);
}

static void
take_error(struct tui *tui, const struct request *request, const cJSON *error)
{
    struct model *model = &tui->model;
    const cJSON *data = NULL;
    char text[200];
    int64_t code = 0, column = 0;

    (void)json_in_int(error, "code", 0, &code);
    if (json_in_text(error, "message", text, sizeof text) < 0 || !*text)
        snprintf(text, sizeof text, "the agent gave no reason");
    if (json_in_object(error, "data", &data) == 0 && data)
        (void)json_in_int(data, "column", 0, &column);
    if (column < 0 || column > LOOPTOP_FILTER_MAX)
        column = 0;
    switch (request->kind) {
    case REQUEST_TASKS:
    case REQUEST_SUBSCRIBE:
        tui_table_refused(tui, request, code, text, (int)column);
        break;
    case REQUEST_STACK:
        stack_refused(tui, request, code, text);
        break;
    case REQUEST_FIND_PLACE:
    case REQUEST_FIND:
        tui_find_refused(tui, text, (int)column);
        break;
    case REQUEST_CANCEL:
        for (size_t i = 0; i < request->ids_count; i++)
            outcomes_failed(&model->outcomes, request->ids[i], text, model->now_ns);
        model_note(model, NOTE_ERROR, "not cancelled: %s", text);
        break;
    default:
        model_note(model, NOTE_ERROR, "%s", text);
        break;
    }
}

static void
take_status(struct tui *tui, const cJSON *result)
{
    if (status_decode(result, &tui->incoming) < 0)
        return;
    model_take_status(&tui->model, &tui->incoming);
    if (tui->inactive && strcmp(tui->incoming.hooks_state, "active") == 0) {
        tui->inactive = false; /* from now on there are tasks */
        tui_table_changed(tui);
    }
}

/* An `update` of the subscription. */
static void
take_update(struct tui *tui, const cJSON *message)
{
    const cJSON *params, *part;
    uint64_t subscription = 0;

    if (json_in_object(message, "params", &params) < 0 || !params)
        return;
    (void)json_in_uint(params, "subscription", 0, &subscription);
    if (subscription != tui->subscription)
        return;
    tui->update_ns = tui->model.now_ns;
    if (tui->model.paused)
        return;
    if (json_in_object(params, "status", &part) == 0 && part)
        take_status(tui, part);
    if (json_in_object(params, "tasks", &part) == 0 && part)
        tui_table_take(tui, part, &tui->subscribed, true);
}

void
tui_request_take(struct tui *tui, const struct cJSON *message, uint64_t id)
{
    tui->dirty = true;
    if (id == 0) {
        const cJSON *method = cJSON_GetObjectItemCaseSensitive(message, "method");
        if (cJSON_IsString(method) && strcmp(method->valuestring, "update") == 0)
            take_update(tui, message);
        return;
    }
    for (int i = 0; i < TUI_REQUESTS; i++) {
        if (tui->requests[i].kind == REQUEST_NONE || tui->requests[i].id != id)
            continue;
        struct request request = tui->requests[i];
        tui->requests[i] = (struct request){0};
        const cJSON *result = cJSON_GetObjectItemCaseSensitive(message, "result");
        const cJSON *error = cJSON_GetObjectItemCaseSensitive(message, "error");
        if (result)
            take_result(tui, &request, result);
        else if (cJSON_IsObject(error))
            take_error(tui, &request, error);
        request_done(&request);
        return;
    }
}
