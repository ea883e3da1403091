/* SPDX-License-Identifier: MIT */
/*
 * looptop stack: the await chain of one task, outermost first, with source lines and locals. The
 * task is named by its id, or by its name where only one live task has it.
 */
#include <stdio.h>
#include <string.h>

#include "client/model/stack.h"
#include "client/out.h"
#include "client/ps.h"
#include "client/verb.h"
#include "common/cleanup.h"
#include "common/fmt.h"
#include "common/parse.h"
#include "vendor/cjson/cJSON.h"

#define LINE_SIZE 512

static const char *const state_names[LOOPTOP_STATES] = LOOPTOP_STATE_NAMES;

static const struct option options_long[] = {
    {"user", no_argument, NULL, 'u'},
    {"ascii", no_argument, NULL, 'A'},
    VERB_OPTION_JSON,
    VERB_OPTION_HELP,
    VERB_OPTION_END,
};

/* "/lib/python3.13/", or lib64, as installations of CPython have it. */
static bool
in_stdlib(const char *file)
{
    for (const char *at = strstr(file, "/lib"); at; at = strstr(at + 1, "/lib")) {
        const char *p = at + 4;

        if (strncmp(p, "64", 2) == 0)
            p += 2;
        if (strncmp(p, "/python3.", 9) != 0)
            continue;
        p += 9;
        p += strspn(p, "0123456789");
        if (*p == 't') /* free-threaded */
            p++;
        if (*p == '/')
            return true;
    }
    return false;
}

/* Is the file of the standard library or of an installed package? By its name, as it comes. */
static bool
is_library(const char *file)
{
    return strncmp(file, "<frozen ", 8) == 0 || strstr(file, "/site-packages/") ||
           strstr(file, "/dist-packages/") || in_stdlib(file);
}

/* Writes text as a terminal may have it. */
static void
put_clean(struct buf *buf, const char *text)
{
    char clean[LINE_SIZE];

    (void)buf_puts(buf, out_clean(clean, sizeof(clean), text));
}

static void
put_local(struct buf *buf, const struct stack_local *local)
{
    (void)buf_puts(buf, "      ");
    put_clean(buf, local->name);
    (void)buf_puts(buf, ": ");
    put_clean(buf, local->type);
    if (local->length >= 0)
        (void)buf_printf(buf, "[%lld]", (long long)local->length);
    if (local->value) {
        (void)buf_puts(buf, " = ");
        put_clean(buf, local->value);
    }
    (void)buf_puts(buf, "\n");
}

static void
put_frame(struct buf *buf, pid_t pid, const struct stack_frame *frame, size_t number)
{
    char source[LINE_SIZE];

    (void)buf_printf(buf, "%4zu  ", number);
    put_clean(buf, frame->function);
    if (strcmp(frame->kind, "coroutine") != 0) {
        (void)buf_puts(buf, " (");
        put_clean(buf, frame->kind);
        (void)buf_puts(buf, ")");
    }
    (void)buf_puts(buf, "  ");
    put_clean(buf, frame->file);
    if (frame->line > 0)
        (void)buf_printf(buf, ":%u", frame->line);
    (void)buf_puts(buf, "\n");
    if (stack_source_line(pid, frame->file, frame->line, source, sizeof(source)) == 0 && *source)
        (void)buf_printf(buf, "      > %s\n", source);
    for (size_t i = 0; i < frame->locals_count; i++)
        put_local(buf, &frame->locals[i]);
    if (frame->more_locals > 0)
        (void)buf_printf(buf, "      (%llu more)\n", (unsigned long long)frame->more_locals);
}

/* The row of a task in the table, as far as it stands there. False: it does not. */
static bool
fetch_row(struct conn *conn, uint64_t id, struct task_page *ret_page)
{
    char params[64];
    struct conn_error error;
    cJSON *result = NULL;
    bool found;

    (void)snprintf(params, sizeof(params), "{\"ids\":[%llu],\"limit\":1}", (unsigned long long)id);
    if (conn_call(conn, "tasks", params, VERB_TIMEOUT_MS, &result, &error) < 0)
        return false;
    found = task_page_decode(result, ret_page) == 0;
    cJSON_Delete(result);
    if (found && (ret_page->count == 0 || ret_page->rows[0].id != id)) {
        task_page_done(ret_page);
        return false;
    }
    return found;
}

