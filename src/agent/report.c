// SPDX-License-Identifier: MIT
/* See report.h. */
#include "agent/report.h"

#include "agent/cpython/cpy.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/events.h"
#include "agent/gil.h"
#include "agent/list.h"
#include "agent/loops.h"
#include "agent/memory.h"
#include "agent/population.h"
#include "agent/table.h"
#include "agent/ticks.h"
#include "common/clock.h"
#include "looptop/version.h"
#include "platform/proc.h"

/* samples of the histories of all loops in one answer, each up to 30 bytes: LOOPTOP_RESPONSE_MAX
 * leaves room for more, but nobody wants to read it */
#define SAMPLES_MAX (256 * LOOPTOP_HISTORY)

static char python[32];
static uint64_t started_ns;
static double started_s;

static struct {
    uint64_t at_ns;
    struct table_counts seen;
    double created, finished, failed, cancelled, steps;
} rates;

void
report_init(void)
{
    const char *version = Py_GetVersion();
    (void)snprintf(python, sizeof python, "%.*s", (int)strcspn(version, " "), version);
    started_ns = clock_monotonic_ns();
    started_s = clock_realtime_s();
    rates.at_ns = 0;
}

static double
rate(uint64_t now, uint64_t before, double span_s)
{
    return now >= before && span_s > 0 ? (double)(now - before) / span_s : 0;
}

void
report_sample(void)
{
    struct table_counts now = {.created = LOAD(table_counts.created),
        .finished = LOAD(table_counts.finished),
        .failed = LOAD(table_counts.failed),
        .cancelled = LOAD(table_counts.cancelled),
        .steps = LOAD(table_counts.steps)};
    uint64_t at_ns = clock_monotonic_ns();
    double span_s = rates.at_ns != 0 ? (double)(at_ns - rates.at_ns) / 1e9 : 0;
    rates.created = rate(now.created, rates.seen.created, span_s);
    rates.finished = rate(now.finished, rates.seen.finished, span_s);
    rates.failed = rate(now.failed, rates.seen.failed, span_s);
    rates.cancelled = rate(now.cancelled, rates.seen.cancelled, span_s);
    rates.steps = rate(now.steps, rates.seen.steps, span_s);
    rates.seen = now;
    rates.at_ns = at_ns;
}

void
report_hello(struct json_out *out)
{
    json_out_object(out);
    json_out_kv_uint(out, "protocol", LOOPTOP_PROTOCOL);
    json_out_kv_string(out, "agent", LOOPTOP_VERSION);
    json_out_kv_int(out, "pid", getpid());
    json_out_kv_int(out, "uid", geteuid());
    json_out_kv_bool(out, "readonly", agent_readonly());
    json_out_kv_string(out, "python", python);
    json_out_kv_fixed(out, "started_s", started_s, 3);
    json_out_object_end(out);
}

static void
report_hooks(struct json_out *out)
{
    static const char *const names[] = {"dormant", "waiting", "active", "refused"};
    char message[LOOPTOP_AGENT_TEXT];
    json_out_key(out, "hooks");
    json_out_object(out);
    json_out_kv_string(out, "state", names[agent_hooks()]);
    json_out_kv_string(out, "message", agent_message(message) ? message : NULL);
    json_out_kv_string(out, "population", LOAD(population_walking) ? "walking" : "done");
    json_out_object_end(out);
}

static void
report_totals(struct json_out *out, const struct list_census *census)
{
    static const char *const names[] = LOOPTOP_STATE_NAMES;
    json_out_key(out, "totals");
    json_out_object(out);
    json_out_kv_uint(out, "tasks", census->live);
    json_out_key(out, "by_state");
    json_out_object(out);
    for (unsigned i = 0; i < LOOPTOP_DONE; i++)
        json_out_kv_uint(out, names[i], census->by_state[i]);
    json_out_object_end(out);
    json_out_kv_uint(out, "created", LOAD(table_counts.created));
    json_out_kv_uint(out, "finished", LOAD(table_counts.finished));
    json_out_kv_uint(out, "failed", LOAD(table_counts.failed));
    json_out_kv_uint(out, "cancelled", LOAD(table_counts.cancelled));
    json_out_kv_uint(out, "untracked", LOAD(table_counts.untracked));
    json_out_kv_uint(out, "steps", LOAD(table_counts.steps));
    json_out_object_end(out);

    json_out_key(out, "rates");
    json_out_object(out);
    json_out_kv_fixed(out, "created", rates.created, 2);
    json_out_kv_fixed(out, "finished", rates.finished, 2);
    json_out_kv_fixed(out, "failed", rates.failed, 2);
    json_out_kv_fixed(out, "cancelled", rates.cancelled, 2);
    json_out_kv_fixed(out, "steps", rates.steps, 2);
    json_out_object_end(out);
}

