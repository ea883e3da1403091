// SPDX-License-Identifier: MIT
/*
 * See answers.h. What can be answered from the tables is answered at once. What needs the GIL
 * becomes a job of the gil thread and stands in `under_way` until it comes back, or until its time
 * is over: then the client gets an answer all the same and the job, when it comes, is thrown away.
 */
#include "agent/answers.h"

#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/cancel.h"
#include "agent/events.h"
#include "agent/gil.h"
#include "agent/hooks.h"
#include "agent/list.h"
#include "agent/memory.h"
#include "agent/report.h"
#include "common/clock.h"
#include "looptop/protocol.h"
#include "looptop/version.h"
#include "proto/rpc.h"

#define UNDER_WAY_MAX (LOOPTOP_CLIENTS_MAX * PEER_PENDING_MAX)
#define STACK_WAIT_NS (2 * CLOCK_NS_PER_S)
#define FRESH_WAIT_NS 15000000ull /* a list waits so long for fresh places */
#define CANCEL_TICK_NS 2000000ull /* how often an outcome is looked for */
#define CANCEL_WAIT_NS (2 * CLOCK_NS_PER_S)
#define CANCEL_WAIT_MAX_NS (60 * CLOCK_NS_PER_S)

struct under_way {
    struct job *job;          /* with the gil thread; NULL: it came back */
    struct cancel *cancel;    /* owned; watched until settled */
    struct list_query *query; /* owned; the list that waits for fresh places; NULL: an update's */
    bool answered;            /* only the job is still out */
    uint64_t peer;
    uint64_t deadline_ns;
    char id[RPC_ID_MAX];
};

static struct under_way under_way[UNDER_WAY_MAX];
static size_t under_way_count;
static bool detach_wanted;
static unsigned clients;

static struct under_way *
track(const struct peer *peer, const char *id, struct job *job, uint64_t wait_ns)
{
    if (under_way_count == UNDER_WAY_MAX)
        return NULL;
    struct under_way *entry = &under_way[under_way_count++];
    *entry = (struct under_way){
        .job = job, .peer = peer->number, .deadline_ns = clock_monotonic_ns() + wait_ns};
    memcpy(entry->id, id, sizeof entry->id);
    return entry;
}

static struct json_out
result(struct peer *peer, const char *id)
{
    struct json_out out;
    rpc_result_begin(&peer->out, id);
    json_out_init(&out, &peer->out);
    return out;
}

/* Something went wrong half way: what was written of the answer is taken back. */
static void
fail(struct peer *peer, const char *id, size_t keep, struct rpc_error *error)
{
    if (peer->out.error == 0)
        peer->out.len = keep;
    if (error->code == 0)
        rpc_error_set(error, LOOPTOP_ERR_INTERNAL, "no memory");
    rpc_error_write(&peer->out, id, error);
}

static void
send_list(struct peer *peer, const char *id, const struct list_query *query)
{
    struct rpc_error error = {0};
    size_t keep = peer->out.len;
    struct json_out out = result(peer, id);
    if (list_write(query, &out) < 0)
        fail(peer, id, keep, &error);
    else
        rpc_result_end(&peer->out);
}

/* Whether places may be older than the last step: somebody runs, or they are read on demand only.
 */
static bool
places_stale(void)
{
    if (LOAD(hooks_place_unknown))
        return true;
    for (size_t i = 1; i < LOOPS_MAX; i++)
        if (LOAD(loops[i].id) != 0 && LOAD(loops[i].state) == LOOP_RUNNING &&
            (LOAD(loops[i].running) != 0 || loops[i].is_uvloop))
            return true;
    return false;
}

/* Fresh places for a list or an update that waits for them; false: none can be had. */
static bool
ask_fresh(const struct peer *peer, const char *id, struct list_query *query)
{
    if (agent_hooks() != LOOPTOP_HOOKS_ACTIVE || !places_stale() ||
        gil_waiting_ns() > FRESH_WAIT_NS)
        return false;
    struct job *job = gil_job_new(JOB_REFRESH);
    struct under_way *entry = job != NULL ? track(peer, id, job, FRESH_WAIT_NS) : NULL;
    if (entry == NULL) {
        gil_job_free(job);
        return false;
    }
    entry->query = query;
    gil_submit(job);
    return true;
}

static int
on_tasks(struct peer *peer, const struct rpc_request *request, struct rpc_error *error)
{
    struct list_query *query;
    int rc = list_query_parse(request, &query, error);
    if (rc < 0)
        return rc;
    if (ask_fresh(peer, request->id, query)) {
        peer->pending++;
        return 0;
    }
    send_list(peer, request->id, query);
    list_query_free(query);
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
    struct json_out out = result(peer, request->id);
    report_hello(&out);
    rpc_result_end(&peer->out);
    return 0;
}

