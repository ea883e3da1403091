/* SPDX-License-Identifier: MIT */
/* Bringing the agent into a process, in the words of a connection that fails. */
#ifndef LOOPTOP_CLIENT_CONN_ATTACH_H
#define LOOPTOP_CLIENT_CONN_ATTACH_H

#include <stdbool.h>
#include <sys/types.h>

#include "client/conn.h"

/*
 * Has an agent run in a process. 0: now; 1: there was one; -errno with error filled. With
 * LOOPTOP_DEBUG=attach in our environment it says on stderr what it did to the process.
 */
int conn_attach(pid_t pid, bool force, struct conn_error *error);

#endif
