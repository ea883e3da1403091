/* SPDX-License-Identifier: MIT */
/* --name PATTERN: the process that a person means by a part of its command line. */
#ifndef LOOPTOP_CLIENT_NAME_H
#define LOOPTOP_CLIENT_NAME_H

#include <sys/types.h>

/*
 * Finds the one process that `ls` would list and whose command line matches (model/match.h).
 * VERB_DONE; VERB_NOT_SO: there is none, VERB_USAGE: there are several, either has been said.
 */
int name_find(const char *pattern, pid_t *ret_pid);

#endif
