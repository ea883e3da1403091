/* SPDX-License-Identifier: MIT */
/* See conn_attach.h. */
#include "client/conn_attach.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attach/attach.h"
#include "client/conn_fail.h"
#include "client/libdir.h"
#include "common/clock.h"
#include "platform/proc.h"

/* The owner's no, as the program was started with it. */
static bool
is_disabled(pid_t pid)
{
    char value[4];

    return proc_environ(NULL, pid, "LOOPTOP", value, sizeof(value)) == 0 && strcmp(value, "0") == 0;
}

static void
say(pid_t pid, const struct attach_report *report, uint64_t took_ns)
{
    const char *debug = getenv("LOOPTOP_DEBUG");

    if (debug && strcmp(debug, "attach") == 0)
        (void)fprintf(stderr,
            "looptop: attach: process %d %s%s: thread %d, stops %u, paused %.3f ms, took %.3f ms\n",
            (int)pid, report->reused ? "woken" : "loaded", report->by_pep768 ? " by PEP 768" : "",
            (int)report->tid, report->tries, (double)report->pause_ns / 1e6, (double)took_ns / 1e6);
}

int
conn_attach(pid_t pid, bool force, struct conn_error *error)
{
    char dir[PATH_MAX], agents[PATH_MAX + 8], who[PROC_DESCRIBE_SIZE];
    struct attach_report report;
    struct refusal refusal = {0};
    int r = libdir_find(dir);

    if (r < 0)
        return conn_fail(error, r,
            "the agents are not found: set LOOPTOP_LIBDIR to the directory that they were "
            "installed to, such as /usr/local/lib/looptop");
    if (!force && is_disabled(pid))
        return conn_fail(error, -EPERM,
            "no agent in %s: it was disabled by LOOPTOP=0 in its environment: --force attaches "
            "all the same",
            proc_describe(pid, who));
    (void)snprintf(agents, sizeof(agents), "%s/agent", dir);
    uint64_t began_ns = clock_monotonic_ns();
    r = attach_start(pid, agents, force, &report, &refusal);
    if (r < 0)
        return conn_fail(error, r, "%s", refusal.text);
    say(pid, &report, clock_monotonic_ns() - began_ns);
    return r;
}
