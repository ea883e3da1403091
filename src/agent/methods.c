// SPDX-License-Identifier: MIT
/*
 * The methods of looptop-protocol(7), one handler each. A handler writes its answer or puts it
 * under way; a negative return and an error mean that the error is the answer.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/answers.h"
#include "agent/answers_impl.h"
#include "agent/cancel.h"
#include "agent/events.h"
#include "agent/gil.h"
#include "agent/list.h"
#include "agent/memory.h"
#include "agent/report.h"
#include "common/clock.h"
#include "looptop/protocol.h"
#include "looptop/version.h"

#define STACK_WAIT_NS (2 * CLOCK_NS_PER_S)
#define CANCEL_WAIT_NS (2 * CLOCK_NS_PER_S)
#define CANCEL_WAIT_MAX_NS (60 * CLOCK_NS_PER_S)

static int
no_room(struct rpc_error *error)
{
    rpc_error_set(error, LOOPTOP_ERR_INTERNAL, "too many requests are under way");
    return -1;
}

static int
on_tasks(struct peer *peer, const struct rpc_request *request, struct rpc_error *error)
{
    struct list_query *query;
    int rc = list_query_parse(request, &query, error);
    if (rc < 0)
        return rc;
    if (answers_ask_fresh(peer, request->id, query)) {
        peer->pending++;
        return 0;
    }
    if (answers_send_list(peer, request->id, query, false)) {
        list_query_free(query);
        return 0;
    }
    struct under_way *entry = answers_track(peer, request->id, NULL, 0);
    if (entry == NULL) {
        list_query_free(query);
        return no_room(error);
    }
    entry->query = query;
    entry->again = true;
    peer->pending++;
    return 0;
}

static int
on_hello(struct peer *peer, const struct rpc_request *request, struct rpc_error *error)
{
    uint64_t protocol;
    int rc = rpc_param_uint(request, "protocol", 0, UINT32_MAX, LOOPTOP_PROTOCOL, &protocol, error);
    if (rc < 0)
        return rc;
    if (protocol != LOOPTOP_PROTOCOL) {
        rpc_error_set(error, LOOPTOP_ERR_PROTOCOL,
            "this agent (looptop %s) speaks protocol %d, the client %llu", LOOPTOP_VERSION,
            LOOPTOP_PROTOCOL, (unsigned long long)protocol);
        return -1;
    }
    struct json_out out = answers_result(peer, request->id);
    report_hello(&out);
    rpc_result_end(&peer->out);
    return 0;
}

static int
on_status(struct peer *peer, const struct rpc_request *request, struct rpc_error *error)
{
    (void)error;
    struct json_out out = answers_result(peer, request->id);
    report_status(&out, answers_clients());
    rpc_result_end(&peer->out);
    return 0;
}

static int
on_loops(struct peer *peer, const struct rpc_request *request, struct rpc_error *error)
{
    bool history;
    int rc = rpc_param_bool(request, "history", false, &history, error);
    if (rc < 0)
        return rc;
    struct json_out out = answers_result(peer, request->id);
    report_loops(&out, history);
    rpc_result_end(&peer->out);
    return 0;
}

static int
on_memory(struct peer *peer, const struct rpc_request *request, struct rpc_error *error)
{
    bool history;
    int rc = rpc_param_bool(request, "history", false, &history, error);
    if (rc < 0)
        return rc;
    struct json_out out = answers_result(peer, request->id);
    memory_report(&out, history);
    rpc_result_end(&peer->out);
    return 0;
}

static int
on_events(struct peer *peer, const struct rpc_request *request, struct rpc_error *error)
{
    uint64_t after, limit;
    int rc = rpc_param_uint(request, "after", 0, 1ull << 53, 0, &after, error);
    if (rc == 0)
        rc = rpc_param_uint(request, "limit", 0, EVENTS_KEPT, EVENTS_KEPT, &limit, error);
    if (rc < 0)
        return rc;
    struct json_out out = answers_result(peer, request->id);
    events_report(&out, after, limit);
    rpc_result_end(&peer->out);
    return 0;
}

static int
require_active(struct rpc_error *error)
{
    if (agent_hooks() == LOOPTOP_HOOKS_ACTIVE)
        return 0;
    char message[LOOPTOP_AGENT_TEXT];
    rpc_error_set(error, LOOPTOP_ERR_INACTIVE, "%s",
        agent_message(message) ? message : "asyncio is not imported yet");
    return -1;
}

static int
on_stack(struct peer *peer, const struct rpc_request *request, struct rpc_error *error)
{
    uint64_t id;
    int rc = rpc_param_uint(request, "id", 0, 1ull << 53, 0, &id, error);
    if (rc < 0 || (rc = require_active(error)) < 0)
        return rc;
    struct job *job = gil_job_new(JOB_STACK);
    if (job == NULL || answers_track(peer, request->id, job, STACK_WAIT_NS) == NULL) {
        gil_job_free(job);
        return no_room(error);
    }
    job->task = id;
    peer->pending++;
    gil_submit(job);
    return 0;
}

static int
start_cancel(
    struct peer *peer, const struct rpc_request *request, struct cancel *cancel, uint64_t wait_ns)
{
    struct job *job = gil_job_new(JOB_CANCEL);
    struct under_way *entry = job != NULL ? answers_track(peer, request->id, job, wait_ns) : NULL;
    if (entry == NULL) {
        gil_job_free(job);
        cancel_free(cancel);
        return -1;
    }
    entry->cancel = job->cancel = cancel;
    peer->pending++;
    gil_submit(job);
    return 0;
}

static int
on_cancel(struct peer *peer, const struct rpc_request *request, struct rpc_error *error)
{
    uint64_t ids[LOOPTOP_CANCEL_MAX], wait_ns;
    const char *message;
    size_t count;
    int rc = rpc_param_uints(request, "ids", LOOPTOP_CANCEL_MAX, ids, &count, error);
    if (rc == 0)
        rc = rpc_param_string(request, "message", LOOPTOP_MESSAGE_MAX, NULL, &message, error);
    if (rc == 0)
        rc = rpc_param_uint(
            request, "wait_ns", 0, CANCEL_WAIT_MAX_NS, CANCEL_WAIT_NS, &wait_ns, error);
    if (rc < 0 || (rc = require_active(error)) < 0)
        return rc;
    if (agent_readonly()) {
        rpc_error_set(error, LOOPTOP_ERR_READONLY,
            "LOOPTOP_READONLY=1 in the target: tasks cannot be cancelled");
        return -1;
    }
    if (count == 0) {
        rpc_error_set(error, LOOPTOP_ERR_PARAMS, "ids: which tasks?");
        (void)strcpy(error->field, "ids");
        return -1;
    }
    struct cancel *cancel =
        cancel_new(ids, count, message, wait_ns, (int)peer->pid, (int)peer->uid);
    if (cancel == NULL || start_cancel(peer, request, cancel, wait_ns) < 0)
        return no_room(error);
    return 0;
}

static int
on_subscribe(struct peer *peer, const struct rpc_request *request, struct rpc_error *error)
{
    struct rpc_request tasks;
    struct list_query *query = NULL;
    uint64_t interval_ns;
    bool present;
    int rc = rpc_param_uint(request, "interval_ns", LOOPTOP_INTERVAL_MIN_NS, 3600 * CLOCK_NS_PER_S,
        CLOCK_NS_PER_S, &interval_ns, error);
    if (rc == 0)
        rc = rpc_param_object(request, "tasks", &tasks, &present, error);
    if (rc == 0 && present)
        rc = list_query_parse(&tasks, &query, error);
    if (rc < 0)
        return rc;
    list_query_free(peer->query);
    peer->query = query;
    peer->interval_ns = interval_ns;
    peer->due_ns = clock_monotonic_ns();
    peer->seq = 0;
    struct json_out out = answers_result(peer, request->id);
    json_out_object(&out);
    json_out_kv_uint(&out, "subscription", 1);
    json_out_object_end(&out);
    rpc_result_end(&peer->out);
    return 0;
}

static void
send_flag(struct peer *peer, const char *id, const char *key)
{
    struct json_out out = answers_result(peer, id);
    json_out_object(&out);
    json_out_kv_bool(&out, key, true);
    json_out_object_end(&out);
    rpc_result_end(&peer->out);
}

static int
on_unsubscribe(struct peer *peer, const struct rpc_request *request, struct rpc_error *error)
{
    (void)error;
    peer->interval_ns = 0;
    peer->query = list_query_free(peer->query);
    send_flag(peer, request->id, "unsubscribed");
    return 0;
}

static int
on_detach(struct peer *peer, const struct rpc_request *request, struct rpc_error *error)
{
    if (agent_detach() < 0) {
        rpc_error_set(error, LOOPTOP_ERR_INTERNAL, "no thread could be started for it: try again");
        return -EAGAIN;
    }
    struct event event = {.kind = "detach",
        .text = "detached",
        .peer_pid = (int)peer->pid,
        .peer_uid = (int)peer->uid};
    events_add(&event);
    agent_unlink(); /* at once: nobody else is to find it */
    send_flag(peer, request->id, "detached");
    answers_want_detach();
    return 0;
}

