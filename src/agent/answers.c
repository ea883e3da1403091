// SPDX-License-Identifier: MIT
/*
 * See answers.h. What can be answered from the tables is answered at once. What needs the GIL
 * becomes a job of the gil thread and stands in `under_way` until it comes back, or until its time
 * is over: then the client gets an answer all the same and the job, when it comes, is thrown away.
 */
#include "agent/answers.h"

#include <errno.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/answers_impl.h"
#include "agent/cancel.h"
#include "agent/gil.h"
#include "agent/hooks.h"
#include "agent/io.h"
#include "agent/list.h"
#include "agent/report.h"
#include "common/clock.h"
#include "looptop/protocol.h"
#include "proto/rpc.h"

#define UNDER_WAY_MAX (LOOPTOP_CLIENTS_MAX * PEER_PENDING_MAX)
#define FRESH_WAIT_NS 15000000ull /* a list waits so long for fresh places */
#define CANCEL_TICK_NS 2000000ull /* how often an outcome is looked for */

static struct under_way under_way[UNDER_WAY_MAX];
static size_t under_way_count;
static bool detach_wanted;
static unsigned clients;

struct under_way *
answers_track(const struct peer *peer, const char *id, struct job *job, uint64_t wait_ns)
{
    if (under_way_count == UNDER_WAY_MAX)
        return NULL;
    struct under_way *entry = &under_way[under_way_count++];
    *entry = (struct under_way){
        .job = job, .peer = peer->number, .deadline_ns = clock_monotonic_ns() + wait_ns};
    memcpy(entry->id, id, sizeof entry->id);
    return entry;
}

size_t
answers_under_way(void)
{
    return under_way_count;
}

void
answers_silence(size_t from)
{
    for (size_t i = from; i < under_way_count; i++)
        under_way[i].silent = true;
}

struct json_out
answers_result(struct peer *peer, const char *id)
{
    struct json_out out;
    rpc_result_begin(&peer->out, id);
    json_out_init(&out, &peer->out);
    return out;
}

static void
take_back(struct peer *peer, size_t keep)
{
    if (peer->out.error == 0)
        peer->out.len = keep;
}

/* Something went wrong half way: what was written of the answer is taken back. */
void
answers_fail(struct peer *peer, const char *id, size_t keep, struct rpc_error *error)
{
    take_back(peer, keep);
    if (error->code == 0)
        rpc_error_set(error, LOOPTOP_ERR_INTERNAL, "no memory");
    rpc_error_write(&peer->out, id, error);
}

bool
answers_send_list(
    struct peer *peer, const char *id, const struct list_query *query, bool to_the_end)
{
    struct rpc_error error = {0};
    size_t keep = peer->out.len;
    struct json_out out = answers_result(peer, id);
    int rc = list_write(query, to_the_end, &out);
    if (rc == -EINTR) {
        take_back(peer, keep);
        return false;
    }
    if (rc < 0)
        answers_fail(peer, id, keep, &error);
    else
        rpc_result_end(&peer->out);
    return true;
}

/* Whether places may be older than the last step: somebody runs, or they are read on demand only.
 */
static bool
places_stale(void)
{
    if (LOAD(hooks_place_unknown))
        return true;
    for (uint32_t i = 1; i < LOAD_ACQUIRE(loops_high); i++)
        if (LOAD(loops[i].id) != 0 && LOAD(loops[i].state) == LOOP_RUNNING &&
            (LOAD(loops[i].running) != 0 || LOAD(loops[i].is_uvloop)))
            return true;
    return false;
}

/* Fresh places for a list or an update that waits for them; false: none can be had. */
bool
answers_ask_fresh(const struct peer *peer, const char *id, struct list_query *query)
{
    if (agent_hooks() != LOOPTOP_HOOKS_ACTIVE || !places_stale() ||
        gil_waiting_ns() > FRESH_WAIT_NS)
        return false;
    struct job *job = gil_job_new(JOB_REFRESH);
    struct under_way *entry = job != NULL ? answers_track(peer, id, job, FRESH_WAIT_NS) : NULL;
    if (entry == NULL) {
        gil_job_free(job);
        return false;
    }
    entry->query = query;
    gil_submit(job);
    return true;
}

static struct peer *
find_peer(struct peer *peers, size_t count, uint64_t number)
{
    for (size_t i = 0; i < count; i++)
        if (peer_is_open(&peers[i]) && peers[i].number == number)
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
        int rc = list_write(peer->query, peer->update_again, &out);
        if (rc < 0)
            take_back(peer, keep); /* without memory this one is left out */
        peer->update_again = rc == -EINTR;
        if (peer->update_again) {
            peer->seq--;
            peer->due_ns = 0; /* when the thread goes on */
        }
        if (rc < 0)
            return;
    }
    json_out_object_end(&out);
    rpc_result_end(&peer->out);
}