/* The largest lag of the last minute's samples: it holds long steps that no probe has met. */
static uint64_t
last_minute_max(const struct loop_history *history)
{
    uint64_t max = 0;
    for (unsigned i = 1; i <= 60 && i <= history->count; i++) {
        uint64_t lag = history->lag_ns[(history->next + LOOPTOP_HISTORY - i) % LOOPTOP_HISTORY];
        max = lag > max ? lag : max;
    }
    return max;
}

static void
report_lag(struct json_out *out, const struct loop *loop, uint64_t iteration_ns)
{
    struct histogram all;
    loops_lag_merge(loop, &all);
    uint64_t now = loop->history->lag_now_ns, probe = LOAD(loop->probe_sent);
    uint64_t since = LOAD(loop->lag_max_ns); /* in the second that is not over yet */
    if (since > now)
        now = since;
    uint64_t probe_ns = probe != 0 ? ticks_since_ns(probe) : 0;
    if (probe_ns > now)
        now = probe_ns;
    if (iteration_ns > now)
        now = iteration_ns;
    uint64_t max = LOAD(all.max) > now ? LOAD(all.max) : now,
             minute = last_minute_max(loop->history);
    if (minute > max)
        max = minute;
    json_out_key(out, "lag_ns");
    json_out_object(out);
    json_out_kv_uint(out, "now", now);
    json_out_kv_uint(out, "p50", histogram_quantile(&all, 0.50));
    json_out_kv_uint(out, "p90", histogram_quantile(&all, 0.90));
    json_out_kv_uint(out, "p99", histogram_quantile(&all, 0.99));
    json_out_kv_uint(out, "max", max);
    json_out_object_end(out);
}

static void
report_history(struct json_out *out, const struct loop_history *history, unsigned most)
{
    unsigned count = history->count < most ? history->count : most;
    unsigned first = (history->next + LOOPTOP_HISTORY - count) % LOOPTOP_HISTORY;
    json_out_key(out, "history");
    json_out_object(out);
    json_out_kv_uint(out, "interval_s", 1);
    json_out_key(out, "busy_pct");
    json_out_array(out);
    for (unsigned i = 0; i < count; i++)
        json_out_fixed(out, history->busy_pct[(first + i) % LOOPTOP_HISTORY], 1);
    json_out_array_end(out);
    json_out_key(out, "lag_ns");
    json_out_array(out);
    for (unsigned i = 0; i < count; i++)
        json_out_uint(out, history->lag_ns[(first + i) % LOOPTOP_HISTORY]);
    json_out_array_end(out);
    json_out_key(out, "iterations");
    json_out_array(out);
    for (unsigned i = 0; i < count; i++)
        json_out_fixed(out, history->iterations[(first + i) % LOOPTOP_HISTORY], 1);
    json_out_array_end(out);
    json_out_object_end(out);
}

static void
report_thread(struct json_out *out, const struct loop *loop)
{
    json_out_key(out, "thread");
    char name[sizeof loop->thread];
    atomic_text_get(name, sizeof name, loop->thread);
    json_out_object(out);
    json_out_kv_int(out, "tid", LOAD(loop->tid));
    json_out_kv_string(out, "name", name);
    json_out_object_end(out);
}

/* The task in a step now, or null. */
static void
report_running(struct json_out *out, const struct loop *loop)
{
    uint32_t index = LOAD(loop->running);
    uint64_t id = index != 0 ? LOAD(table_records[index].id) : 0;
    json_out_key(out, "running");
    if (id == 0) {
        json_out_null(out);
        return;
    }
    json_out_object(out);
    json_out_kv_uint(out, "task", id);
    json_out_kv_uint(out, "for_ns", ticks_since_ns(LOAD(loop->step_start)));
    json_out_object_end(out);
}

