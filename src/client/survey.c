/* SPDX-License-Identifier: MIT */
/*
 * Rows are merged look by look: a process that is still there keeps its connection, its former
 * figures until new ones come, and the reading of its CPU clock. That clock is asked of the kernel
 * in nanoseconds, where /proc counts in hundredths of a second: too coarse for a short sample.
 */
#include "client/survey.h"

#include <errno.h>
#include <math.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/ask.h"
#include "client/model/process.h"
#include "client/survey_impl.h"
#include "common/clock.h"
#include "common/fmt.h"
#include "platform/proc.h"

#define SAMPLE_LEAST_NS 50000000ull /* of CPU time: less would be a turn of the scheduler */

/* What a look needs besides the survey. */
struct look {
    struct process_row *rows;
    struct survey_link *links;
    size_t count;
    uint64_t now_ns;
    bool ask;
};

static void
put_user(char out[33], uid_t uid)
{
    const struct passwd *user = getpwuid(uid);

    if (user)
        (void)snprintf(out, 33, "%s", user->pw_name);
    else
        (void)snprintf(out, 33, "%u", (unsigned)uid);
}

static bool
cpu_time(pid_t pid, uint64_t *ret_ns)
{
    struct timespec time;
    clockid_t clock;

    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) < 0)
        return false;
    *ret_ns = (uint64_t)time.tv_sec * CLOCK_NS_PER_S + (uint64_t)time.tv_nsec;
    return true;
}

void
survey_sample(struct process_row *row, struct survey_link *link)
{
    uint64_t now = clock_monotonic_ns(), used;

    if (!cpu_time(row->pid, &used)) {
        row->cpu_pct = (double)NAN;
        return;
    }
    if (link->sampled_ns != 0) {
        if (now < link->sampled_ns + SAMPLE_LEAST_NS)
            return;
        row->cpu_pct = used < link->cpu_ns
                           ? (double)NAN
                           : (double)(used - link->cpu_ns) * 100 / (double)(now - link->sampled_ns);
    }
    link->cpu_ns = used;
    link->sampled_ns = now;
}

/* What /proc tells, anew at each look: a daemon gives up its user and writes its own title. */
static void
read_figures(struct process_row *row)
{
    struct proc_status status;
    uint64_t value;
    char command[PROCESS_COMMAND_MAX];

    if (proc_status(NULL, row->pid, &status) == 0 && (status.uid != row->uid || !row->user[0])) {
        row->uid = status.uid;
        put_user(row->user, row->uid);
    }
    row->rss = proc_rss(NULL, row->pid, &value) == 0 ? (int64_t)value : -1;
    row->up_ns = proc_uptime_ns(NULL, row->pid, &value) == 0 ? (int64_t)value : -1;
    process_command(row->pid, command, sizeof(command));
    (void)fmt_clean(row->command, sizeof(row->command), command);
}

/* What was discovered; what the agent says of itself is nearer to the truth. */
static void
take_discovery(struct process_row *row, const struct discovery *found)
{
    if (row->agent[0])
        return;
    (void)snprintf(row->python, sizeof(row->python), "%s", found->version);
    (void)snprintf(row->loop, sizeof(row->loop), "%s",
        !found->loop    ? ""
        : found->uvloop ? "uvloop"
                        : "asyncio");
}

static void
begin_row(pid_t pid, uint64_t start_ns, struct process_row *row)
{
    *row = (struct process_row){
        .pid = pid, .start_ns = start_ns, .rss = -1, .up_ns = -1, .cpu_pct = (double)NAN};
    ask_forget(row);
}

static size_t
open_links(const struct look *look)
{
    size_t open = 0;

    for (size_t i = 0; i < look->count; i++)
        open += look->links[i].ask.conn != NULL;
    return open;
}

