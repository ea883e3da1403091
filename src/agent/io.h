/* SPDX-License-Identifier: MIT */
/*
 * The thread "looptop-io": the socket and its clients, once-a-second samples, answers from the
 * tables. It never takes the GIL. A client that is slow, silent, rude or gone costs the others
 * nothing: nothing here waits for one of them.
 */
#ifndef LOOPTOP_AGENT_IO_H
#define LOOPTOP_AGENT_IO_H

/* Listens at the agent's path and starts the thread. 0, -errno. */
int io_start(const char *path);

/* Ends the thread; with `close` the connections and the socket too. */
void io_stop(int close_all);

/* Starts the thread again after io_stop(0). 0, -errno. */
int io_resume(void);

/* Listens anew at the agent's path, whose file is gone; clients stay connected. 0, -errno. */
int io_listen_again(const char *path);

/* In a forked child: closes the parent's descriptors without a word. */
void io_abandon(void);

/* Makes the thread look at what is done. Any thread. */
void io_wake(void);

#endif
