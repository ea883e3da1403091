/* SPDX-License-Identifier: MIT */
/*
 * One look, whole: all agents are asked at once and their answers taken as they come, so that those
 * that are stopped or overloaded cost the others SURVEY_PATIENCE_NS at most, all together. The time
 * that passes meanwhile is the sample of CPU time, made up to SAMPLE_NS.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client/survey.h"
#include "client/survey_impl.h"
#include "common/clock.h"
#include "platform/proc.h"

#define SAMPLE_NS 100000000ull
#define END_NS 200000000ull /* for those that hang up to have ended */

static int
left_ms(uint64_t deadline)
{
    uint64_t now = clock_monotonic_ns();

    return now < deadline ? (int)((deadline - now) / 1000000 + 1) : 0;
}

/* Who has answered is done with, and makes room for others. */
static bool
close_answered(struct survey *survey)
{
    bool waits = false;

    for (size_t i = 0; i < survey->count; i++) {
        struct ask *ask = &survey->links[i].ask;

        if (ask->conn && !ask_waits(ask))
            ask_close(ask);
        waits = waits || ask->conn;
    }
    return waits;
}

/* Waits for the answers of all that are connected. */
static void
await_answers(struct survey *survey)
{
    uint64_t deadline = clock_monotonic_ns() + SURVEY_PATIENCE_NS;
    struct pollfd fds[SURVEY_OPEN_MAX];

    while (survey_read(survey), close_answered(survey)) {
        if (clock_monotonic_ns() >= deadline)
            break;
        (void)poll(fds, survey_fds(survey, fds), left_ms(deadline));
    }
    for (size_t i = 0; i < survey->count; i++) {
        if (!survey->links[i].ask.conn)
            continue;
        ask_silent(&survey->rows[i]);
        ask_close(&survey->links[i].ask);
    }
}

/* Connects those that had to wait; false: there are none. */
static bool
ask_postponed(struct survey *survey)
{
    size_t open = 0;

    for (size_t i = 0; i < survey->count && open < SURVEY_OPEN_MAX; i++) {
        if (!survey->links[i].postponed)
            continue;
        survey->links[i].postponed = false;
        (void)ask_open(&survey->links[i].ask, survey->rows[i].pid);
        open++;
    }
    return open > 0;
}

/* A process closes its files a moment before it is seen to have ended: that moment is waited for.
 */
static void
await_end(pid_t pid, uint64_t deadline)
{
    struct pollfd ended = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};

    if (ended.fd < 0)
        return;
    (void)poll(&ended, 1, left_ms(deadline));
    (void)close(ended.fd);
}

static bool
has_ended(pid_t pid)
{
    struct proc_status status;

    return proc_status(NULL, pid, &status) < 0 || status.state == 'Z' || status.state == 'X';
}

/* Removes what ended while it was asked: nothing can be said of it any more. */
static void
drop_ended(struct survey *survey)
{
    uint64_t deadline = clock_monotonic_ns() + END_NS;
    size_t kept = 0;

    for (size_t i = 0; i < survey->count; i++) {
        if (survey->links[i].ask.broken)
            await_end(survey->rows[i].pid, deadline);
        if (has_ended(survey->rows[i].pid))
            continue;
        survey->rows[kept] = survey->rows[i];
        survey->links[kept++] = survey->links[i];
    }
    survey->count = kept;
}

int
survey_once(struct survey *survey)
{
    int r = survey_look(survey);
    uint64_t looked = clock_monotonic_ns();

    if (r < 0)
        return r;
    do {
        await_answers(survey);
    } while (ask_postponed(survey));
    (void)poll(NULL, 0, survey->count > 0 ? left_ms(looked + SAMPLE_NS) : 0);
    for (size_t i = 0; i < survey->count; i++)
        survey_sample(&survey->rows[i], &survey->links[i]);
    drop_ended(survey);
    return 0;
}
