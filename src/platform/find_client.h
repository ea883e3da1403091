/* SPDX-License-Identifier: MIT */
/*
 * Finds the socket of the agent inside a process, from outside: also of another user's (for root)
 * and inside a container, whose files are reached through /proc/PID/root. Client side only.
 */
#ifndef LOOPTOP_PLATFORM_FIND_CLIENT_H
#define LOOPTOP_PLATFORM_FIND_CLIENT_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Writes the path to connect to (SOCK_PATH_SIZE is always enough). -ESRCH no such process, -ENOENT
 * no agent in it, -EACCES it may have one but is not ours to look into. The path is the target's to
 * choose: after sock_connect check with sock_peer that the pid is the one meant.
 */
int sock_find_agent(pid_t pid, char *out, size_t size);

#endif
