/* SPDX-License-Identifier: MIT */
/*
 * `hello` and `status` are sent in one go, so that an agent is known within one round trip. What
 * answers may be anything: a refusal and an answer that does not read are told as the same.
 */
#include "client/ask.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/conn_impl.h"
#include "client/model/model.h"
#include "client/model/status.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "vendor/cjson/cJSON.h"

#define DIAL_MS 20 /* for room in an agent's queue of connections */

int
ask_open(struct ask *ask, pid_t pid)
{
    struct conn_error error;
    int r = conn_dial(pid, DIAL_MS, &ask->conn, &error);

    *ask = (struct ask){.conn = r == 0 ? ask->conn : NULL, .full = r == -ETIMEDOUT};
    if (r < 0)
        return ask->full ? 0 : r;
    if (conn_send(ask->conn, "hello", CONN_HELLO_PARAMS, &ask->hello_id) < 0)
        ask_close(ask);
    else
        ask_again(ask);
    return 0;
}

void
ask_again(struct ask *ask)
{
    if (!ask->conn || ask->sent_ns != 0)
        return;
    if (conn_send(ask->conn, "status", NULL, &ask->status_id) < 0)
        ask_close(ask);
    else
        ask->sent_ns = clock_monotonic_ns();
}

/* The loop that looks worst: of the largest lag. NULL: none. */
static const struct loop_status *
worst_loop(const struct status *status)
{
    const struct loop_status *worst = NULL;

    for (size_t i = 0; i < status->loops_count; i++)
        if (!worst || status->loops[i].lag_now_ns > worst->lag_now_ns)
            worst = &status->loops[i];
    return worst;
}

static void
take_status(struct process_row *row, const struct status *status)
{
    const struct loop_status *loop = worst_loop(status);

    row->state = PROCESS_ANSWERED;
    row->tasks = (int64_t)status->tasks;
    row->lag_ns = loop && loop->lag_now_ns != STATUS_UNKNOWN ? loop->lag_now_ns : -1;
    row->busy_pct = loop ? loop->busy_pct : (double)NAN;
    row->busy_exact = loop && loop->busy_exact;
    /* it knows better than what is to be seen from outside */
    (void)snprintf(row->loop, sizeof row->loop, "%s", loop ? loop->kind : "");
}

static void
refuse(struct ask *ask, struct process_row *row)
{
    ask_forget(row);
    row->state = PROCESS_REFUSED;
    ask_close(ask);
}

static void
take_hello(struct ask *ask, struct process_row *row, const cJSON *result)
{
    struct conn_error error;

    if (conn_accept_hello(ask->conn, row->pid, result, &error) < 0) {
        refuse(ask, row);
        return;
    }
    ask->greeted = true;
    (void)snprintf(row->python, sizeof row->python, "%s", conn_hello(ask->conn)->python);
    (void)snprintf(row->agent, sizeof row->agent, "%s", conn_hello(ask->conn)->agent);
}

static void
take_message(struct ask *ask, struct process_row *row, const cJSON *message, uint64_t id)
{
    const cJSON *result = cJSON_GetObjectItemCaseSensitive(message, "result");

    if (cJSON_HasObjectItem(message, "error")) {
        refuse(ask, row);
    } else if (!result) {
        return; /* a notification */
    } else if (id == ask->hello_id) {
        take_hello(ask, row, result);
    } else if (id == ask->status_id && ask->sent_ns != 0) {
        CLEANUP_FREE struct status *status = malloc(sizeof *status);

        if (!ask->greeted || !status || status_decode(result, status) < 0) {
            refuse(ask, row);
            return;
        }
        take_status(row, status);
        ask->sent_ns = 0;
    }
}

void
ask_read(struct ask *ask, struct process_row *row)
{
    int r = ask->conn ? conn_pump(ask->conn) : 0;
    uint64_t id;
    cJSON *message;

    while (ask->conn && (message = conn_next(ask->conn, &id))) {
        take_message(ask, row, message, id);
        cJSON_Delete(message);
    }
    if (r < 0 && ask->conn) {
        ask->broken = true;
        ask_close(ask);
    }
}

bool
ask_waits(const struct ask *ask)
{
    return ask->conn && ask->sent_ns != 0;
}

bool
ask_overdue(const struct ask *ask, uint64_t now_ns, uint64_t patience_ns)
{
    return ask->full || (ask_waits(ask) && now_ns > ask->sent_ns + patience_ns);
}

void
ask_silent(struct process_row *row)
{
    row->state = PROCESS_SILENT;
    row->tasks = row->lag_ns = -1;
    row->busy_pct = (double)NAN;
    row->busy_exact = false;
}

void
ask_forget(struct process_row *row)
{
    ask_silent(row);
    row->state = PROCESS_NO_AGENT;
    row->agent[0] = '\0';
}

void
ask_close(struct ask *ask)
{
    ask->conn = conn_close(ask->conn);
    ask->sent_ns = 0;
}