/* samples: at most so many of its history; 0: none of it. */
static void
report_loop(struct json_out *out, const struct loop *loop, uint32_t tasks, unsigned samples)
{
    static const char *const states[] = {"stopped", "running", "closed"};
    const struct loop_history *h = loop->history;
    uint64_t start = LOAD(loop->iteration_start);
    uint64_t iteration_ns = start != 0 ? ticks_since_ns(start) : 0;
    char kind[sizeof loop->kind];
    atomic_text_get(kind, sizeof kind, loop->kind);
    if (LOAD(loop->is_uvloop) && LOAD(loop->running) != 0)
        iteration_ns = ticks_since_ns(LOAD(loop->step_start));
    json_out_object(out);
    json_out_kv_uint(out, "id", LOAD(loop->id));
    json_out_kv_string(out, "kind", kind);
    json_out_kv_string(out, "state", states[LOAD(loop->state) % 3]);
    report_thread(out, loop);
    json_out_kv_uint(out, "tasks", tasks);
    report_running(out, loop);
    json_out_kv_fixed(out, "busy_pct", h->busy_pct_now, 1);
    json_out_kv_bool(out, "busy_exact", h->busy_exact);
    json_out_kv_fixed(out, "iterations_per_s", h->iterations_now, 1);
    json_out_kv_fixed(out, "callbacks_per_s", h->callbacks_now, 1);
    json_out_kv_fixed(out, "steps_per_s", h->steps_now, 1);
    report_lag(out, loop, iteration_ns);
    json_out_kv_string(out, "lag_source", LOAD(loop->is_uvloop) ? "probe" : "iteration");
    json_out_kv_uint(out, "iteration_for_ns", iteration_ns);
    if (samples > 0)
        report_history(out, h, samples);
    json_out_object_end(out);
}

/* Whether an entry is of a loop that is to be seen: not of a closed one without tasks. */
static bool
is_listed(const struct loop *loop, uint32_t tasks)
{
    return LOAD_ACQUIRE(loop->id) != 0 && (LOAD(loop->state) != LOOP_CLOSED || tasks > 0);
}

static void
report_loop_list(struct json_out *out, bool history)
{
    const uint32_t *tasks = list_census()->by_loop;
    uint32_t high = LOAD_ACQUIRE(loops_high);
    unsigned listed = 0, samples = 0;
    loops_renew();
    for (uint32_t i = 1; history && i < high; i++)
        listed += is_listed(&loops[i], tasks[i]);
    if (listed > 0)
        samples = listed * LOOPTOP_HISTORY <= SAMPLES_MAX ? LOOPTOP_HISTORY : SAMPLES_MAX / listed;
    json_out_key(out, "loops");
    json_out_array(out);
    for (uint32_t i = 1; i < high; i++)
        if (is_listed(&loops[i], tasks[i]))
            report_loop(out, &loops[i], tasks[i], samples);
    json_out_array_end(out);
}

void
report_loops(struct json_out *out, bool history)
{
    json_out_object(out);
    report_loop_list(out, history);
    json_out_object_end(out);
}

static void
report_agent(struct json_out *out, unsigned clients, uint64_t live)
{
    json_out_key(out, "agent");
    json_out_object(out);
    json_out_kv_uint(out, "bytes", memory_agent_bytes());
    json_out_kv_uint(out, "bytes_max", TABLE_BYTES_MAX + LOOPS_BYTES_MAX);
    json_out_kv_uint(out, "clients", clients);
    json_out_kv_uint(out, "records", live);
    json_out_kv_uint(out, "records_max", table_max - 1);
    json_out_kv_uint(out, "gil_longest_hold_ns", gil_longest_hold_ns(false));
    json_out_object_end(out);
}

/* Since when the process is there does not change: it is read once, and once more after a fork. */
static bool
process_up(uint64_t *ret_ns)
{
    static pid_t pid;
    static uint64_t start_ns;
    if (pid != getpid() && proc_start_ns(NULL, getpid(), &start_ns) == 0)
        pid = getpid();
    if (pid != getpid())
        return false;
    uint64_t now_ns = clock_boottime_ns();
    *ret_ns = now_ns > start_ns ? now_ns - start_ns : 0;
    return true;
}

void
report_status(struct json_out *out, unsigned clients)
{
    const struct list_census *census = list_census();
    uint64_t up_ns = 0;
    json_out_object(out);
    json_out_kv_fixed(out, "time_s", clock_realtime_s(), 6);
    json_out_kv_int(out, "pid", getpid());
    json_out_kv_int(out, "uid", geteuid());
    json_out_kv_string(out, "python", python);
    if (process_up(&up_ns))
        json_out_kv_uint(out, "process_up_ns", up_ns);
    else
        json_out_kv_null(out, "process_up_ns");
    json_out_kv_uint(out, "agent_up_ns", clock_monotonic_ns() - started_ns);
    json_out_kv_bool(out, "readonly", agent_readonly());
    report_hooks(out);
    json_out_key(out, "gil");
    json_out_object(out);
    json_out_kv_uint(out, "waiting_ns", gil_waiting_ns());
    json_out_object_end(out);
    report_totals(out, census);
    report_loop_list(out, false);
    json_out_key(out, "memory");
    memory_report(out, false);
    report_agent(out, clients, census->live);
    json_out_kv_uint(out, "events", events_count());
    json_out_object_end(out);
}