/* Where the task was made, and by which. */
static void
put_origin(struct buf *buf, struct conn *conn, const struct task_row *row)
{
    struct task_page parent = {0};

    if (!row->created_at && !row->parent)
        return;
    (void)buf_puts(buf, "created");
    if (row->created_at) {
        (void)buf_puts(buf, " at ");
        put_clean(buf, row->created_at->file);
        (void)buf_printf(buf, ":%u ", row->created_at->line);
        put_clean(buf, row->created_at->function);
    }
    if (row->parent) {
        (void)buf_printf(buf, " by task %llu", (unsigned long long)row->parent);
        if (fetch_row(conn, row->parent, &parent)) {
            (void)buf_puts(buf, "  ");
            put_clean(buf, parent.rows[0].name);
        }
    }
    (void)buf_puts(buf, "\n");
    task_page_done(&parent);
}

/* What is left of a task that has ended, which has no frames. */
static void
put_end(struct buf *buf, const struct task_row *row)
{
    (void)buf_puts(buf, state_names[row->state]);
    if (row->exception) {
        (void)buf_puts(buf, " with ");
        put_clean(buf, row->exception);
    }
    if (row->at && row->at->file[0]) {
        (void)buf_puts(buf, "; last seen at ");
        put_clean(buf, row->at->file);
        (void)buf_printf(buf, ":%u ", row->at->line);
        put_clean(buf, row->at->function);
    }
    (void)buf_puts(buf, "\n");
}

/* Names the task as the table does, where it still stands there. */
static void
put_title(struct buf *buf, struct conn *conn, const struct stack *stack)
{
    char age[FMT_SIZE], idle[FMT_SIZE];
    struct task_page page = {0};
    const struct task_row *row;

    (void)buf_printf(
        buf, "task %llu  %s", (unsigned long long)stack->id, state_names[stack->state]);
    if (!fetch_row(conn, stack->id, &page)) {
        (void)buf_puts(buf, "\n");
        return;
    }
    row = &page.rows[0];
    (void)buf_puts(buf, "  ");
    put_clean(buf, row->name);
    (void)buf_printf(buf, "  age %s%s  %s %s%s%s  steps %llu\n",
        row->age_exact ? "" : out_at_least(), fmt_duration(age, (double)row->age_ns),
        row->ended_ns < 0 ? "idle" : "ended",
        row->ended_ns >= 0 || task_row_idle_exact(row) ? "" : out_at_least(),
        fmt_duration(idle, (double)(row->ended_ns < 0 ? (int64_t)row->idle_ns : row->ended_ns)),
        row->ended_ns < 0 ? "" : " ago", (unsigned long long)row->steps);
    put_origin(buf, conn, row);
    if (stack->state >= LOOPTOP_DONE)
        put_end(buf, row);
    task_page_done(&page);
}

static void
put_text(struct buf *buf, pid_t pid, const struct stack *stack, bool user)
{
    size_t left_out = 0;

    for (size_t i = 0; i < stack->count; i++) {
        if (user && is_library(stack->frames[i].file)) {
            left_out++;
            continue;
        }
        put_frame(buf, pid, &stack->frames[i], i + 1);
        (void)out_flush_some(buf);
    }
    if (left_out > 0)
        (void)buf_printf(buf, "%zu library frame%s left out\n", left_out, left_out == 1 ? "" : "s");
    if (stack->awaits) {
        (void)buf_puts(buf, "awaits ");
        put_clean(buf, stack->awaits);
        (void)buf_puts(buf, "\n");
    }
    if (!stack->complete) {
        (void)buf_puts(buf, "not complete: ");
        put_clean(buf, stack->reason ? stack->reason : "no reason was given");
        (void)buf_puts(buf, "\n");
    }
}

static void
json_frame(struct json_out *out, pid_t pid, const struct stack_frame *frame)
{
    char source[LINE_SIZE];
    int r = stack_source_line(pid, frame->file, frame->line, source, sizeof(source));

    json_out_object(out);
    json_out_kv_string(out, "kind", frame->kind);
    json_out_kv_string(out, "function", frame->function);
    json_out_kv_string(out, "file", frame->file);
    json_out_kv_uint(out, "line", frame->line);
    json_out_kv_string(out, "source", r == 0 ? source : NULL);
    json_out_key(out, "locals");
    json_out_array(out);
    for (size_t i = 0; i < frame->locals_count; i++) {
        const struct stack_local *local = &frame->locals[i];

        json_out_object(out);
        json_out_kv_string(out, "name", local->name);
        json_out_kv_string(out, "type", local->type);
        json_out_kv_string(out, "value", local->value);
        if (local->length >= 0)
            json_out_kv_int(out, "length", local->length);
        else
            json_out_kv_null(out, "length");
        json_out_object_end(out);
    }
    json_out_array_end(out);
    json_out_kv_uint(out, "more_locals", frame->more_locals);
    json_out_object_end(out);
}

