/* SPDX-License-Identifier: MIT */
/*
 * What has to happen around fork, exec and the end of the interpreter. Everything that the
 * application could see of it is a few callbacks in C in the lists meant for them (atexit,
 * os.register_at_fork) and a few patched PyMethodDefs (os.execv and os.execve, os._exit,
 * signal.raise_signal, subprocess's fork_exec), so that no socket is left behind.
 */
#ifndef LOOPTOP_AGENT_CALLBACKS_H
#define LOOPTOP_AGENT_CALLBACKS_H

#include <stddef.h>

/*
 * Registers what is not registered yet, once in a process each. Imports nothing. 0; -EAGAIN: a
 * module of the interpreter's own is not imported yet; -EINVAL with a reason: never in this
 * process. GIL held; leaves no exception.
 */
int callbacks_register(char *reason, size_t size);

/* Waits until the hooks are in, if they can be. GIL held, and given back meanwhile. */
void callbacks_install_now(void);

#endif
