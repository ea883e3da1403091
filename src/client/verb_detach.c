/* SPDX-License-Identifier: MIT */
/* looptop detach: takes the agent of a process out of service. */
#include <stdio.h>

#include "client/conn.h"
#include "client/verb.h"
#include "common/cleanup.h"
#include "vendor/cjson/cJSON.h"

static const struct option options_long[] = {
    VERB_OPTION_HELP,
    VERB_OPTION_END,
};

static int
run(const struct verb *verb, int argc, char **argv)
{
    CLEANUP(verb_conn_done) struct conn *conn = NULL;
    struct conn_error error;
    cJSON *result = NULL;
    int status = VERB_DONE;
    pid_t pid;

    if (verb_option(verb, argc, argv, ":h", options_long, &status) == 0)
        return status;
    status = verb_open_only(verb, argc, argv, &pid, &conn);
    if (status != VERB_DONE)
        return status;
    if (conn_call(conn, "detach", NULL, VERB_TIMEOUT_MS, &result, &error) < 0)
        return verb_call_failed(&error);
    cJSON_Delete(result);
    (void)printf("the agent in process %d is out of service\n", (int)pid);
    return VERB_DONE;
}

const struct verb verb_detach = {
    .name = "detach",
    .arguments = "PID",
    .summary = "Take the agent of a process out of service",
    .attach = CONN_PRESENT,
    .run = run,
    .takes_pid = true,
};
