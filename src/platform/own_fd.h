/* SPDX-License-Identifier: MIT */
/*
 * A descriptor in a process that is not ours: the application may close every descriptor it finds
 * (daemons do) and be given the number again. So it is known by its socket, and asked before each
 * use. Between the question and the use remains a moment that nobody can take away; whoever uses it
 * uses calls that fail on what is no socket; and the numbers are high, where nobody looks for a
 * free one: the next that the application opens has the number it would have without us.
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

/*
 * Moves a descriptor, given by the kernel as the lowest free one, up out of the way, close-on-exec:
 * the new number, or -errno and it is closed. One below 0 is handed back. Where there is no room it
 * stays, but never as 0, 1 or 2.
 */
int own_fd_high(int fd);

/*
 * Leaves numbers as they are for a while, for the whole process: the first one so high makes the
 * kernel enlarge the process's table, for which whoever asks waits some 15 ms where there are
 * threads (synchronize_rcu). To be made up for by own_fd_raise of each, after
 * own_fd_let_low(false). Any thread.
 */
void own_fd_let_low(bool low);

/* Moves one up that was left low. It may have been lost before, or be none. */
void own_fd_raise(struct own_fd *own);

/* Takes a socket over; one below 0 is none. */
struct own_fd own_fd_take(int fd);

/* Whether the number still is that socket. Async-signal-safe. */
bool own_fd_is_ours(const struct own_fd *own);

/* Closes it where it is, and forgets it. Async-signal-safe. */
void own_fd_close(struct own_fd *own);

#endif
