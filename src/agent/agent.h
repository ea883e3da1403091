/* SPDX-License-Identifier: MIT */
/*
 * The agent as a whole: started and stopped by the Python module, by a fork, by the end of the
 * interpreter or by a client's `detach`.
 */
#ifndef LOOPTOP_AGENT_AGENT_H
#define LOOPTOP_AGENT_AGENT_H

#include <stdbool.h>
#include <stddef.h>

#include "looptop/agent_state.h"

extern struct looptop_agent_state looptop_agent_state;

struct agent_options {
    bool readonly; /* refuses cancellation */
    bool listen;   /* at a path; else it holds out a channel: see channel.h */
};

/* When the library is loaded, before anything here is used: the first start may meet a fork in
 * another thread. */
void agent_load(void);

/*
 * Opens its sockets and starts both threads; within a fork of the caller's own they start at its
 * end, forks of other threads are waited for, a second at the most, and a client's detach that is
 * under way. 0; -EALREADY: it runs, and now listens where it did not; other -errno with a reason.
 * GIL: not held, or held by a caller that does not wait for the GIL thread.
 */
int agent_start(struct agent_options options, char *reason, size_t size);

/*
 * Waits for forks as agent_start does. Ends both threads, removes the socket, leaves the hooks
 * inactive. A gil thread that waits for a lock of the application in the loop's own code is not
 * waited for. GIL: not held by the caller.
 */
void agent_stop(void);

/*
 * Before a fork: ends the threads, keeps connections. After it in the parent: they go on, when no
 * other fork is under way. The application may start, stop and fork in between. GIL: not held.
 */
void agent_pause(void);
void agent_resume(void);

/* Starts the threads that could not be started after a fork, if there is such a debt and nobody is
 * starting or stopping. GIL: any. */
void agent_retry(void);
bool agent_owes_threads(void);

/* In a forked child, once: forgets the parent's everything. GIL held. */
void agent_child(void);

/* … and starts anew where the parent's agent was running, and nobody stopped it since. GIL held. */
void agent_child_restart(void);

/* Takes the socket away, if it is this process's: before exec and _exit. GIL: any. */
void agent_unlink(void);

/* Has it put back: the process did not end after all. GIL: any. */
void agent_link(void);

/*
 * A client asked for it: everything stops, from a thread that waits for the others, once the answer
 * is said to be on its way or after a second. 0, -errno: no thread. io thread.
 */
int agent_detach(void);
void agent_detach_answered(void);

bool agent_running(void);
bool agent_readonly(void);
enum looptop_agent_hooks agent_hooks(void);

/* Why the hooks are refused; where the agent listens. false: there is no such text. GIL: any. */
bool agent_message(char ret_text[LOOPTOP_AGENT_TEXT]);
bool agent_socket(char ret_path[LOOPTOP_AGENT_TEXT]);

/* gil thread */
void agent_set_hooks(enum looptop_agent_hooks hooks);
void agent_refuse(const char *reason);

#endif
