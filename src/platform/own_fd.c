// SPDX-License-Identifier: MIT
/* See own_fd.h. */
#include "platform/own_fd.h"

#include <sys/stat.h>
#include <unistd.h>

/* 0: it is no socket. */
static uint64_t
socket_inode(int fd)
{
    struct stat st;
    return fd >= 0 && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) ? st.st_ino : 0;
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
own_fd_close(struct own_fd *own)
{
    if (own_fd_is_ours(own))
        (void)close(own->fd);
    *own = OWN_FD_NONE;
}
