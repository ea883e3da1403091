/* SPDX-License-Identifier: MIT */
/* looptop mem: memory of a process as the system, the C heap and Python see it, and gc pauses. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/out.h"
#include "client/ps.h"
#include "client/verb.h"
#include "common/cleanup.h"
#include "common/fmt.h"
#include "vendor/cjson/cJSON.h"

#define SPARK_WIDTH 60

static const struct option options_long[] = {
    {"ascii", no_argument, NULL, 'A'},
    VERB_OPTION_JSON,
    VERB_OPTION_HELP,
    VERB_OPTION_END,
};

enum { HISTORY_RSS, HISTORY_HEAP, HISTORY_BLOCKS, HISTORY_GC, HISTORY_TASKS, HISTORIES };

static const char *const history_names[HISTORIES] = {
    "rss_bytes", "heap_bytes", "blocks", "gc_pause_ns", "tasks"};

struct memory {
    struct memory_status status;
    double values[HISTORIES][LOOPTOP_HISTORY];
    size_t counts[HISTORIES];
};

static int
decode(const cJSON *result, struct memory *memory)
{
    const cJSON *history = cJSON_GetObjectItemCaseSensitive(result, "history");

    if (!cJSON_IsObject(result) || memory_status_decode(result, &memory->status) < 0)
        return -EPROTO;
    for (size_t i = 0; i < HISTORIES; i++)
        memory->counts[i] = history_decode(history, history_names[i], memory->values[i]);
    return 0;
}

/* One line: what, how much, the last minute of it. */
static void
put_line(
    struct buf *buf, const char *label, const char *value, const struct memory *memory, int history)
{
    char line[4 * SPARK_WIDTH];

    (void)buf_printf(buf, "%-14s %8s", label, value);
    if (history >= 0 && memory->counts[history] > 0)
        (void)buf_printf(buf, "  %s",
            out_sparkline(
                line, sizeof(line), memory->values[history], memory->counts[history], SPARK_WIDTH));
    (void)buf_puts(buf, "\n");
}

static double
known(int64_t value)
{
    return value == STATUS_UNKNOWN ? (double)NAN : (double)value;
}

static void
put_text(struct buf *buf, const struct memory *memory)
{
    const struct memory_status *m = &memory->status;
    char text[FMT_SIZE], count[3][FMT_SIZE];

    put_line(buf, "rss", fmt_bytes(text, known(m->rss_bytes)), memory, HISTORY_RSS);
    put_line(buf, "C heap in use", fmt_bytes(text, known(m->heap_bytes)), memory, HISTORY_HEAP);
    put_line(buf, "Python blocks", fmt_count(text, known(m->blocks)), memory, HISTORY_BLOCKS);
    put_line(
        buf, "gc pause /s", fmt_duration(text, known(m->gc_pause_ns_per_s)), memory, HISTORY_GC);
    put_line(buf, "gc pause max", fmt_duration(text, known(m->gc_pause_max_ns)), memory, -1);
    put_line(buf, "gc pause all", fmt_duration(text, known(m->gc_pause_total_ns)), memory, -1);
    (void)buf_printf(buf, "%-14s %s %s %s\n", "gc runs",
        fmt_count(count[0], known(m->gc_collections[0])),
        fmt_count(count[1], known(m->gc_collections[1])),
        fmt_count(count[2], known(m->gc_collections[2])));
    put_line(buf, "agent", fmt_bytes(text, known(m->agent_bytes)), memory, -1);
    if (memory->counts[HISTORY_TASKS] > 0)
        put_line(buf, "tasks",
            fmt_count(text, memory->values[HISTORY_TASKS][memory->counts[HISTORY_TASKS] - 1]),
            memory, HISTORY_TASKS);
}

static void
kv_known(struct json_out *out, const char *key, int64_t value)
{
    if (value == STATUS_UNKNOWN)
        json_out_kv_null(out, key);
    else
        json_out_kv_int(out, key, value);
}

static void
json_gc(struct json_out *out, const struct memory_status *m)
{
    json_out_key(out, "gc");
    json_out_object(out);
    json_out_key(out, "collections");
    json_out_array(out);
    for (size_t i = 0; i < 3; i++) {
        if (m->gc_collections[i] == STATUS_UNKNOWN)
            json_out_null(out);
        else
            json_out_int(out, m->gc_collections[i]);
    }
    json_out_array_end(out);
    ps_json_seconds(out, "pause_total_s", m->gc_pause_total_ns);
    ps_json_seconds(out, "pause_max_s", m->gc_pause_max_ns);
    kv_known(out, "pause_ns_per_s", m->gc_pause_ns_per_s);
    json_out_object_end(out);
}

static void
put_json(struct buf *buf, pid_t pid, const struct conn_hello *hello, const struct memory *memory)
{
    const struct memory_status *m = &memory->status;
    struct json_out out;

    json_out_init(&out, buf);
    json_out_object(&out);
    ps_json_process(&out, pid, hello);
    kv_known(&out, "rss_bytes", m->rss_bytes);
    kv_known(&out, "heap_bytes", m->heap_bytes);
    kv_known(&out, "blocks", m->blocks);
    json_gc(&out, m);
    kv_known(&out, "agent_bytes", m->agent_bytes);
    json_out_key(&out, "history");
    json_out_object(&out);
    json_out_kv_uint(&out, "interval_s", 1);
    for (size_t i = 0; i < HISTORIES; i++)
        ps_json_numbers(&out, history_names[i], memory->values[i], memory->counts[i], 0, 1);
    json_out_object_end(&out);
    json_out_object_end(&out);
    (void)buf_puts(buf, "\n");
}

static int
show(pid_t pid, struct conn *conn, bool json)
{
    CLEANUP_FREE struct memory *memory = calloc(1, sizeof(*memory));
    struct conn_error error;
    cJSON *result = NULL;
    struct buf buf;
    int r;

    if (!memory)
        return verb_fail(VERB_NOT_SO, "no memory");
    if (conn_call(conn, "memory", "{\"history\":true}", VERB_TIMEOUT_MS, &result, &error) < 0)
        return verb_call_failed(&error);
    r = decode(result, memory);
    cJSON_Delete(result);
    if (r < 0)
        return verb_misread("memory", r);
    buf_init(&buf, OUT_MAX);
    if (json)
        put_json(&buf, pid, conn_hello(conn), memory);
    else
        put_text(&buf, memory);
    return out_finish(&buf, VERB_DONE);
}

static int
run(const struct verb *verb, int argc, char **argv)
{
    CLEANUP(verb_conn_done) struct conn *conn = NULL;
    bool json = false;
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
    status = verb_open_only(verb, argc, argv, &pid, &conn);
    return status == VERB_DONE ? show(pid, conn, json) : status;
}

const struct verb verb_mem = {
    .name = "mem",
    .arguments = "[OPTION]... PID",
    .summary = "Show the memory of a process: RSS, C heap, Python blocks, gc",
    .options = "      --force  attach though the program's owner has said no\n"
               "      --ascii  no characters beyond ASCII\n"
               "  -j, --json   one JSON document with 10 minutes of history: see looptop-json(5)\n",
    .run = run,
    .takes_pid = true,
    .attach = CONN_ATTACH,
};
