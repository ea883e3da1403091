/* SPDX-License-Identifier: MIT */
/*
 * Fields are read in one expression a struct: any of another type than documented makes the whole
 * answer invalid, since an agent that errs in one figure is not to be believed in the next.
 */
#include "client/model/status.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "client/model/json_in.h"
#include "vendor/cjson/cJSON.h"

static const char *const state_names[LOOPTOP_STATES] = LOOPTOP_STATE_NAMES;

static int
decode_lag(const cJSON *loop, struct loop_status *out)
{
    const cJSON *lag;

    if (json_in_object(loop, "lag_ns", &lag) < 0 ||
        json_in_int(lag, "now", STATUS_UNKNOWN, &out->lag_now_ns) < 0 ||
        json_in_int(lag, "p50", STATUS_UNKNOWN, &out->lag_p50_ns) < 0 ||
        json_in_int(lag, "p90", STATUS_UNKNOWN, &out->lag_p90_ns) < 0 ||
        json_in_int(lag, "p99", STATUS_UNKNOWN, &out->lag_p99_ns) < 0 ||
        json_in_int(lag, "max", STATUS_UNKNOWN, &out->lag_max_ns) < 0)
        return -EPROTO;
    return 0;
}

static int
decode_running(const cJSON *loop, struct loop_status *out)
{
    const cJSON *running, *thread;

    if (json_in_object(loop, "running", &running) < 0 ||
        json_in_uint(running, "task", 0, &out->running_task) < 0 ||
        json_in_int(running, "for_ns", 0, &out->running_ns) < 0 ||
        json_in_object(loop, "thread", &thread) < 0 ||
        json_in_int(thread, "tid", 0, &out->tid) < 0 ||
        json_in_text(thread, "name", out->thread, sizeof(out->thread)) < 0)
        return -EPROTO;
    return 0;
}

int
loop_status_decode(const cJSON *loop, struct loop_status *ret_loop)
{
    struct loop_status out = {0};
    char source[16];

    if (!cJSON_IsObject(loop) || json_in_uint(loop, "id", 0, &out.id) < 0 ||
        json_in_uint(loop, "tasks", 0, &out.tasks) < 0 ||
        json_in_text(loop, "kind", out.kind, sizeof(out.kind)) < 0 ||
        json_in_text(loop, "state", out.state, sizeof(out.state)) < 0 ||
        json_in_double(loop, "busy_pct", NAN, &out.busy_pct) < 0 ||
        json_in_bool(loop, "busy_exact", true, &out.busy_exact) < 0 ||
        json_in_double(loop, "iterations_per_s", NAN, &out.iterations_per_s) < 0 ||
        json_in_double(loop, "callbacks_per_s", NAN, &out.callbacks_per_s) < 0 ||
        json_in_double(loop, "steps_per_s", NAN, &out.steps_per_s) < 0 ||
        json_in_text(loop, "lag_source", source, sizeof(source)) < 0 ||
        json_in_int(loop, "iteration_for_ns", 0, &out.iteration_for_ns) < 0 ||
        decode_lag(loop, &out) < 0 || decode_running(loop, &out) < 0)
        return -EPROTO;
    out.lag_by_probe = strcmp(source, "probe") == 0;
    *ret_loop = out;
    return 0;
}

static int
decode_gc(const cJSON *memory, struct memory_status *out)
{
    const cJSON *gc, *collections, *item;
    size_t i = 0;

    if (json_in_object(memory, "gc", &gc) < 0 ||
        json_in_array(gc, "collections", &collections) < 0 ||
        json_in_int(gc, "pause_total_ns", STATUS_UNKNOWN, &out->gc_pause_total_ns) < 0 ||
        json_in_int(gc, "pause_max_ns", STATUS_UNKNOWN, &out->gc_pause_max_ns) < 0 ||
        json_in_int(gc, "pause_ns_per_s", STATUS_UNKNOWN, &out->gc_pause_ns_per_s) < 0)
        return -EPROTO;
    for (; i < 3; i++)
        out->gc_collections[i] = STATUS_UNKNOWN;
    i = 0;
    cJSON_ArrayForEach(item, collections)
    {
        uint64_t count;

        if (i == 3)
            break;
        if (!cJSON_IsNull(item)) {
            if (json_in_whole(item, &count) < 0)
                return -EPROTO;
            out->gc_collections[i] = (int64_t)count;
        }
        i++;
    }
    return 0;
}

int
memory_status_decode(const cJSON *memory, struct memory_status *ret_memory)
{
    struct memory_status out = {0};

    if ((memory && !cJSON_IsObject(memory)) ||
        json_in_int(memory, "rss_bytes", STATUS_UNKNOWN, &out.rss_bytes) < 0 ||
        json_in_int(memory, "heap_bytes", STATUS_UNKNOWN, &out.heap_bytes) < 0 ||
        json_in_int(memory, "blocks", STATUS_UNKNOWN, &out.blocks) < 0 ||
        json_in_int(memory, "agent_bytes", STATUS_UNKNOWN, &out.agent_bytes) < 0 ||
        decode_gc(memory, &out) < 0)
        return -EPROTO;
    *ret_memory = out;
    return 0;
}

