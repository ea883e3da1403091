/* SPDX-License-Identifier: MIT */
/*
 * The agent's own sockets: the one it listens at, with its file, and the pair that wakes the io
 * thread. The application may close them as it closes everything; then they are made anew within a
 * second. All of the io thread, unless it says otherwise.
 */
#ifndef LOOPTOP_AGENT_IO_SOCKETS_H
#define LOOPTOP_AGENT_IO_SOCKETS_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "platform/own_fd.h"

/* Before the thread runs: listens at a path, NULL nowhere. 0, -ENAMETOOLONG, other -errno (nothing
 * is left). */
int io_sockets_open(const char *path);

/* The thread is to listen at a path, where it listened nowhere. Any thread. */
void io_sockets_listen(const char *path);

/* Closes them; the file stays. Also when the thread has ended, and in a forked child. */
void io_sockets_close(void);

/* In a forked child, first: locks may be held by who is not here. */
void io_sockets_child(void);

/* What is polled. A listener that is ready has a client to be accepted. */
void io_sockets_poll(struct pollfd *listen, struct pollfd *wake);

/* After poll: takes what woke the thread, gives up what is of no use any more. Whether a client
 * waits to be accepted. */
bool io_sockets_serve(const struct pollfd *listen, const struct pollfd *wake);

/* Accepts it: a descriptor, or -errno. */
int io_sockets_accept(void);

/* Moves numbers up that were left low: see own_fd.h. */
void io_sockets_raise(void);

/* Looks for what was lost without a word; once a second. */
void io_sockets_check(void);

/* Makes anew what is due to be; returns the longest time to wait, in ms, of at most this one. */
int io_sockets_mend(int wait_ms);

/* Wakes the thread. Any thread. */
void io_sockets_wake(void);

/* Takes the file away, before the program ends; it does not come back by itself. Any thread. */
void io_sockets_unlink(const char *path);

/* The program did not end: the thread makes it again; clients stay connected. Any thread. */
void io_sockets_listen_again(void);

/* Another one's, or nobody's, has a number of ours: a number that is ready and not ours would be so
 * again and again. */
bool io_sockets_is_lost(const struct pollfd *polled, const struct own_fd *own);

#endif
