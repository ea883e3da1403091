// SPDX-License-Identifier: MIT
/* See io_sockets.h. */
#include "agent/io_sockets.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/atomic.h"
#include "common/clock.h"
#include "platform/sock.h"

/* Who closes one descriptor is about to close others, and to open those that shall have their
 * numbers: what is lost is made anew when that is over. Until then nobody can wake the thread. */
#define REPAIR_NS (CLOCK_NS_PER_S / 5)
#define ASLEEP_MS 10

static struct own_fd listener = {.fd = -1};
static struct stat listen_file; /* what it is in the directory */
static char listen_path[SOCK_PATH_SIZE];
static bool listen_again;      /* atomic */
static uint64_t repair_due_ns; /* 0: nothing is lost */

/* The program is about to end, and the file is gone: nobody makes it again. Under the lock. */
static bool no_file;
static pthread_mutex_t file_lock = PTHREAD_MUTEX_INITIALIZER;

/* A pair: what is sent into the second wakes the thread. Made and closed under the lock. */
static struct own_fd pair[2] = {{.fd = -1}, {.fd = -1}};
static pthread_mutex_t wake_lock = PTHREAD_MUTEX_INITIALIZER;

void
io_sockets_wake(void)
{
    pthread_mutex_lock(&wake_lock);
    if (own_fd_is_ours(&pair[1])) {
        ssize_t n = send(pair[1].fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        (void)n; /* full: the thread is about to wake anyway */
    }
    pthread_mutex_unlock(&wake_lock);
}

static void
close_pair(void)
{
    pthread_mutex_lock(&wake_lock);
    own_fd_close(&pair[0]);
    own_fd_close(&pair[1]);
    pthread_mutex_unlock(&wake_lock);
}

static int
open_pair(void)
{
    int fds[2];
    close_pair();
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        return -errno;
    pthread_mutex_lock(&wake_lock);
    for (size_t i = 0; i < 2; i++)
        pair[i] = own_fd_take(own_fd_high(fds[i]));
    pthread_mutex_unlock(&wake_lock);
    return 0;
}

void
io_sockets_unlink(const char *path)
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
    int rc = no_file || !listen_path[0] ? -ECANCELED : listen_at_path();
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

static bool
pair_is_whole(void)
{
    return own_fd_is_ours(&pair[0]) && own_fd_is_ours(&pair[1]);
}

static void
repair_soon(void)
{
    if (repair_due_ns == 0)
        repair_due_ns = clock_monotonic_ns() + REPAIR_NS;
}

static bool
listener_is_lost(void)
{
    return listen_path[0] != '\0' && !own_fd_is_ours(&listener);
}

void
io_sockets_check(void)
{
    if (listener_is_lost() || !pair_is_whole())
        repair_soon();
}

/* What cannot be had now is tried again a second later. The listener's file is still there, and
 * nobody listens at it. */
static void
repair(void)
{
    repair_due_ns = 0;
    if (listener_is_lost())
        (void)open_listener();
    if (!pair_is_whole())
        (void)open_pair();
}

int
io_sockets_mend(int wait_ms)
{
    if (repair_due_ns != 0 && clock_monotonic_ns() >= repair_due_ns)
        repair();
    /* taken before the file is looked for: who asks from now on asks again */
    if (__atomic_exchange_n(&listen_again, false, __ATOMIC_ACQ_REL) && !file_is_there())
        (void)open_listener();
    return repair_due_ns != 0 && wait_ms > ASLEEP_MS ? ASLEEP_MS : wait_ms;
}

void
io_sockets_listen_again(void)
{
    pthread_mutex_lock(&file_lock);
    no_file = false;
    pthread_mutex_unlock(&file_lock);
    STORE_RELEASE(listen_again, true);
    io_sockets_wake();
}

void
io_sockets_listen(const char *path)
{
    pthread_mutex_lock(&file_lock);
    (void)snprintf(listen_path, sizeof listen_path, "%s", path);
    pthread_mutex_unlock(&file_lock);
    io_sockets_listen_again();
}

void
io_sockets_poll(struct pollfd *listen, struct pollfd *wake)
{
    *listen = (struct pollfd){.fd = listener.fd, .events = POLLIN};
    *wake = (struct pollfd){.fd = pair[0].fd, .events = POLLIN};
}

bool
io_sockets_is_lost(const struct pollfd *polled, const struct own_fd *own)
{
    return polled->revents != 0 && !own_fd_is_ours(own);
}

/* … and so would one that is of no use, for its other end was closed. */
static bool
is_useless(const struct pollfd *polled, const struct own_fd *own)
{
    return (polled->revents & (POLLHUP | POLLERR | POLLNVAL)) || io_sockets_is_lost(polled, own);
}

bool
io_sockets_serve(const struct pollfd *listen, const struct pollfd *wake)
{
    char bytes[64];
    bool listens = !is_useless(listen, &listener);
    bool wakes = !is_useless(wake, &pair[0]);
    if (!listens)
        own_fd_close(&listener);
    if (!wakes)
        close_pair();
    if (!listens || !wakes)
        repair_soon();
    if (wakes && (wake->revents & POLLIN)) {
        ssize_t n = recv(pair[0].fd, bytes, sizeof bytes, MSG_DONTWAIT);
        (void)n; /* only there to wake */
    }
    return listens && (listen->revents & POLLIN);
}

int
io_sockets_accept(void)
{
    int fd = accept4(listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    return fd < 0 ? -errno : own_fd_high(fd);
}

void
io_sockets_raise(void)
{
    own_fd_raise(&listener);
    pthread_mutex_lock(&wake_lock);
    own_fd_raise(&pair[0]);
    own_fd_raise(&pair[1]);
    pthread_mutex_unlock(&wake_lock);
}

int
io_sockets_open(const char *path)
{
    if (path != NULL && strlen(path) >= sizeof listen_path)
        return -ENAMETOOLONG;
    (void)strcpy(listen_path, path != NULL ? path : "");
    STORE(listen_again, false);
    repair_due_ns = 0;
    no_file = false;
    int rc = path != NULL ? open_listener() : 0;
    if (rc < 0)
        return rc;
    rc = open_pair();
    if (rc < 0) {
        io_sockets_close();
        if (path != NULL)
            (void)unlink(path);
    }
    return rc;
}

void
io_sockets_close(void)
{
    own_fd_close(&listener);
    close_pair();
}

void
io_sockets_child(void)
{
    pthread_mutex_init(&wake_lock, NULL);
    pthread_mutex_init(&file_lock, NULL);
}