static int
decode_identity(const cJSON *result, struct status *out)
{
    const cJSON *hooks, *gil;
    uint64_t pid, uid;
    char population[16];

    if (!cJSON_IsObject(result) || json_in_double(result, "time_s", 0, &out->time_s) < 0 ||
        json_in_uint(result, "pid", 0, &pid) < 0 || pid > INT32_MAX ||
        json_in_uint(result, "uid", 0, &uid) < 0 || uid > UINT32_MAX ||
        json_in_text(result, "python", out->python, sizeof(out->python)) < 0 ||
        json_in_uint(result, "process_up_ns", 0, &out->process_up_ns) < 0 ||
        json_in_uint(result, "agent_up_ns", 0, &out->agent_up_ns) < 0 ||
        json_in_bool(result, "readonly", false, &out->readonly) < 0 ||
        json_in_object(result, "hooks", &hooks) < 0 ||
        json_in_text(hooks, "state", out->hooks_state, sizeof(out->hooks_state)) < 0 ||
        json_in_text(hooks, "message", out->hooks_message, sizeof(out->hooks_message)) < 0 ||
        json_in_text(hooks, "population", population, sizeof(population)) < 0 ||
        json_in_object(result, "gil", &gil) < 0 ||
        json_in_int(gil, "waiting_ns", 0, &out->gil_waiting_ns) < 0)
        return -EPROTO;
    out->pid = (pid_t)pid;
    out->uid = (uid_t)uid;
    out->walking = strcmp(population, "walking") == 0;
    return 0;
}

static int
decode_totals(const cJSON *result, struct status *out)
{
    const cJSON *totals, *states;

    if (json_in_object(result, "totals", &totals) < 0 ||
        json_in_uint(totals, "tasks", 0, &out->tasks) < 0 ||
        json_in_uint(totals, "created", 0, &out->created) < 0 ||
        json_in_uint(totals, "finished", 0, &out->finished) < 0 ||
        json_in_uint(totals, "failed", 0, &out->failed) < 0 ||
        json_in_uint(totals, "cancelled", 0, &out->cancelled) < 0 ||
        json_in_uint(totals, "untracked", 0, &out->untracked) < 0 ||
        json_in_uint(totals, "steps", 0, &out->steps) < 0 ||
        json_in_object(totals, "by_state", &states) < 0)
        return -EPROTO;
    for (size_t i = 0; i < LOOPTOP_STATES; i++)
        if (json_in_uint(states, state_names[i], 0, &out->by_state[i]) < 0)
            return -EPROTO;
    return 0;
}

static int
decode_rates(const cJSON *result, struct status *out)
{
    const cJSON *rates;

    if (json_in_object(result, "rates", &rates) < 0 ||
        json_in_double(rates, "created", NAN, &out->created_per_s) < 0 ||
        json_in_double(rates, "finished", NAN, &out->finished_per_s) < 0 ||
        json_in_double(rates, "failed", NAN, &out->failed_per_s) < 0 ||
        json_in_double(rates, "cancelled", NAN, &out->cancelled_per_s) < 0 ||
        json_in_double(rates, "steps", NAN, &out->steps_per_s) < 0)
        return -EPROTO;
    return 0;
}

static int
decode_loops(const cJSON *result, struct status *out)
{
    const cJSON *loops, *loop;

    if (json_in_array(result, "loops", &loops) < 0)
        return -EPROTO;
    cJSON_ArrayForEach(loop, loops)
    {
        if (out->loops_count == STATUS_LOOPS_MAX)
            break;
        if (loop_status_decode(loop, &out->loops[out->loops_count]) < 0)
            return -EPROTO;
        out->loops_count++;
    }
    return 0;
}

static int
decode_agent(const cJSON *result, struct status *out)
{
    const cJSON *agent;
    uint64_t clients;

    if (json_in_object(result, "agent", &agent) < 0 ||
        json_in_uint(agent, "bytes", 0, &out->agent_bytes) < 0 ||
        json_in_uint(agent, "bytes_max", 0, &out->agent_bytes_max) < 0 ||
        json_in_uint(agent, "records", 0, &out->agent_records) < 0 ||
        json_in_uint(agent, "records_max", 0, &out->agent_records_max) < 0 ||
        json_in_uint(agent, "clients", 0, &clients) < 0 || clients > UINT32_MAX ||
        json_in_uint(result, "events", 0, &out->events) < 0)
        return -EPROTO;
    out->agent_clients = (unsigned)clients;
    return 0;
}

static int
decode_into(const cJSON *result, struct status *out)
{
    const cJSON *memory;

    if (decode_identity(result, out) < 0 || decode_totals(result, out) < 0 ||
        decode_rates(result, out) < 0 || decode_loops(result, out) < 0 ||
        decode_agent(result, out) < 0 || json_in_object(result, "memory", &memory) < 0 ||
        memory_status_decode(memory, &out->memory) < 0)
        return -EPROTO;
    return 0;
}

void
status_copy(struct status *to, const struct status *from)
{
    memcpy(to, from, offsetof(struct status, loops) + from->loops_count * sizeof from->loops[0]);
}

int
status_decode(const cJSON *result, struct status *ret_status)
{
    struct status *out = calloc(1, sizeof(*out)); /* too large for a stack frame of ours */
    int r = out ? decode_into(result, out) : -ENOMEM;

    if (r == 0)
        status_copy(ret_status, out);
    free(out);
    return r;
}

size_t
history_decode(const cJSON *history, const char *name, double ret_values[LOOPTOP_HISTORY])
{
    const cJSON *values, *item;
    size_t count = 0, skip = 0;

    if (json_in_array(history, name, &values) < 0 || !values)
        return 0;
    cJSON_ArrayForEach(item, values) count++;
    if (count > LOOPTOP_HISTORY)
        skip = count - LOOPTOP_HISTORY;
    count = 0;
    cJSON_ArrayForEach(item, values)
    {
        double value;

        if (skip > 0)
            skip--;
        else
            ret_values[count++] = json_in_number(item, &value) == 0 ? value : NAN;
    }
    return count;
}
