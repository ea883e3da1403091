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
    {"ascii", no_argument, NULL, 'A'},
    VERB_OPTION_JSON,
    VERB_OPTION_HELP,
    VERB_OPTION_END,
};

/* Writes text as a terminal may have it. */
static void
put_clean(struct buf *buf, const char *text)
{
    char clean[LINE_SIZE];

    (void)buf_puts(buf, fmt_clean(clean, sizeof(clean), text));
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

/* Names the task as the table does, where it still stands there. */
static void
put_title(struct buf *buf, struct conn *conn, const struct stack *stack)
{
    char params[64], age[FMT_SIZE], idle[FMT_SIZE];
    struct task_page page = {0};
    struct conn_error error;
    cJSON *result = NULL;

    (void)buf_printf(
        buf, "task %llu  %s", (unsigned long long)stack->id, state_names[stack->state]);
    (void)snprintf(
        params, sizeof(params), "{\"ids\":[%llu],\"limit\":1}", (unsigned long long)stack->id);
    if (conn_call(conn, "tasks", params, VERB_TIMEOUT_MS, &result, &error) == 0 &&
        task_page_decode(result, &page) == 0 && page.count > 0 && page.rows[0].id == stack->id) {
        (void)buf_puts(buf, "  ");
        put_clean(buf, page.rows[0].name);
        (void)buf_printf(buf, "  age %s%s  idle %s", page.rows[0].age_exact ? "" : out_at_least(),
            fmt_duration(age, (double)page.rows[0].age_ns),
            fmt_duration(idle, (double)page.rows[0].idle_ns));
    }
    (void)buf_puts(buf, "\n");
    task_page_done(&page);
    cJSON_Delete(result);
}

static void
put_text(struct buf *buf, pid_t pid, const struct stack *stack)
{
    for (size_t i = 0; i < stack->count; i++) {
        put_frame(buf, pid, &stack->frames[i], i + 1);
        (void)out_flush_some(buf);
    }
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
put_json(struct buf *buf, pid_t pid, const struct conn_hello *hello, const struct stack *stack)
{
    struct json_out out;

    json_out_init(&out, buf);
    json_out_object(&out);
    ps_json_process(&out, pid, hello);
    json_out_kv_uint(&out, "id", stack->id);
    json_out_kv_string(&out, "state", state_names[stack->state]);
    json_out_kv_bool(&out, "complete", stack->complete);
    json_out_kv_string(&out, "reason", stack->reason);
    json_out_kv_string(&out, "awaits", stack->awaits);
    json_out_key(&out, "frames");
    json_out_array(&out);
    for (size_t i = 0; i < stack->count; i++) {
        json_frame(&out, pid, &stack->frames[i]);
        (void)out_flush_some(buf);
    }
    json_out_array_end(&out);
    json_out_object_end(&out);
    (void)buf_puts(buf, "\n");
}

/* The id of the only live task with this name. */
static int
id_by_name(pid_t pid, struct conn *conn, const char *name, uint64_t *ret_id)
{
    CLEANUP(task_list_done) struct task_list list = {0};
    struct ps_options options = PS_OPTIONS_LIVE;
    struct conn_error error;

    if (ps_fetch(conn, &options, &list, &error) < 0)
        return verb_call_failed(&error);
    return ps_id_by_name(pid, &list, name, VERB_NOT_SO, ret_id);
}

static int
show(pid_t pid, struct conn *conn, uint64_t id, bool json)
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
    if (json)
        put_json(&buf, pid, conn_hello(conn), &stack);
    else {
        put_title(&buf, conn, &stack);
        put_text(&buf, pid, &stack);
    }
    return out_finish(&buf, VERB_DONE);
}

static int
run(const struct verb *verb, int argc, char **argv)
{
    CLEANUP(verb_conn_done) struct conn *conn = NULL;
    bool json = false;
    uint64_t id;
    int c, status = VERB_DONE;
    pid_t pid;

    while ((c = verb_option(verb, argc, argv, ":jh", options_long, &status)) > 0) {
        if (c == 'A')
            out_force_ascii();
        else
            json = true;
    }
    if (c == 0)
        return status;
    if (argc - optind < 2)
        return verb_misused(verb, "give a PID and the id or name of a task");
    status = verb_open_only(verb, argc - 1, argv, &pid, &conn);
    if (status == VERB_DONE && parse_uint_text(argv[argc - 1], 1, 1ull << 53, &id) < 0)
        status = id_by_name(pid, conn, argv[argc - 1], &id);
    return status == VERB_DONE ? show(pid, conn, id, json) : status;
}

const struct verb verb_stack = {
    .name = "stack",
    .arguments = "[OPTION]... PID TASK",
    .summary = "Show the await chain of a task, by its id or unique name",
    .options = "      --ascii  no characters beyond ASCII\n"
               "  -j, --json   one JSON document: see looptop-json(5)\n",
    .run = run,
};
