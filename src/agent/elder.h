/* SPDX-License-Identifier: MIT */
/*
 * Another copy of the agent in this process, which somebody brought in from outside before the
 * program loaded this one: two must not hook the same interpreter, so the younger hands over what
 * it is asked for. Its state and its start function are all that is used: see
 * looptop/agent_state.h.
 */
#ifndef LOOPTOP_AGENT_ELDER_H
#define LOOPTOP_AGENT_ELDER_H

#include <stdbool.h>
#include <stddef.h>

#include "looptop/agent_state.h"

/*
 * Looks for it, once, when this one is imported: one that was there before is there from then on,
 * and the linker's lock may be held for ever in a forked child.
 */
void elder_look(void);

/* Whether there is one. Any thread. */
bool elder_is_there(void);

/*
 * Has it do what the flags say, and waits for it, two seconds at the most. 0; -EPROTO: it is of
 * another version; -ETIMEDOUT; -ECANCELED: it could not; with a reason. GIL: not held.
 */
int elder_start(unsigned flags, char *reason, size_t size);

/* Where it listens. false: nowhere, or there is none. */
bool elder_socket(char ret_path[LOOPTOP_AGENT_TEXT]);

#endif
