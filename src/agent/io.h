/* SPDX-License-Identifier: MIT */
/*
 * The thread "looptop-io": the socket and its clients, once-a-second samples, answers from the
 * tables. It never takes the GIL. A client that is slow, silent, rude or gone costs the others
 * nothing: nothing here waits for one of them. Descriptors that the application closes are made
 * anew within a second.
 */
#ifndef LOOPTOP_AGENT_IO_H
#define LOOPTOP_AGENT_IO_H

#include <stdbool.h>

/* Listens at a path; NULL: holds out a channel. 0, -errno. */
int io_open(const char *path);

/* Starts the thread, after io_open or again after io_stop(false). 0, -errno. */
int io_resume(void);

/* Ends the thread; with `close` the connections and the socket too. */
void io_stop(bool close_everything);

/* Whether the thread is to end: long work is given up, and begun again by io_resume. io thread. */
bool io_stopping(void);

/* In a forked child: closes the parent's descriptors without a word. */
void io_abandon(void);

#endif
