// SPDX-License-Identifier: MIT
/* See io.h. */
#include "agent/io.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
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
#include "platform/own_fd.h"
#include "platform/sock.h"
#include "proto/rpc.h"

/* what is polled: the two of the agent, and a client each */
#define LISTEN 0
#define WAKE 1
#define PEERS 2
#define POLLED (PEERS + LOOPTOP_CLIENTS_MAX)

static struct own_fd listener = {.fd = -1};
static struct stat listen_file; /* what it is in the directory */
static bool deaf; /* no descriptor is free for a client: nobody is accepted until the next second */
static struct peer peers[LOOPTOP_CLIENTS_MAX];
static char listen_path[SOCK_PATH_SIZE];
static bool listen_again; /* atomic */

/* The program is about to end, and the file is gone: nobody makes it again. Under the lock. */
static bool no_file;
static pthread_mutex_t file_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t thread;
static pid_t thread_id; /* atomic; 0: not known yet */
static bool running, stop;
static uint64_t sample_due_ns;

/* A pair: what is sent into the second wakes the thread. Made and closed under the lock. */
static struct own_fd wake[2] = {{.fd = -1}, {.fd = -1}};
static pthread_mutex_t wake_lock = PTHREAD_MUTEX_INITIALIZER;

void
io_wake(void)
{
    pthread_mutex_lock(&wake_lock);
    if (own_fd_is_ours(&wake[1])) {
        ssize_t n = send(wake[1].fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        (void)n; /* full: the thread is about to wake anyway */
    }
    pthread_mutex_unlock(&wake_lock);
}

static void
close_wake(void)
{
    pthread_mutex_lock(&wake_lock);
    own_fd_close(&wake[0]);
    own_fd_close(&wake[1]);
    pthread_mutex_unlock(&wake_lock);
}

static int
open_wake(void)
{
    int pair[2];
    close_wake();
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return -errno;
    pthread_mutex_lock(&wake_lock);
    wake[0] = own_fd_take(pair[0]);
    wake[1] = own_fd_take(pair[1]);
    pthread_mutex_unlock(&wake_lock);
    return 0;
}

void
io_unlink(const char *path)
{
    pthread_mutex_lock(&file_lock);
    no_file = true;
    (void)unlink(path);
    pthread_mutex_unlock(&file_lock);
}

/* Under the lock. */
static int
listen_at_path(void)
{
    int fd, rc = sock_listen(listen_path, &fd);
    if (rc < 0)
        return rc;
    listener = own_fd_take(fd);
    if (lstat(listen_path, &listen_file) < 0)
        listen_file = (struct stat){0};
    return 0;
}

static int
open_listener(void)
{
    own_fd_close(&listener);
    pthread_mutex_lock(&file_lock);
    int rc = no_file ? -ECANCELED : listen_at_path();
    pthread_mutex_unlock(&file_lock);
    return rc;
}

static bool
file_is_there(void)
{
    struct stat st;
    return lstat(listen_path, &st) == 0 && st.st_dev == listen_file.st_dev &&
           st.st_ino == listen_file.st_ino;
}

/*
 * Makes anew what the application has closed; what cannot be had now is tried again a second later.
 * The listener's file is still there, and nobody listens at it.
 */
static void
repair(void)
{
    /* taken before the file is looked for: who asks from now on asks again */
    bool again = __atomic_exchange_n(&listen_again, false, __ATOMIC_ACQ_REL);
    if (!own_fd_is_ours(&listener) || (again && !file_is_there()))
        (void)open_listener();
    if (!own_fd_is_ours(&wake[0]) || !own_fd_is_ours(&wake[1]))
        (void)open_wake();
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
    int fd = accept4(listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        /* no descriptor is free: whoever waits would wake this thread again and again */
        deaf = errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS;
        return;
    }
    if (sock_peer(fd, &pid, &uid) < 0 || (uid != geteuid() && uid != 0)) {
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
    repair();
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
    poll_for(&polled[LISTEN], &listener, POLLIN);
    if (deaf)
        polled[LISTEN].fd = -1;
    poll_for(&polled[WAKE], &wake[0], POLLIN);
    for (size_t i = 0; i < LOOPTOP_CLIENTS_MAX; i++) {
        const struct peer *peer = &peers[i];
        poll_for(&polled[PEERS + i], &peer->socket,
            (short)((peer_wants_read(peer) ? POLLIN : 0) | (peer_wants_write(peer) ? POLLOUT : 0)));
    }
    if (poll(polled, POLLED, wait_ms) < 0)
        for (size_t i = 0; i < POLLED; i++)
            polled[i].revents = 0;
}

/* Another one's, or nobody's, has a number of ours: a number that is ready and not ours would be so
 * again and again. */
static bool
is_lost(const struct pollfd *polled, const struct own_fd *own)
{
    return polled->revents != 0 && !own_fd_is_ours(own);
}

/* … and so would one that is of no use, for its other end was closed. */
static bool
is_useless(const struct pollfd *polled, const struct own_fd *own)
{
    return (polled->revents & (POLLHUP | POLLERR | POLLNVAL)) || is_lost(polled, own);
}

static void
serve_peer(struct peer *peer, const struct pollfd *polled)
{
    if (is_lost(polled, &peer->socket))
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
    char bytes[64];
    bool listens = !is_useless(&polled[LISTEN], &listener);
    bool wakes = !is_useless(&polled[WAKE], &wake[0]);
    if (!listens)
        own_fd_close(&listener);
    if (!wakes)
        close_wake();
    if (!listens || !wakes || LOAD(listen_again))
        repair();
    else if (polled[LISTEN].revents & POLLIN)
        accept_peer();
    if (wakes && (polled[WAKE].revents & POLLIN)) {
        ssize_t n = recv(wake[0].fd, bytes, sizeof bytes, MSG_DONTWAIT);
        (void)n; /* only there to wake */
    }
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
        uint64_t answers_ns = answers_tick(peers, LOOPTOP_CLIENTS_MAX);
        settle_peers();
        if (answers_detach_wanted()) {
            agent_detach_later();
            break;
        }
        int wait_ms = timeout_ms(answers_ns < due_ns ? answers_ns : due_ns);
        wait_for(polled, take_backlog() ? 0 : wait_ms);
        serve(polled);
    }
    return NULL;
}

static void
close_own(void)
{
    own_fd_close(&listener);
    close_wake();
}

static void
close_all(void)
{
    for (size_t i = 0; i < LOOPTOP_CLIENTS_MAX; i++)
        if (peer_is_open(&peers[i]))
            close_peer(&peers[i]);
    close_own();
}

bool
io_stopping(void)
{
    return LOAD(stop);
}

int
io_resume(void)
{
    STORE(stop, false);
    sample_due_ns = clock_monotonic_ns() + CLOCK_NS_PER_S;
    STORE(thread_id, 0);
    int rc = agent_thread(&thread, "looptop-io", AGENT_STACK_BYTES, io_main);
    running = rc == 0;
    return rc;
}

void
io_listen_again(void)
{
    pthread_mutex_lock(&file_lock);
    no_file = false;
    pthread_mutex_unlock(&file_lock);
    STORE_RELEASE(listen_again, true);
    io_wake();
}

int
io_start(const char *path)
{
    for (size_t i = 0; i < LOOPTOP_CLIENTS_MAX; i++)
        peers[i].socket = OWN_FD_NONE;
    if (strlen(path) >= sizeof listen_path)
        return -ENAMETOOLONG;
    (void)strcpy(listen_path, path);
    STORE(listen_again, false);
    no_file = false;
    int rc = open_listener();
    if (rc < 0)
        return rc;
    rc = open_wake();
    if (rc == 0)
        rc = io_resume();
    if (rc < 0) {
        close_all();
        (void)unlink(path);
    }
    return rc;
}

void
io_stop(bool close_everything)
{
    if (running) {
        STORE(stop, true);
        io_wake();
        agent_join(thread, LOAD(thread_id));
        running = false;
    }
    if (close_everything)
        close_all();
}

void
io_abandon(void)
{
    pthread_mutex_init(&wake_lock, NULL);
    pthread_mutex_init(&file_lock, NULL);
    for (size_t i = 0; i < LOOPTOP_CLIENTS_MAX; i++) {
        own_fd_close(&peers[i].socket);
        peers[i] = (struct peer){.socket = OWN_FD_NONE};
    }
    close_own();
    running = false;
    answers_reset();
}
