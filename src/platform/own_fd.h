/* SPDX-License-Identifier: MIT */
/*
 * A descriptor in a process that is not ours: the application may close every descriptor it finds
 * (daemons do) and be given the number again. So it is known by its socket, and asked before each
 * use. Between the question and the use remains a moment that nobody can take away; whoever uses it
 * uses calls that fail on what is no socket.
 */
#ifndef LOOPTOP_PLATFORM_OWN_FD_H
#define LOOPTOP_PLATFORM_OWN_FD_H

#include <stdbool.h>
#include <stdint.h>

struct own_fd {
    int fd;         /* below 0: none */
    uint64_t inode; /* of the socket; the kernel gives each one its own */
};

#define OWN_FD_NONE ((struct own_fd){.fd = -1})

/* Takes a socket over; one below 0 is none. */
struct own_fd own_fd_take(int fd);

/* Whether the number still is that socket. Async-signal-safe. */
bool own_fd_is_ours(const struct own_fd *own);

/* Closes it where it is, and forgets it. Async-signal-safe. */
void own_fd_close(struct own_fd *own);

#endif
