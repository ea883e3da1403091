/* SPDX-License-Identifier: MIT */
/*
 * The places of tasks that are in a step, which only the stacks of the threads show. gil thread,
 * GIL held; given back between slices.
 */
#ifndef LOOPTOP_AGENT_RUNNING_H
#define LOOPTOP_AGENT_RUNNING_H

/* Looks up the places of all tasks in a step now. */
void running_refresh(void);

#endif
