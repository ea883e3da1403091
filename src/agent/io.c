// SPDX-License-Identifier: MIT
/* See io.h. */
#include "agent/io.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/answers.h"
#include "agent/atomic.h"
#include "agent/channel.h"
#include "agent/io_sockets.h"
#include "agent/list.h"
#include "agent/loops.h"
#include "agent/memory.h"
#include "agent/peer.h"
#include "agent/report.h"
#include "agent/table.h"
#include "agent/thread.h"
#include "agent/ticks.h"
#include "common/clock.h"
#include "looptop/protocol.h"
#include "platform/own_fd.h"
#include "platform/sock.h"
#include "proto/rpc.h"

/* what is polled: the three of the agent, and a client each */
#define LISTEN 0
#define WAKE 1
#define CHANNEL 2
#define PEERS 3
#define POLLED (PEERS + LOOPTOP_CLIENTS_MAX)

static bool deaf; /* no descriptor is free for a client: nobody is accepted until the next second */
static struct peer peers[LOOPTOP_CLIENTS_MAX];
static pthread_t thread;
static pid_t thread_id; /* atomic; 0: not known yet */
static bool running, stop;
static bool low = true; /* numbers may have been left low */
static uint64_t sample_due_ns;

/* One too many: told, and closed. */
static void
turn_away(int fd, int code, const char *why)
{
    struct rpc_error error = {0};
    struct buf buf;
    buf_init(&buf, 4096);
    rpc_error_set(&error, code, "%s", why);
    rpc_error_write(&buf, "null", &error);
    if (buf.error == 0) {
        ssize_t n = send(fd, buf.data, buf.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        (void)n; /* it is turned away in any case */
    }
    buf_done(&buf);
    close(fd);
}

/* Over a path everybody may come; a channel is had by who may trace the process only. */
static int
identify(int fd, bool by_channel, pid_t *ret_pid, uid_t *ret_uid)
{
    if (by_channel)
        return channel_peer(fd, ret_pid, ret_uid);
    int rc = sock_peer(fd, ret_pid, ret_uid);
    return rc == 0 && *ret_uid != geteuid() && *ret_uid != 0 ? -EACCES : rc;
}

/* fd is a client's connection, or -errno. */
static void
accept_peer(int fd, bool by_channel)
{
    pid_t pid;
    uid_t uid;
    if (fd < 0) {
        /* no descriptor is free: whoever waits would wake this thread again and again */
        deaf = fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM || fd == -ENOBUFS;
        return;
    }
    if (identify(fd, by_channel, &pid, &uid) < 0) {
        turn_away(fd, LOOPTOP_ERR_REQUEST, "only the owner of the process and root may connect");
        return;
    }
    for (size_t i = 0; i < LOOPTOP_CLIENTS_MAX; i++) {
        if (peer_is_open(&peers[i]))
            continue;
        if (peer_open(&peers[i], fd, pid, uid) < 0)
            peer_close(&peers[i]);
        return;
    }
    turn_away(fd, LOOPTOP_ERR_CLIENTS, "8 clients are connected to this agent already");
}

static void
close_peer(struct peer *peer)
{
    answers_forget(peer->number);
    peer_close(peer);
}

/* After anything that may have changed what a client waits for. */
static void
settle_peers(void)
{
    for (size_t i = 0; i < LOOPTOP_CLIENTS_MAX; i++) {
        struct peer *peer = &peers[i];
        if (!peer_is_open(peer))
            continue;
        peer_write(peer);
        if (peer->broken)
            close_peer(peer);
    }
}

/* A second after the start, when nobody waits for it. */
static void
raise_numbers(void)
{
    if (!low)
        return;
    low = false;
    own_fd_let_low(false);
    io_sockets_raise();
    channel_raise();
    for (size_t i = 0; i < LOOPTOP_CLIENTS_MAX; i++)
        own_fd_raise(&peers[i].socket);
}

/* Figures of the second that has passed. */
static uint64_t
sample(uint64_t now_ns)
{
    if (now_ns < sample_due_ns)
        return sample_due_ns;
    bool watched = false;
    for (size_t i = 0; i < LOOPTOP_CLIENTS_MAX; i++)
        watched = watched || (peer_is_open(&peers[i]) && peers[i].interval_ns != 0);
    deaf = false;
    io_sockets_check();
    channel_check();
    raise_numbers();
    ticks_refine();
    loops_sample();
    report_sample();
    memory_sample(LOAD(table_counts.live));
    if (watched) {
        list_rates_sample();
    } else {
        list_rates_stop();
        list_trim();
    }
    sample_due_ns += CLOCK_NS_PER_S;
    if (sample_due_ns <= now_ns)
        sample_due_ns = now_ns + CLOCK_NS_PER_S;
    return sample_due_ns;
}

static void
poll_for(struct pollfd *polled, const struct own_fd *own, short events)
{
    /* one that waits for nothing is still told that its client went */
    *polled = (struct pollfd){.fd = own->fd, .events = events};
}

/* Waits for what there is to do, at most so long. */
static void
wait_for(struct pollfd polled[POLLED], int wait_ms)
{
    io_sockets_poll(&polled[LISTEN], &polled[WAKE]);
    channel_poll(&polled[CHANNEL]);
    if (deaf)
        polled[LISTEN].fd = -1;
    for (size_t i = 0; i < LOOPTOP_CLIENTS_MAX; i++) {
        const struct peer *peer = &peers[i];
        poll_for(&polled[PEERS + i], &peer->socket,
            (short)((peer_wants_read(peer) ? POLLIN : 0) | (peer_wants_write(peer) ? POLLOUT : 0)));
    }
    if (poll(polled, POLLED, wait_ms) < 0)
        for (size_t i = 0; i < POLLED; i++)
            polled[i].revents = 0;
}

static void
serve_peer(struct peer *peer, const struct pollfd *polled)
{
    if (io_sockets_is_lost(polled, &peer->socket))
        peer->broken = true;
    /* what a client has said before it went is still done */
    else if (polled->revents & POLLIN)
        peer_read(peer, answers_line);
    else if (polled->revents & (POLLHUP | POLLERR | POLLNVAL))
        peer->broken = true;
}

static void
serve(const struct pollfd polled[POLLED])
{
    if (io_sockets_serve(&polled[LISTEN], &polled[WAKE]))
        accept_peer(io_sockets_accept(), false);
    if (channel_serve(&polled[CHANNEL]))
        accept_peer(channel_accept(), true);
    for (size_t i = 0; i < LOOPTOP_CLIENTS_MAX; i++)
        if (peer_is_open(&peers[i]) && polled[PEERS + i].fd == peers[i].socket.fd)
            serve_peer(&peers[i], &polled[PEERS + i]);
}

static int
timeout_ms(uint64_t until_ns)
{
    uint64_t now_ns = clock_monotonic_ns();
    if (until_ns <= now_ns)
        return 0;
    uint64_t ms = (until_ns - now_ns + 999999) / 1000000;
    return ms > 60000 ? 60000 : (int)ms;
}

/* Lines that came in with others and wait for their turn; whether there are more of them. */
static bool
take_backlog(void)
{
    bool more = false;
    for (size_t i = 0; i < LOOPTOP_CLIENTS_MAX; i++) {
        if (!peer_is_open(&peers[i]) || !peer_has_line(&peers[i]))
            continue;
        peer_read(&peers[i], answers_line);
        more = true;
    }
    return more;
}

static void *
io_main(void *arg)
{
    (void)arg;
    struct pollfd polled[POLLED];
    STORE(thread_id, gettid());
    while (!LOAD(stop)) {
        uint64_t due_ns = sample(clock_monotonic_ns());
        uint64_t answers_ns = answers_tick(peers, LOOPTOP_CLIENTS_MAX, due_ns);
        settle_peers();
        if (answers_detach_wanted()) {
            agent_detach_answered();
            break;
        }
        int wait_ms = io_sockets_mend(timeout_ms(answers_ns < due_ns ? answers_ns : due_ns));
        wait_for(polled, take_backlog() ? 0 : wait_ms);
        serve(polled);
    }
    return NULL;
}

static void
close_all(void)
{
    for (size_t i = 0; i < LOOPTOP_CLIENTS_MAX; i++)
        if (peer_is_open(&peers[i]))
            close_peer(&peers[i]);
    io_sockets_close();
    channel_close();
}

bool
io_stopping(void)
{
    return LOAD(stop);
}

int
io_open(const char *path)
{
    for (size_t i = 0; i < LOOPTOP_CLIENTS_MAX; i++)
        peers[i].socket = OWN_FD_NONE;
    /* kept over forks: of a process that forks all the time there is a sample each second, too */
    sample_due_ns = clock_monotonic_ns() + CLOCK_NS_PER_S;
    low = true;
    int rc = io_sockets_open(path);
    if (rc == 0 && path == NULL && (rc = channel_open()) < 0)
        io_sockets_close();
    return rc;
}

int
io_resume(void)
{
    STORE(stop, false);
    STORE(thread_id, 0);
    int rc = thread_start(&thread, "looptop-io", THREAD_STACK_BYTES, io_main, NULL);
    running = rc == 0;
    return rc;
}

void
io_stop(bool close_everything)
{
    if (running) {
        STORE(stop, true);
        io_sockets_wake();
        thread_join(thread, LOAD(thread_id));
        running = false;
    }
    if (close_everything)
        close_all();
}

void
io_abandon(void)
{
    io_sockets_child();
    for (size_t i = 0; i < LOOPTOP_CLIENTS_MAX; i++) {
        own_fd_close(&peers[i].socket);
        peers[i] = (struct peer){.socket = OWN_FD_NONE};
    }
    io_sockets_close();
    channel_close();
    running = false;
    answers_reset();
}
