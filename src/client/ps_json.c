/* SPDX-License-Identifier: MIT */
/* The document of `ps --json`; looptop-json(5) describes every field. Keep the two in step. */
#include <math.h>
#include <string.h>

#include "client/out.h"
#include "client/ps.h"
#include "looptop/protocol.h"
#include "platform/proc.h"

#define DECIMALS 6 /* of seconds: microseconds */

static const char *const state_names[LOOPTOP_STATES] = LOOPTOP_STATE_NAMES;

void
ps_json_seconds(struct json_out *out, const char *key, int64_t ns)
{
    if (ns == STATUS_UNKNOWN)
        json_out_kv_null(out, key);
    else
        json_out_kv_fixed(out, key, (double)ns / 1e9, DECIMALS);
}

static void
milliseconds(struct json_out *out, const char *key, int64_t ns)
{
    if (ns == STATUS_UNKNOWN)
        json_out_kv_null(out, key);
    else
        json_out_kv_fixed(out, key, (double)ns / 1e6, 3);
}

void
ps_json_process(struct json_out *out, pid_t pid, const struct conn_hello *hello)
{
    char cmdline[4096];
    size_t len;

    json_out_key(out, "process");
    json_out_object(out);
    json_out_kv_int(out, "pid", pid);
    json_out_kv_uint(out, "uid", hello->uid);
    json_out_kv_string(out, "cmdline",
        proc_cmdline(NULL, pid, cmdline, sizeof(cmdline), &len) == 0 ? cmdline : NULL);
    json_out_kv_string(out, "python", hello->python);
    json_out_kv_string(out, "agent", hello->agent);
    json_out_object_end(out);
}

void
ps_json_loop_open(struct json_out *out, const struct loop_status *loop)
{
    json_out_object(out);
    json_out_kv_uint(out, "id", loop->id);
    json_out_kv_string(out, "thread", loop->thread);
    json_out_kv_int(out, "tid", loop->tid);
    json_out_kv_string(out, "kind", loop->kind);
    json_out_kv_string(out, "state", loop->state);
    json_out_kv_uint(out, "tasks", loop->tasks);
    if (loop->running_task)
        json_out_kv_uint(out, "running_task", loop->running_task);
    else
        json_out_kv_null(out, "running_task");
    json_out_kv_fixed(out, "busy_pct", loop->busy_pct, 2);
    json_out_kv_bool(out, "busy_exact", loop->busy_exact);
    json_out_kv_fixed(out, "iterations_per_s", loop->iterations_per_s, 1);
    json_out_kv_fixed(out, "callbacks_per_s", loop->callbacks_per_s, 1);
    json_out_kv_fixed(out, "steps_per_s", loop->steps_per_s, 1);
    json_out_key(out, "lag_ms");
    json_out_object(out);
    milliseconds(out, "now", loop->lag_now_ns);
    milliseconds(out, "p50", loop->lag_p50_ns);
    milliseconds(out, "p90", loop->lag_p90_ns);
    milliseconds(out, "p99", loop->lag_p99_ns);
    milliseconds(out, "max", loop->lag_max_ns);
    json_out_object_end(out);
    json_out_kv_string(out, "lag_source", loop->lag_by_probe ? "probe" : "iteration");
    ps_json_seconds(out, "iteration_for_s", loop->iteration_for_ns);
}

void
ps_json_numbers(struct json_out *out, const char *key, const double *values, size_t count,
    int decimals, double scale)
{
    json_out_key(out, key);
    json_out_array(out);
    for (size_t i = 0; i < count; i++)
        json_out_fixed(out, values[i] * scale, decimals);
    json_out_array_end(out);
}

static void
put_totals(struct json_out *out, const struct status *status)
{
    json_out_key(out, "totals");
    json_out_object(out);
    json_out_kv_uint(out, "tasks", status->tasks);
    json_out_key(out, "by_state");
    json_out_object(out);
    /* The states of live tasks; those that ended are in the figures below. */
    for (size_t i = 0; i <= LOOPTOP_CANCELLING; i++)
        json_out_kv_uint(out, state_names[i], status->by_state[i]);
    json_out_object_end(out);
    json_out_kv_uint(out, "created", status->created);
    json_out_kv_uint(out, "finished", status->finished);
    json_out_kv_uint(out, "failed", status->failed);
    json_out_kv_uint(out, "cancelled", status->cancelled);
    json_out_kv_uint(out, "untracked", status->untracked);
    json_out_object_end(out);
}

static void
put_site(struct json_out *out, const char *key, const struct task_site *site)
{
    if (!site) {
        json_out_kv_null(out, key);
        return;
    }
    json_out_key(out, key);
    json_out_object(out);
    json_out_kv_string(out, "file", site->file);
    json_out_kv_uint(out, "line", site->line);
    json_out_kv_string(out, "function", site->function);
    json_out_object_end(out);
}

static void
put_task(struct json_out *out, const struct task_row *row)
{
    json_out_object(out);
    json_out_kv_uint(out, "id", row->id);
    json_out_kv_string(out, "name", row->name);
    json_out_kv_string(out, "state", state_names[row->state]);
    json_out_kv_string(out, "coroutine", row->coroutine);
    put_site(out, "at", row->at);
    json_out_kv_string(out, "waiting_on", row->waiting_on);
    json_out_kv_bool(out, "at_stale", row->at_stale);
    json_out_kv_fixed(out, "age_s", (double)row->age_ns / 1e9, DECIMALS);
    json_out_kv_bool(out, "age_exact", row->age_exact);
    json_out_kv_bool(out, "idle_exact", task_row_idle_exact(row));
    json_out_kv_fixed(out, "idle_s", (double)row->idle_ns / 1e9, DECIMALS);
    json_out_kv_fixed(out, "busy_s", (double)row->busy_ns / 1e9, DECIMALS);
    json_out_kv_fixed(out, "busy_pct", row->busy_pct, 2);
    json_out_kv_uint(out, "steps", row->steps);
    json_out_kv_fixed(out, "max_step_s", (double)row->max_step_ns / 1e9, DECIMALS);
    put_site(out, "created_at", row->created_at);
    if (row->parent)
        json_out_kv_uint(out, "parent", row->parent);
    else
        json_out_kv_null(out, "parent");
    json_out_kv_uint(out, "loop", row->loop);
    json_out_kv_string(out, "exception", row->exception);
    ps_json_seconds(out, "queued_s", row->queued_ns < 0 ? STATUS_UNKNOWN : row->queued_ns);
    ps_json_seconds(out, "ended_s", row->ended_ns < 0 ? STATUS_UNKNOWN : row->ended_ns);
    json_out_object_end(out);
}

int
ps_json(struct buf *buf, pid_t pid, const struct conn_hello *hello, const struct status *status,
    const struct task_list *list)
{
    struct json_out out;
    int r = 0;

    json_out_init(&out, buf);
    json_out_object(&out);
    json_out_kv_fixed(&out, "time_s", status->time_s, DECIMALS);
    ps_json_process(&out, pid, hello);
    json_out_key(&out, "loops");
    json_out_array(&out);
    for (size_t i = 0; i < status->loops_count; i++) {
        ps_json_loop_open(&out, &status->loops[i]);
        json_out_object_end(&out);
    }
    json_out_array_end(&out);
    put_totals(&out, status);
    json_out_key(&out, "tasks");
    json_out_array(&out);
    for (size_t i = 0; i < list->count && r == 0; i++) {
        put_task(&out, list->rows[i]);
        r = out_flush_some(buf);
    }
    json_out_array_end(&out);
    json_out_object_end(&out);
    (void)buf_puts(buf, "\n");
    return r;
}