static int
on_status(struct peer *peer, const struct rpc_request *request, struct rpc_error *error)
{
    (void)error;
    struct json_out out = result(peer, request->id);
    report_status(&out, clients);
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
    struct json_out out = result(peer, request->id);
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
    struct json_out out = result(peer, request->id);
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
    struct json_out out = result(peer, request->id);
    events_report(&out, after, limit);
    rpc_result_end(&peer->out);
    return 0;
}

static int
require_active(struct rpc_error *error)
{
    if (agent_hooks() == LOOPTOP_HOOKS_ACTIVE)
        return 0;
    const char *message = agent_message();
    rpc_error_set(error, LOOPTOP_ERR_INACTIVE, "%s",
        message != NULL ? message : "asyncio is not imported yet");
    return -1;
}

static int
no_room(struct rpc_error *error)
{
    rpc_error_set(error, LOOPTOP_ERR_INTERNAL, "too many requests are under way");
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
    if (job == NULL || track(peer, request->id, job, STACK_WAIT_NS) == NULL) {
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
    struct under_way *entry = job != NULL ? track(peer, request->id, job, wait_ns) : NULL;
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
    struct json_out out = result(peer, request->id);
    json_out_object(&out);
    json_out_kv_uint(&out, "subscription", 1);
    json_out_object_end(&out);
    rpc_result_end(&peer->out);
    return 0;
}

static void
send_flag(struct peer *peer, const char *id, const char *key)
{
    struct json_out out = result(peer, id);
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
    (void)error;
    struct event event = {.kind = "detach",
        .text = "detached",
        .peer_pid = (int)peer->pid,
        .peer_uid = (int)peer->uid};
    events_add(&event);
    agent_unlink(); /* at once: nobody else is to find it */
    send_flag(peer, request->id, "detached");
    detach_wanted = true;
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
    size_t keep = peer->out.len;
    if (n == 0)
        return;
    if (rpc_parse(line, n, &request, &error) < 0) {
        if (error.code == 0)
            rpc_error_set(&error, LOOPTOP_ERR_INTERNAL, "no memory");
        rpc_error_write(&peer->out, request.id[0] != '\0' ? request.id : "null", &error);
        return;
    }
    if (dispatch(peer, &request, &error) < 0)
        fail(peer, request.id, keep, &error);
    if (request.notification && peer->out.error == 0)
        peer->out.len = keep; /* nobody wants to hear of it */
    rpc_request_done(&request);
}

static struct peer *
find_peer(struct peer *peers, size_t count, uint64_t number)
{
    for (size_t i = 0; i < count; i++)
        if (peers[i].fd >= 0 && peers[i].number == number)
            return &peers[i];
    return NULL;
}

static void
send_update(struct peer *peer)
{
    struct json_out out;
    size_t keep = peer->out.len;
    peer->update_pending = false;
    rpc_notification_begin(&peer->out, "update");
    json_out_init(&out, &peer->out);
    json_out_object(&out);
    json_out_kv_uint(&out, "subscription", 1);
    json_out_kv_uint(&out, "seq", ++peer->seq);
    json_out_key(&out, "status");
    report_status(&out, clients);
    if (peer->query != NULL) {
        json_out_key(&out, "tasks");
        if (list_write(peer->query, &out) < 0) {
            peer->out.len = keep; /* without memory this one is left out */
            return;
        }
    }
    json_out_object_end(&out);
    rpc_result_end(&peer->out);
}

/* The answer to a request whose job is done, or whose time is over (job NULL). */
static void
answer(struct peer *peer, struct under_way *entry, struct job *job)
{
    struct rpc_error error = {0};
    if (job != NULL)
        error = job->error;
    else if (entry->job != NULL && entry->job->kind == JOB_STACK)
        rpc_error_set(&error, LOOPTOP_ERR_NO_GIL, "the GIL was held by others for %llu ms",
            (unsigned long long)(gil_waiting_ns() / 1000000));
    if (entry->query != NULL) {
        send_list(peer, entry->id, entry->query);
    } else if (entry->id[0] == '\0') {
        send_update(peer);
        return;
    } else if (error.code != 0) {
        rpc_error_write(&peer->out, entry->id, &error);
    } else if (job != NULL) {
        struct json_out out = result(peer, entry->id);
        json_out_raw(&out, job->out.data, job->out.len);
        rpc_result_end(&peer->out);
    }
    peer->pending--;
}

static void
report_cancel(struct peer *peer, struct under_way *entry)
{
    /* with nobody there to hear it the outcome is still recorded */
    struct buf none;
    struct json_out out;
    buf_init(&none, LOOPTOP_RESPONSE_MAX);
    struct buf *buf = peer != NULL ? &peer->out : &none;
    rpc_result_begin(buf, entry->id);
    json_out_init(&out, buf);
    cancel_report(entry->cancel, &out);
    rpc_result_end(buf);
    buf_done(&none);
    if (peer != NULL)
        peer->pending--;
}

static void
drop(size_t i)
{
    list_query_free(under_way[i].query);
    under_way[i] = under_way[--under_way_count];
}

static void
take_done(struct peer *peers, size_t count)
{
    for (struct job *job = gil_take_done(); job != NULL; job = gil_take_done()) {
        for (size_t i = 0; i < under_way_count; i++) {
            struct under_way *entry = &under_way[i];
            if (entry->job != job)
                continue;
            struct peer *peer = find_peer(peers, count, entry->peer);
            entry->job = NULL;
            if (entry->cancel == NULL) {
                if (peer != NULL && !entry->answered)
                    answer(peer, entry, job);
                drop(i);
            } else if (entry->answered) {
                cancel_free(entry->cancel);
                drop(i);
            }
            break;
        }
        gil_job_free(job);
    }
}

/* Cancellations that are settled, and requests whose time is over. */
static uint64_t
settle(struct peer *peers, size_t count, uint64_t now_ns)
{
    uint64_t next_ns = UINT64_MAX;
    for (size_t i = 0; i < under_way_count; i++) {
        struct under_way *entry = &under_way[i];
        struct peer *peer = find_peer(peers, count, entry->peer);
        if (entry->answered)
            continue;
        bool over =
            entry->cancel != NULL ? cancel_settled(entry->cancel) : now_ns >= entry->deadline_ns;
        if (!over) {
            uint64_t at = entry->cancel != NULL ? now_ns + CANCEL_TICK_NS : entry->deadline_ns;
            next_ns = at < next_ns ? at : next_ns;
            continue;
        }
        if (entry->cancel != NULL)
            report_cancel(peer, entry);
        else if (peer != NULL)
            answer(peer, entry, NULL);
        entry->answered = true;
        if (entry->job != NULL) {
            STORE(entry->job->given_up, true);
            continue;
        }
        cancel_free(entry->cancel);
        drop(i--);
    }
    return next_ns;
}

/* Updates that are due. One that cannot be sent because the last was not read yet is left out. */
static uint64_t
update(struct peer *peers, size_t count, uint64_t now_ns)
{
    uint64_t next_ns = UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        struct peer *peer = &peers[i];
        if (peer->fd < 0 || peer->interval_ns == 0)
            continue;
        if (now_ns >= peer->due_ns) {
            peer->due_ns += peer->interval_ns;
            if (peer->due_ns <= now_ns)
                peer->due_ns = now_ns + peer->interval_ns;
            if (peer->out.len == 0 && !peer->update_pending) {
                static const char none[RPC_ID_MAX];
                peer->update_pending = peer->query != NULL && ask_fresh(peer, none, NULL);
                if (!peer->update_pending)
                    send_update(peer);
            }
        }
        next_ns = peer->due_ns < next_ns ? peer->due_ns : next_ns;
    }
    return next_ns;
}

uint64_t
answers_tick(struct peer *peers, size_t count)
{
    bool watched = false;
    clients = 0;
    for (size_t i = 0; i < count; i++) {
        clients += peers[i].fd >= 0;
        watched = watched || (peers[i].fd >= 0 && peers[i].interval_ns != 0);
    }
    gil_set_watched(watched);
    take_done(peers, count);
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t settle_ns = settle(peers, count, now_ns);
    uint64_t update_ns = update(peers, count, now_ns);
    return settle_ns < update_ns ? settle_ns : update_ns;
}

void
answers_forget(uint64_t peer_number)
{
    for (size_t i = 0; i < under_way_count; i++) {
        struct under_way *entry = &under_way[i];
        /* a cancellation is watched to its end and recorded, with or without its client */
        if (entry->peer != peer_number || entry->cancel != NULL)
            continue;
        entry->answered = true;
        if (entry->job != NULL)
            STORE(entry->job->given_up, true);
    }
}

bool
answers_detach_wanted(void)
{
    bool wanted = detach_wanted;
    detach_wanted = false;
    return wanted;
}

void
answers_reset(void)
{
    under_way_count = 0;
    detach_wanted = false;
}