static void
put_json(struct buf *buf, pid_t pid, struct conn *conn, const struct stack *stack, bool user)
{
    struct task_page page = {0};
    bool known = fetch_row(conn, stack->id, &page);
    struct json_out out;
    uint64_t left_out = 0;

    json_out_init(&out, buf);
    json_out_object(&out);
    ps_json_process(&out, pid, conn_hello(conn));
    json_out_kv_uint(&out, "id", stack->id);
    json_out_kv_string(&out, "state", state_names[stack->state]);
    json_out_kv_string(&out, "exception", known ? page.rows[0].exception : NULL);
    json_out_kv_bool(&out, "complete", stack->complete);
    json_out_kv_string(&out, "reason", stack->reason);
    json_out_kv_string(&out, "awaits", stack->awaits);
    json_out_key(&out, "frames");
    json_out_array(&out);
    for (size_t i = 0; i < stack->count; i++) {
        if (user && is_library(stack->frames[i].file)) {
            left_out++;
            continue;
        }
        json_frame(&out, pid, &stack->frames[i]);
        (void)out_flush_some(buf);
    }
    json_out_array_end(&out);
    json_out_kv_uint(&out, "left_out", left_out);
    json_out_object_end(&out);
    task_page_done(&page);
    (void)buf_puts(buf, "\n");
}

struct stack_request {
    bool json;
    bool user; /* without frames of libraries */
};

/* The id of the only live task with this name. */
static int
id_by_name(pid_t pid, struct conn *conn, const char *name, uint64_t *ret_id)
{
    CLEANUP(task_list_done) struct task_list list = {0};
    struct ps_options options = PS_OPTIONS_LIVE;
    struct conn_error error;

    if (ps_fetch(conn, &options, &list, &error) < 0)
        return verb_call_failed(&error);
    return ps_id_by_name(pid, &list, name, ret_id);
}

static int
show(pid_t pid, struct conn *conn, uint64_t id, const struct stack_request *request)
{
    CLEANUP(stack_done) struct stack stack = {0};
    struct conn_error error;
    cJSON *result = NULL;
    struct buf buf;
    char params[48];
    int r;

    (void)snprintf(params, sizeof(params), "{\"id\":%llu}", (unsigned long long)id);
    if (conn_call(conn, "stack", params, VERB_TIMEOUT_MS, &result, &error) < 0)
        return verb_call_failed(&error);
    r = stack_decode(result, &stack);
    cJSON_Delete(result);
    if (r < 0)
        return verb_misread("stack", r);
    buf_init(&buf, OUT_MAX);
    if (request->json) {
        put_json(&buf, pid, conn, &stack, request->user);
    } else {
        put_title(&buf, conn, &stack);
        put_text(&buf, pid, &stack, request->user);
    }
    return out_finish(&buf, VERB_DONE);
}

static int
run(const struct verb *verb, int argc, char **argv)
{
    CLEANUP(verb_conn_done) struct conn *conn = NULL;
    struct stack_request request = {0};
    uint64_t id;
    int c, status = VERB_DONE;
    pid_t pid;

    while ((c = verb_option(verb, argc, argv, ":jh", options_long, &status)) > 0) {
        if (c == 'A')
            out_force_ascii();
        else if (c == 'u')
            request.user = true;
        else
            request.json = true;
    }
    if (c == 0)
        return status;
    if (argc - optind < 2)
        return verb_misused(verb, "give a PID and the id or name of a task");
    status = verb_open_only(verb, argc - 1, argv, &pid, &conn);
    if (status == VERB_DONE && parse_uint_text(argv[argc - 1], 1, 1ull << 53, &id) < 0)
        status = id_by_name(pid, conn, argv[argc - 1], &id);
    return status == VERB_DONE ? show(pid, conn, id, &request) : status;
}

const struct verb verb_stack = {
    .name = "stack",
    .arguments = "[OPTION]... PID TASK",
    .summary = "Show the await chain of a task, by its id or unique name",
    .options = "      --user   without frames of the standard library and installed packages\n"
               "      --force  attach though the program's owner has said no\n"
               "      --ascii  no characters beyond ASCII\n"
               "  -j, --json   one JSON document: see looptop-json(5)\n",
    .run = run,
    .takes_pid = true,
    .attach = CONN_ATTACH,
};
