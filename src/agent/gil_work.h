/* SPDX-License-Identifier: MIT */
/* What the gil thread does: jobs, and what is due at regular times. gil thread, GIL: not held. */
#ifndef LOOPTOP_AGENT_GIL_WORK_H
#define LOOPTOP_AGENT_GIL_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/gil.h"

/* Puts the hooks in, once asyncio is there; with `walk` the tasks that are there already are to be
 * walked. */
void gil_work_install(bool walk);

void gil_work_job(struct job *job);

/* Takes in the tasks that are older than the hooks, while there are more. */
void gil_work_walk(void);

/* What is done once a period; and how long that is now, in ns. */
void gil_work_period(bool walk);
uint64_t gil_work_period_ns(void);

/* When the thread begins. */
void gil_work_begin(void);

#endif