static const struct {
    const char *name;
    int (*handle)(struct peer *, const struct rpc_request *, struct rpc_error *);
} methods[] = {{"hello", on_hello}, {"status", on_status}, {"tasks", on_tasks}, {"stack", on_stack},
    {"cancel", on_cancel}, {"loops", on_loops}, {"memory", on_memory}, {"events", on_events},
    {"subscribe", on_subscribe}, {"unsubscribe", on_unsubscribe}, {"detach", on_detach}};

static int
dispatch(struct peer *peer, const struct rpc_request *request, struct rpc_error *error)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(methods[i].name, request->method) == 0)
            return methods[i].handle(peer, request, error);
    rpc_error_set(error, LOOPTOP_ERR_METHOD, "no method \"%s\"", request->method);
    return -1;
}

void
answers_line(struct peer *peer, const char *line, size_t n)
{
    struct rpc_request request = {0};
    struct rpc_error error = {0};
    size_t keep = peer->out.len, before = answers_under_way();
    if (n == 0)
        return;
    if (rpc_parse(line, n, &request, &error) < 0) {
        if (error.code == 0)
            rpc_error_set(&error, LOOPTOP_ERR_INTERNAL, "no memory");
        rpc_error_write(&peer->out, request.id[0] != '\0' ? request.id : "null", &error);
        return;
    }
    if (dispatch(peer, &request, &error) < 0)
        answers_fail(peer, request.id, keep, &error);
    /* nobody wants to hear of it */
    if (request.notification)
        answers_silence(before);
    if (request.notification && peer->out.error == 0)
        peer->out.len = keep;
    rpc_request_done(&request);
}
