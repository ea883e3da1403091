/* SPDX-License-Identifier: MIT */
/* looptop ps: the tasks of a process, as a table or as one JSON document. */
#include <stdlib.h>
#include <string.h>

#include "client/conn.h"
#include "client/out.h"
#include "client/ps.h"
#include "client/verb.h"
#include "common/cleanup.h"

static const struct option options_long[] = {
    {"sort", required_argument, NULL, 's'},
    {"filter", required_argument, NULL, 'f'},
    {"limit", required_argument, NULL, 'n'},
    {"columns", required_argument, NULL, 'c'},
    {"no-finished", no_argument, NULL, 'F'},
    {"no-header", no_argument, NULL, 'H'},
    {"ascii", no_argument, NULL, 'A'},
    VERB_OPTION_JSON,
    VERB_OPTION_HELP,
    VERB_OPTION_END,
};

struct ps_request {
    struct ps_options options;
    bool json;
};

/* VERB_DONE with c taken in; else a status. */
static int
take_option(const struct verb *verb, int c, struct ps_request *request)
{
    switch (c) {
    case 's':
        return ps_option_sort(verb, optarg, &request->options);
    case 'f':
        return ps_option_filter(verb, optarg, &request->options);
    case 'n':
        return ps_option_limit(verb, optarg, &request->options);
    case 'c':
        return ps_option_columns(verb, optarg, &request->options);
    case 'F':
        request->options.finished = false;
        return VERB_DONE;
    case 'H':
        request->options.no_header = true;
        return VERB_DONE;
    case 'A':
        out_force_ascii();
        return VERB_DONE;
    default:
        request->json = true;
        return VERB_DONE;
    }
}

/* What the list cannot show, on standard error. */
static void
say_limits(pid_t pid, const struct status *status)
{
    if (status->loops_count == 0 && strcmp(status->hooks_state, "active") == 0 && !status->walking)
        (void)verb_fail(0, "process %d has run no event loop since looptop looks at it", (int)pid);
    if (status->untracked > 0)
        (void)verb_fail(0,
            "%llu tasks were made while the agent's table was full and are not listed",
            (unsigned long long)status->untracked);
    if (status->walking)
        (void)verb_fail(
            0, "tasks older than the agent are still being read: the list is not whole yet");
}

static int
show(pid_t pid, struct conn *conn, const struct ps_request *request)
{
    CLEANUP(task_list_done) struct task_list list = {0};
    CLEANUP_FREE struct status *status = NULL;
    struct conn_error error;
    struct buf buf;

    if (ps_fetch(conn, &request->options, &list, &error) < 0 ||
        ps_status(conn, &status, &error) < 0)
        return verb_call_failed(&error);
    buf_init(&buf, OUT_MAX);
    if (request->json)
        (void)ps_json(&buf, pid, conn_hello(conn), status, &list);
    else
        (void)ps_table(&buf, &list, &request->options, out_width());
    if (!request->json)
        say_limits(pid, status);
    return out_finish(&buf, VERB_DONE);
}

static int
run(const struct verb *verb, int argc, char **argv)
{
    CLEANUP(verb_conn_done) struct conn *conn = NULL;
    struct ps_request request = {.options = PS_OPTIONS_DEFAULT};
    int c, status = VERB_DONE;
    pid_t pid;

    while ((c = verb_option(verb, argc, argv, ":s:f:n:c:Hjh", options_long, &status)) > 0) {
        status = take_option(verb, c, &request);
        if (status != VERB_DONE)
            return status;
    }
    if (c == 0)
        return status;
    status = verb_open_only(verb, argc, argv, &pid, &conn);
    return status == VERB_DONE ? show(pid, conn, &request) : status;
}

const struct verb verb_ps = {
    .name = "ps",
    .arguments = "[OPTION]... PID",
    .summary = "List the tasks of a process",
    .options = "  -s, --sort COLUMN[,-]  order; with ,- the other way round (default: idle)\n"
               "  -f, --filter EXPR      only these, such as 'state:wait idle>30s | coro~handler'\n"
               "  -n, --limit N          the first N only\n"
               "  -c, --columns LIST     columns to print, with commas between\n"
               "      --no-finished      without tasks that have ended\n"
               "  -H, --no-header        without the line of titles\n"
               "      --force            attach though the program's owner has said no\n"
               "      --ascii            no characters beyond ASCII\n"
               "  -j, --json             one JSON document: see looptop-json(5)\n",
    .run = run,
    .takes_pid = true,
    .attach = CONN_ATTACH,
};
