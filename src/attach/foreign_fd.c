/* SPDX-License-Identifier: MIT */
/* See foreign_fd.h. */
#include "attach/foreign_fd.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"

int
foreign_fd(pid_t pid, int fd)
{
    CLEANUP_CLOSE int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    int got = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);

    return got < 0 ? -errno : got;
}

bool
foreign_fd_possible(pid_t pid)
{
    CLEANUP_CLOSE int fd = foreign_fd(pid, 0);

    return fd >= 0 || fd == -EBADF;
}