/* Connects where there may be an agent, and asks. False: there is none. */
static bool
reach_agent(const struct look *look, const struct scan_process *process, struct process_row *row,
    struct survey_link *link)
{
    if (link->ask.conn) {
        ask_again(&link->ask);
        return true;
    }
    if (!process->checked && (row->state == PROCESS_NO_AGENT || row->state == PROCESS_REFUSED))
        return row->state == PROCESS_REFUSED;
    if (!look->ask && process->found.loop)
        return true; /* it is listed in any case */
    if (look->ask && open_links(look) >= SURVEY_OPEN_MAX) {
        link->postponed = true;
        return process->found.agent;
    }
    ask_forget(row);
    if (ask_open(&link->ask, row->pid) < 0)
        return false;
    if (!look->ask)
        ask_close(&link->ask);
    return true;
}

/* The row of a scanned process goes on, or begins. */
static void
look_at(struct look *look, const struct scan_process *process, struct process_row *former,
    struct survey_link *former_link)
{
    struct process_row *row = &look->rows[look->count];
    struct survey_link *link = &look->links[look->count];
    uint64_t start_ns;

    if (proc_start_ns(NULL, process->pid, &start_ns) < 0)
        return;
    if (former && former->start_ns == start_ns) {
        *row = *former;
        *link = *former_link;
        *former_link = (struct survey_link){0};
    } else {
        begin_row(process->pid, start_ns, row);
    }
    bool agent = reach_agent(look, process, row, link);
    if (!agent && !process->found.loop) {
        *link = (struct survey_link){0};
        return;
    }
    take_discovery(row, &process->found);
    read_figures(row);
    survey_sample(row, link);
    look->count++;
}

static void
close_links(struct survey *survey)
{
    for (size_t i = 0; i < survey->count; i++)
        ask_close(&survey->links[i].ask);
}

static int
look_anew(struct survey *survey, bool ask)
{
    struct look look = {.now_ns = clock_monotonic_ns(), .ask = ask};
    size_t old = 0;
    int r = scan_look(&survey->scan, look.now_ns);

    if (r < 0)
        return r;
    look.rows = calloc(survey->scan.count + 1, sizeof(*look.rows));
    look.links = calloc(survey->scan.count + 1, sizeof(*look.links));
    if (!look.rows || !look.links) {
        free(look.rows);
        free(look.links);
        return -ENOMEM;
    }
    for (size_t i = 0; i < survey->scan.count; i++) {
        const struct scan_process *process = &survey->scan.items[i];

        if (!process->found.python && !process->closed)
            continue;
        while (old < survey->count && survey->rows[old].pid < process->pid)
            old++;
        bool known = old < survey->count && survey->rows[old].pid == process->pid;
        look_at(
            &look, process, known ? &survey->rows[old] : NULL, known ? &survey->links[old] : NULL);
    }
    close_links(survey);
    free(survey->rows);
    free(survey->links);
    survey->rows = look.rows;
    survey->links = look.links;
    survey->count = look.count;
    return 0;
}

int
survey_look(struct survey *survey)
{
    return look_anew(survey, true);
}

int
survey_find(struct survey *survey)
{
    return look_anew(survey, false);
}

size_t
survey_fds(const struct survey *survey, struct pollfd fds[SURVEY_OPEN_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < survey->count && count < SURVEY_OPEN_MAX; i++) {
        const struct conn *conn = survey->links[i].ask.conn;

        if (!conn)
            continue;
        fds[count].fd = conn_fd(conn);
        fds[count].events = conn_wants_write(conn) ? POLLIN | POLLOUT : POLLIN;
        count++;
    }
    return count;
}

void
survey_read(struct survey *survey)
{
    uint64_t now = clock_monotonic_ns();

    for (size_t i = 0; i < survey->count; i++) {
        struct process_row *row = &survey->rows[i];
        struct survey_link *link = &survey->links[i];

        ask_read(&link->ask, row);
        if (link->ask.broken && !link->ask.conn && row->state == PROCESS_ANSWERED)
            ask_forget(row);
        if (ask_overdue(&link->ask, now, SURVEY_PATIENCE_NS))
            ask_silent(row);
    }
}

void
survey_done(struct survey *survey)
{
    close_links(survey);
    free(survey->rows);
    free(survey->links);
    scan_done(&survey->scan);
    *survey = (struct survey){0};
}