static void
answer_job(struct peer *peer, const struct under_way *entry, const struct job *job)
{
    struct rpc_error error = {0};
    if (job != NULL)
        error = job->error;
    else if (entry->job != NULL && entry->job->kind == JOB_STACK)
        rpc_error_set(&error, LOOPTOP_ERR_NO_GIL, "the GIL was held by others for %llu ms",
            (unsigned long long)(gil_waiting_ns() / 1000000));
    if (error.code != 0) {
        rpc_error_write(&peer->out, entry->id, &error);
    } else if (job != NULL) {
        struct json_out out = answers_result(peer, entry->id);
        json_out_raw(&out, job->out.data, job->out.len);
        rpc_result_end(&peer->out);
    }
}

/* The answer to a request whose job is done, or whose time is over (job NULL). false: not now. */
static bool
answer(struct peer *peer, struct under_way *entry, const struct job *job)
{
    size_t keep = peer->out.len;
    if (entry->query != NULL) {
        /* once is enough: with one fork after the other it would never come */
        if (!answers_send_list(peer, entry->id, entry->query, entry->again)) {
            entry->again = true;
            return false;
        }
    } else if (entry->id[0] == '\0') {
        send_update(peer);
        return true;
    } else {
        answer_job(peer, entry, job);
    }
    if (entry->silent)
        take_back(peer, keep);
    peer->pending--;
    return true;
}

static void
report_cancel(struct peer *peer, struct under_way *entry)
{
    /* with nobody there to hear it the outcome is still recorded */
    struct buf none;
    struct json_out out;
    buf_init(&none, LOOPTOP_RESPONSE_MAX);
    struct buf *buf = peer != NULL && !entry->silent ? &peer->out : &none;
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
                if (peer == NULL || entry->answered || answer(peer, entry, job))
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
    for (size_t i = 0; i < under_way_count && !io_stopping(); i++) {
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
        else if (peer != NULL && !answer(peer, entry, NULL))
            continue;
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

/* When the next update is due: those of whole seconds come with the samples, which they show. */
static uint64_t
next_update(const struct peer *peer, uint64_t now_ns, uint64_t sample_ns)
{
    uint64_t due_ns = peer->due_ns + peer->interval_ns;
    if (due_ns <= now_ns)
        due_ns = now_ns + peer->interval_ns;
    if (peer->interval_ns % CLOCK_NS_PER_S != 0)
        return due_ns;
    return due_ns > sample_ns ? due_ns - (due_ns - sample_ns) % CLOCK_NS_PER_S : sample_ns;
}

/* Updates that are due. One that cannot be sent because the last was not read yet is left out. */
static uint64_t
update(struct peer *peers, size_t count, uint64_t now_ns, uint64_t sample_ns)
{
    uint64_t next_ns = UINT64_MAX;
    for (size_t i = 0; i < count && !io_stopping(); i++) {
        struct peer *peer = &peers[i];
        if (!peer_is_open(peer) || peer->interval_ns == 0)
            continue;
        if (now_ns >= peer->due_ns) {
            peer->due_ns = next_update(peer, now_ns, sample_ns);
            if (peer->out.len > 0)
                peer_write(peer); /* the first one comes right after the answer to subscribe */
            if (peer->out.len == 0 && !peer->update_pending) {
                static const char none[RPC_ID_MAX];
                peer->update_pending = peer->query != NULL && answers_ask_fresh(peer, none, NULL);
                if (!peer->update_pending)
                    send_update(peer);
            }
        }
        next_ns = peer->due_ns < next_ns ? peer->due_ns : next_ns;
    }
    return next_ns;
}

uint64_t
answers_tick(struct peer *peers, size_t count, uint64_t sample_ns)
{
    bool watched = false;
    clients = 0;
    for (size_t i = 0; i < count; i++) {
        clients += peer_is_open(&peers[i]);
        watched = watched || (peer_is_open(&peers[i]) && peers[i].interval_ns != 0);
    }
    gil_set_watched(watched);
    take_done(peers, count);
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t settle_ns = settle(peers, count, now_ns);
    uint64_t update_ns = update(peers, count, now_ns, sample_ns);
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
        else
            drop(i--);
    }
}

void
answers_want_detach(void)
{
    detach_wanted = true;
}

unsigned
answers_clients(void)
{
    return clients;
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
