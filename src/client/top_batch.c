/* SPDX-License-Identifier: MIT */
/* Frames of plain text, each a header of four lines and the first tasks. */
#include "client/top.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/out.h"
#include "common/cleanup.h"
#include "common/fmt.h"
#include "platform/proc.h"

static void
put_identity(struct buf *buf, pid_t pid, const struct status *status)
{
    char up[FMT_SIZE], command[256], clock[16];
    time_t at = (time_t)status->time_s;
    struct tm local;
    size_t len;

    if (proc_cmdline(NULL, pid, command, sizeof(command), &len) < 0)
        command[0] = '\0';
    if (!localtime_r(&at, &local) || strftime(clock, sizeof(clock), "%H:%M:%S", &local) == 0)
        clock[0] = '\0';
    (void)buf_printf(buf, "looptop %d  CPython %s  %s  up %s  %s  %s\n", (int)pid, status->python,
        status->loops_count > 0 ? status->loops[0].kind : "no loop",
        fmt_duration(up, (double)status->process_up_ns), command, clock);
}

static void
put_loop(struct buf *buf, const struct loop_status *loop)
{
    char lag[4][FMT_SIZE], rates[3][FMT_SIZE];
    const int64_t figures[4] = {
        loop->lag_now_ns, loop->lag_p50_ns, loop->lag_p99_ns, loop->lag_max_ns};

    for (size_t i = 0; i < 4; i++)
        (void)fmt_duration(lag[i], figures[i] == STATUS_UNKNOWN ? -1.0 : (double)figures[i]);
    (void)buf_printf(buf,
        "loop %llu  lag %s  p50 %s  p99 %s  max %s  busy %s%s%%  %s steps/s  %s iter/s\n",
        (unsigned long long)loop->id, lag[0], lag[1], lag[2], lag[3],
        loop->busy_exact ? "" : out_at_least(), fmt_pct(rates[0], loop->busy_pct),
        fmt_rate(rates[1], loop->steps_per_s), fmt_rate(rates[2], loop->iterations_per_s));
}

static void
put_tasks(struct buf *buf, const struct status *status)
{
    static const char *const names[LOOPTOP_STATES] = LOOPTOP_STATE_NAMES;
    char rates[3][FMT_SIZE];

    (void)buf_printf(buf, "tasks %llu", (unsigned long long)status->tasks);
    for (size_t i = 0; i <= LOOPTOP_CANCELLING; i++)
        if (status->by_state[i] > 0)
            (void)buf_printf(buf, "  %s %llu", names[i], (unsigned long long)status->by_state[i]);
    (void)buf_printf(buf, "  made %s/s  ended %s/s  failed %s/s",
        fmt_rate(rates[0], status->created_per_s), fmt_rate(rates[1], status->finished_per_s),
        fmt_rate(rates[2], status->failed_per_s));
    if (status->untracked > 0)
        (void)buf_printf(buf, "  not tracked %llu", (unsigned long long)status->untracked);
    (void)buf_puts(buf, "\n");
}

static double
known(int64_t value)
{
    return value == STATUS_UNKNOWN ? (double)NAN : (double)value;
}

static void
put_memory(struct buf *buf, const struct memory_status *memory)
{
    char rss[FMT_SIZE], heap[FMT_SIZE], blocks[FMT_SIZE], gc[FMT_SIZE], agent[FMT_SIZE];

    (void)buf_printf(buf, "mem %s  heap %s  blocks %s  gc %s/s  agent %s\n",
        fmt_bytes(rss, known(memory->rss_bytes)), fmt_bytes(heap, known(memory->heap_bytes)),
        fmt_count(blocks, known(memory->blocks)),
        fmt_duration(gc, known(memory->gc_pause_ns_per_s)),
        fmt_bytes(agent, known(memory->agent_bytes)));
}

static int
put_frame(struct buf *buf, pid_t pid, struct conn *conn, const struct ps_options *options)
{
    CLEANUP(task_list_done) struct task_list list = {0};
    CLEANUP_FREE struct status *status = NULL;
    struct conn_error error;

    if (ps_status(conn, &status, &error) < 0 || ps_fetch(conn, options, &list, &error) < 0)
        return verb_call_failed(&error);
    put_identity(buf, pid, status);
    for (size_t i = 0; i < status->loops_count; i++)
        put_loop(buf, &status->loops[i]);
    put_tasks(buf, status);
    put_memory(buf, &status->memory);
    (void)buf_puts(buf, "\n");
    return ps_table(buf, &list, options, out_width()) < 0 ? VERB_NOT_SO : VERB_DONE;
}

static void
pause_for(double seconds)
{
    struct timespec rest;

    rest.tv_sec = (time_t)seconds;
    rest.tv_nsec = (long)((seconds - (double)rest.tv_sec) * 1e9);
    while (nanosleep(&rest, &rest) < 0)
        ;
}

int
top_batch(
    pid_t pid, struct conn *conn, const struct ps_options *options, unsigned frames, double delay_s)
{
    int status = VERB_DONE;
    struct buf buf;

    buf_init(&buf, OUT_MAX);
    for (unsigned i = 0; status == VERB_DONE && (frames == 0 || i < frames); i++) {
        if (i > 0) {
            pause_for(delay_s);
            (void)buf_puts(&buf, "\n");
        }
        status = put_frame(&buf, pid, conn, options);
        if (out_flush(&buf) < 0 && status == VERB_DONE)
            status = VERB_NOT_SO;
    }
    return out_finish(&buf, status);
}
