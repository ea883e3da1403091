// SPDX-License-Identifier: MIT
/* See io.h. */
#include "agent/io.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/answers.h"
#include "agent/atomic.h"
#include "agent/list.h"
#include "agent/loops.h"
#include "agent/memory.h"
#include "agent/peer.h"
#include "agent/report.h"
#include "agent/table.h"
#include "agent/ticks.h"
#include "common/clock.h"
#include "looptop/protocol.h"
#include "platform/sock.h"
#include "proto/rpc.h"

#define EVENTS_AT_ONCE 16
#define LISTEN_TAG 1000
#define WAKE_TAG 1001

static int epoll_fd = -1, listen_fd = -1, wake_fd = -1;
static bool deaf; /* the listening socket is out of epoll until the next second */
static struct peer peers[LOOPTOP_CLIENTS_MAX];
static pthread_t thread;
static bool running, stop;
static uint64_t sample_due_ns;

void
io_wake(void)
{
    uint64_t one = 1;
    ssize_t n = write(wake_fd, &one, sizeof one);
    (void)n; /* full: the thread is about to wake anyway */
}

static int
watch(int fd, uint32_t events, uint64_t tag, int op)
{
    struct epoll_event event = {.events = events, .data.u64 = tag};
    return epoll_ctl(epoll_fd, op, fd, &event) < 0 ? -errno : 0;
}

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

static void
accept_peer(void)
{
    pid_t pid;
    uid_t uid;
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        /* no descriptor is free: whoever waits would wake this thread again and again */
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
            deaf = epoll_ctl(epoll_fd, EPOLL_CTL_DEL, listen_fd, NULL) == 0;
        return;
    }
    if (sock_peer(fd, &pid, &uid) < 0 || (uid != geteuid() && uid != 0)) {
        turn_away(fd, LOOPTOP_ERR_REQUEST, "only the owner of the process and root may connect");
        return;
    }
    for (size_t i = 0; i < LOOPTOP_CLIENTS_MAX; i++) {
        if (peers[i].fd >= 0)
            continue;
        if (peer_open(&peers[i], fd, pid, uid) < 0 || watch(fd, EPOLLIN, i, EPOLL_CTL_ADD) < 0)
            peer_close(&peers[i]);
        return;
    }
    turn_away(fd, LOOPTOP_ERR_CLIENTS, "8 clients are connected to this agent already");
}

static void
close_peer(struct peer *peer)
{
    answers_forget(peer->number);
    /* a child between fork and exec may hold the connection open: its events would be the next
     * one's */
    (void)epoll_ctl(epoll_fd, EPOLL_CTL_DEL, peer->fd, NULL);
    peer_close(peer);
}

/* After anything that may have changed what a client waits for. */
static void
settle_peers(void)
{
    for (size_t i = 0; i < LOOPTOP_CLIENTS_MAX; i++) {
        struct peer *peer = &peers[i];
        if (peer->fd < 0)
            continue;
        peer_write(peer);
        if (peer->broken) {
            close_peer(peer);
            continue;
        }
        uint32_t events =
            (peer_wants_read(peer) ? EPOLLIN : 0) | (peer_wants_write(peer) ? EPOLLOUT : 0);
        (void)watch(peer->fd, events, i, EPOLL_CTL_MOD);
    }
}

/* Figures of the second that has passed. */
static uint64_t
sample(uint64_t now_ns)
{
    if (now_ns < sample_due_ns)
        return sample_due_ns;
    bool watched = false;
    for (size_t i = 0; i < LOOPTOP_CLIENTS_MAX; i++)
        watched = watched || (peers[i].fd >= 0 && peers[i].interval_ns != 0);
    if (deaf)
        deaf = watch(listen_fd, EPOLLIN, LISTEN_TAG, EPOLL_CTL_ADD) < 0;
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
serve(const struct epoll_event *event)
{
    uint64_t tag = event->data.u64, count;
    if (tag == LISTEN_TAG) {
        accept_peer();
    } else if (tag == WAKE_TAG) {
        ssize_t n = read(wake_fd, &count, sizeof count);
        (void)n; /* only there to wake */
    } else if (tag < LOOPTOP_CLIENTS_MAX && peers[tag].fd >= 0) {
        /* what a client has said before it went is still done */
        if (event->events & EPOLLIN)
            peer_read(&peers[tag], answers_line);
        else if (event->events & (EPOLLHUP | EPOLLERR))
            peers[tag].broken = true;
    }
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
        if (peers[i].fd < 0 || !peer_has_line(&peers[i]))
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
    struct epoll_event events[EVENTS_AT_ONCE];
    while (!LOAD(stop)) {
        uint64_t due_ns = sample(clock_monotonic_ns());
        uint64_t answers_ns = answers_tick(peers, LOOPTOP_CLIENTS_MAX);
        settle_peers();
        if (answers_detach_wanted()) {
            agent_detach_later();
            break;
        }
        int wait_ms = timeout_ms(answers_ns < due_ns ? answers_ns : due_ns);
        int n = epoll_wait(epoll_fd, events, EVENTS_AT_ONCE, take_backlog() ? 0 : wait_ms);
        for (int i = 0; i < n; i++)
            serve(&events[i]);
    }
    return NULL;
}

static void
close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void
close_all(void)
{
    for (size_t i = 0; i < LOOPTOP_CLIENTS_MAX; i++)
        if (peers[i].fd >= 0)
            close_peer(&peers[i]);
    close_fd(&listen_fd);
    close_fd(&epoll_fd);
    close_fd(&wake_fd);
}

int
io_resume(void)
{
    STORE(stop, false);
    sample_due_ns = clock_monotonic_ns() + CLOCK_NS_PER_S;
    int rc = agent_thread(&thread, "looptop-io", io_main);
    running = rc == 0;
    return rc;
}

int
io_listen_again(const char *path)
{
    int fd, rc = sock_listen(path, &fd);
    if (rc < 0)
        return rc;
    /* the same number, so that the thread never sees another; the old socket leaves the epoll set
     */
    if (dup3(fd, listen_fd, O_CLOEXEC) < 0)
        rc = -errno;
    close(fd);
    deaf = false;
    return rc < 0 ? rc : watch(listen_fd, EPOLLIN, LISTEN_TAG, EPOLL_CTL_ADD);
}

int
io_start(const char *path)
{
    for (size_t i = 0; i < LOOPTOP_CLIENTS_MAX; i++)
        peers[i].fd = -1;
    deaf = false;
    int rc = sock_listen(path, &listen_fd);
    if (rc < 0)
        return rc;
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (epoll_fd < 0 || wake_fd < 0)
        rc = -errno;
    if (rc == 0)
        rc = watch(listen_fd, EPOLLIN, LISTEN_TAG, EPOLL_CTL_ADD);
    if (rc == 0)
        rc = watch(wake_fd, EPOLLIN, WAKE_TAG, EPOLL_CTL_ADD);
    if (rc == 0)
        rc = io_resume();
    if (rc < 0) {
        close_all();
        (void)unlink(path);
    }
    return rc;
}

void
io_stop(int close_everything)
{
    if (running) {
        STORE(stop, true);
        io_wake();
        pthread_join(thread, NULL);
        running = false;
    }
    if (close_everything)
        close_all();
}

void
io_abandon(void)
{
    for (size_t i = 0; i < LOOPTOP_CLIENTS_MAX; i++) {
        close_fd(&peers[i].fd);
        peers[i] = (struct peer){.fd = -1};
    }
    close_fd(&listen_fd);
    close_fd(&epoll_fd);
    close_fd(&wake_fd);
    running = false;
    answers_reset();
}
