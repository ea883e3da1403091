/* SPDX-License-Identifier: MIT */
/*
 * A connection for whoever attached, with no name in any file system or network namespace: one end
 * of a socket pair is held out, and the one who may trace the process takes a copy of it by
 * pidfd_getfd(2). When it has spoken the next pair is made. One byte lies in each for whoever comes
 * first: who finds none waits for the next. What is held out stands in the agent's state. io
 * thread, or while there is none, unless said.
 */
#ifndef LOOPTOP_AGENT_CHANNEL_H
#define LOOPTOP_AGENT_CHANNEL_H

#include <poll.h>
#include <stdbool.h>
#include <sys/types.h>

/* Holds one out. 0, -errno. */
int channel_open(void);

/* Holds none out any more. */
void channel_close(void);

/* … as far as others see it: they shall find nobody who is about to go. */
void channel_withdraw(void);

/* What is polled: ready when somebody has spoken. */
void channel_poll(struct pollfd *polled);

/* After poll: whether somebody has, and can be accepted. */
bool channel_serve(const struct pollfd *polled);

/* That one's connection, and the next is held out; or -errno. */
int channel_accept(void);

/* Once a second: makes another where one was lost, or was taken by somebody who never spoke. */
void channel_check(void);

/* Moves its numbers up: see own_fd.h. */
void channel_raise(void);

/*
 * Who has sent what is to be read next, as the kernel says: the socket's own credentials are this
 * process's. A pid that cannot be seen from here is 0. 0, -errno.
 */
int channel_peer(int fd, pid_t *ret_pid, uid_t *ret_uid);

#endif
