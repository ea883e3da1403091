// SPDX-License-Identifier: MIT
/* See own_fd.h. */
#include "platform/own_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define HIGH 512 /* the first number used; the kernel's table grows with the highest */

static bool let_low; /* atomic */

/* 0: it is no socket. */
static uint64_t
socket_inode(int fd)
{
    struct stat st;
    return fd >= 0 && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) ? st.st_ino : 0;
}

/* At most half way up to the limit: the rest is the application's. */
static int
lowest(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 2 > HIGH)
        return HIGH;
    return limit.rlim_cur / 2 > STDERR_FILENO ? (int)(limit.rlim_cur / 2) : STDERR_FILENO + 1;
}

void
own_fd_let_low(bool low)
{
    __atomic_store_n(&let_low, low, __ATOMIC_RELAXED);
}

int
own_fd_high(int fd)
{
    if (fd < 0 || (fd > STDERR_FILENO && __atomic_load_n(&let_low, __ATOMIC_RELAXED)))
        return fd;
    int high = fcntl(fd, F_DUPFD_CLOEXEC, lowest());
    if (high < 0 && fd > STDERR_FILENO)
        return fd;
    if (high < 0)
        high = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (high < 0)
        high = -errno;
    (void)close(fd);
    return high;
}

struct own_fd
own_fd_take(int fd)
{
    return (struct own_fd){.fd = fd, .inode = socket_inode(fd)};
}

bool
own_fd_is_ours(const struct own_fd *own)
{
    return own->inode != 0 && socket_inode(own->fd) == own->inode;
}

void
own_fd_raise(struct own_fd *own)
{
    if (own->fd >= 0 && own->fd < lowest() && own_fd_is_ours(own))
        own->fd = own_fd_high(own->fd);
}

void
own_fd_close(struct own_fd *own)
{
    if (own_fd_is_ours(own))
        (void)close(own->fd);
    *own = OWN_FD_NONE;
}
