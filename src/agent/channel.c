// SPDX-License-Identifier: MIT
/* See channel.h. */
#include "agent/channel.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/atomic.h"
#include "platform/own_fd.h"

/* Samples, a second each, that somebody who took it has to say the first word. */
#define SILENT_MAX 3

static struct own_fd ours = {.fd = -1}, theirs = {.fd = -1};
static bool wanted; /* there is one, or would be if it were not lost */
static unsigned silent;

static void
publish(void)
{
    STORE(looptop_agent_state.channel_inode, theirs.inode);
    STORE_RELEASE(looptop_agent_state.channel, theirs.fd);
}

void
channel_withdraw(void)
{
    STORE_RELEASE(looptop_agent_state.channel, -1);
}

static void
close_pair(void)
{
    channel_withdraw();
    own_fd_close(&ours);
    own_fd_close(&theirs);
}

static int
open_pair(void)
{
    int fds[2], on = 1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        return -errno;
    ours = own_fd_take(own_fd_high(fds[0]));
    theirs = own_fd_take(own_fd_high(fds[1]));
    if (!own_fd_is_ours(&ours) || !own_fd_is_ours(&theirs) ||
        setsockopt(ours.fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0 ||
        send(ours.fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1) {
        close_pair();
        return -ENOBUFS;
    }
    silent = 0;
    publish();
    return 0;
}

int
channel_open(void)
{
    wanted = true;
    int rc = open_pair();
    if (rc < 0)
        wanted = false;
    return rc;
}

void
channel_close(void)
{
    wanted = false;
    close_pair();
}

void
channel_poll(struct pollfd *polled)
{
    *polled = (struct pollfd){.fd = ours.fd, .events = POLLIN};
}

bool
channel_serve(const struct pollfd *polled)
{
    if (polled->revents == 0 || polled->fd != ours.fd)
        return false;
    if (own_fd_is_ours(&ours) && (polled->revents & POLLIN))
        return true;
    /* the application closed one of the two, or all that it found: the next look makes another */
    close_pair();
    return false;
}

int
channel_accept(void)
{
    int fd = ours.fd;
    ours = OWN_FD_NONE;
    /* the client has its own copy: with ours it would not be noticed when it goes */
    close_pair();
    (void)open_pair();
    return fd;
}

/* Somebody has taken the byte: nothing that we sent is left unread. */
static bool
is_taken(void)
{
    int unread = 0;
    return ioctl(ours.fd, SIOCOUTQ, &unread) == 0 && unread == 0;
}

void
channel_check(void)
{
    if (!wanted)
        return;
    bool whole = own_fd_is_ours(&ours) && own_fd_is_ours(&theirs);
    silent = whole && is_taken() ? silent + 1 : 0;
    if (whole && silent < SILENT_MAX)
        return;
    close_pair();
    (void)open_pair();
}

void
channel_raise(void)
{
    own_fd_raise(&ours);
    own_fd_raise(&theirs);
    if (own_fd_is_ours(&theirs) && LOAD(looptop_agent_state.channel) >= 0)
        publish();
}

int
channel_peer(int fd, pid_t *ret_pid, uid_t *ret_uid)
{
    char byte;
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec data = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &data,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control};
    struct ucred sender;
    if (recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
        return -errno;
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header == NULL || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_CREDENTIALS)
        return -ENODATA;
    memcpy(&sender, CMSG_DATA(header), sizeof sender);
    *ret_pid = sender.pid;
    *ret_uid = sender.uid;
    return 0;
}
