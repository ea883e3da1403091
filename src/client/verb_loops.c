/* SPDX-License-Identifier: MIT */
/* looptop loops: the event loops of a process, with the last minute of lag. */
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

struct loop_entry {
    struct loop_status status;
    double lag[LOOPTOP_HISTORY], busy[LOOPTOP_HISTORY], iterations[LOOPTOP_HISTORY];
    size_t lag_count, busy_count, iterations_count;
};

struct loop_table {
    struct loop_entry *entries; /* owned */
    size_t count;
};

static void
loop_table_done(struct loop_table *table)
{
    free(table->entries);
}

static int
decode(const cJSON *result, struct loop_table *table)
{
    const cJSON *loops = cJSON_GetObjectItemCaseSensitive(result, "loops"), *item;

    if (!cJSON_IsArray(loops))
        return -EPROTO;
    table->entries = calloc(STATUS_LOOPS_MAX, sizeof(*table->entries));
    if (!table->entries)
        return -ENOMEM;
    cJSON_ArrayForEach(item, loops)
    {
        const cJSON *history = cJSON_GetObjectItemCaseSensitive(item, "history");
        struct loop_entry *entry = &table->entries[table->count];

        if (table->count == STATUS_LOOPS_MAX)
            break;
        if (loop_status_decode(item, &entry->status) < 0)
            return -EPROTO;
        entry->lag_count = history_decode(history, "lag_ns", entry->lag);
        entry->busy_count = history_decode(history, "busy_pct", entry->busy);
        entry->iterations_count = history_decode(history, "iterations", entry->iterations);
        table->count++;
    }
    return 0;
}

static void
put_lag(char out[OUT_CELL_MAX], int64_t ns)
{
    char text[FMT_SIZE];

    (void)snprintf(
        out, OUT_CELL_MAX, "%s", fmt_duration(text, ns == STATUS_UNKNOWN ? -1.0 : (double)ns));
}

static void
put_rate(char out[OUT_CELL_MAX], double value)
{
    char text[FMT_SIZE];

    (void)snprintf(out, OUT_CELL_MAX, "%s", fmt_rate(text, value));
}

static void
cell(const void *data, size_t row, size_t column, char out[OUT_CELL_MAX])
{
    const struct loop_table *table = data;
    const struct loop_entry *entry = &table->entries[row];
    const struct loop_status *loop = &entry->status;
    const int64_t lags[] = {loop->lag_now_ns, loop->lag_p50_ns, loop->lag_p99_ns, loop->lag_max_ns};
    char text[FMT_SIZE];
    const double rates[] = {loop->iterations_per_s, loop->callbacks_per_s, loop->steps_per_s};

    switch (column) {
    case 0:
    case 4:
        (void)snprintf(
            out, OUT_CELL_MAX, "%llu", (unsigned long long)(column == 0 ? loop->id : loop->tasks));
        break;
    case 1:
        (void)snprintf(out, OUT_CELL_MAX, "%s", loop->thread);
        break;
    case 2:
        (void)snprintf(out, OUT_CELL_MAX, "%s", loop->kind);
        break;
    case 3:
        (void)snprintf(out, OUT_CELL_MAX, "%s", loop->state);
        break;
    case 5:
        (void)snprintf(out, OUT_CELL_MAX, "%s%s",
            loop->busy_exact || isnan(loop->busy_pct) ? "" : out_at_least(),
            fmt_pct(text, loop->busy_pct));
        break;
    case 6:
    case 7:
    case 8:
    case 9:
        put_lag(out, lags[column - 6]);
        break;
    case 10:
    case 11:
    case 12:
        put_rate(out, rates[column - 10]);
        break;
    default:
        (void)out_sparkline(out, OUT_CELL_MAX, entry->lag, entry->lag_count, SPARK_WIDTH);
        break;
    }
}

static void
put_table(struct buf *buf, const struct loop_table *loops)
{
    static const struct out_column columns[] = {
        {"ID", true, false, 0, 0},
        {"THREAD", false, false, 8, 1},
        {"KIND", false, false, 0, 2},
        {"STATE", false, false, 0, 3},
        {"TASKS", true, false, 0, 4},
        {"BUSY%", true, false, 0, 5},
        {"LAG", true, false, 0, 6},
        {"P50", true, false, 0, 7},
        {"P99", true, false, 0, 8},
        {"MAX", true, false, 0, 9},
        {"ITER/S", true, false, 0, 10},
        {"CALLS/S", true, false, 0, 11},
        {"STEPS/S", true, false, 0, 12},
        {"LAG, LAST MINUTE", false, true, 8, 13},
    };
    struct out_table table = {
        .columns = columns,
        .columns_count = sizeof(columns) / sizeof(columns[0]),
        .rows_count = loops->count,
        .cell = cell,
        .data = loops,
    };

    (void)out_table(buf, &table, out_width());
}

static void
put_json(struct buf *buf, pid_t pid, const struct conn_hello *hello, const struct loop_table *loops)
{
    struct json_out out;

    json_out_init(&out, buf);
    json_out_object(&out);
    ps_json_process(&out, pid, hello);
    json_out_key(&out, "loops");
    json_out_array(&out);
    for (size_t i = 0; i < loops->count; i++) {
        const struct loop_entry *entry = &loops->entries[i];

        ps_json_loop_open(&out, &entry->status);
        json_out_key(&out, "history");
        json_out_object(&out);
        json_out_kv_uint(&out, "interval_s", 1);
        ps_json_numbers(&out, "busy_pct", entry->busy, entry->busy_count, 2, 1);
        ps_json_numbers(&out, "lag_ms", entry->lag, entry->lag_count, 3, 1e-6);
        ps_json_numbers(&out, "iterations", entry->iterations, entry->iterations_count, 0, 1);
        json_out_object_end(&out);
        json_out_object_end(&out);
        (void)out_flush_some(buf);
    }
    json_out_array_end(&out);
    json_out_object_end(&out);
    (void)buf_puts(buf, "\n");
}

static int
show(pid_t pid, struct conn *conn, bool json)
{
    CLEANUP(loop_table_done) struct loop_table loops = {0};
    struct conn_error error;
    cJSON *result = NULL;
    struct buf buf;
    int r;

    if (conn_call(conn, "loops", "{\"history\":true}", VERB_TIMEOUT_MS, &result, &error) < 0)
        return verb_call_failed(&error);
    r = decode(result, &loops);
    cJSON_Delete(result);
    if (r < 0)
        return verb_misread("loops", r);
    buf_init(&buf, OUT_MAX);
    if (json)
        put_json(&buf, pid, conn_hello(conn), &loops);
    else
        put_table(&buf, &loops);
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

const struct verb verb_loops = {
    .name = "loops",
    .arguments = "[OPTION]... PID",
    .summary = "Show the event loops of a process: busy share, lag, rates",
    .options = "      --force  attach though the program's owner has said no\n"
               "      --ascii  no characters beyond ASCII\n"
               "  -j, --json   one JSON document with 10 minutes of history: see looptop-json(5)\n",
    .run = run,
    .takes_pid = true,
    .attach = CONN_ATTACH,
};
