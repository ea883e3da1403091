/* SPDX-License-Identifier: MIT */
/* How the agent comes to life where the program did not load it: see looptop/agent_state.h. */
#ifndef LOOPTOP_AGENT_ENTRY_H
#define LOOPTOP_AGENT_ENTRY_H

/* Closes the memfds with an agent in them that are still there: that it was loaded from, and
 * others, where whoever attached was killed before it could. io thread. */
void entry_tidy(void);

#endif
