/* SPDX-License-Identifier: MIT */
/*
 * Takes in the tasks that are older than the agent, a slice at a time. GIL held.
 */
#ifndef LOOPTOP_AGENT_POPULATION_H
#define LOOPTOP_AGENT_POPULATION_H

#include "agent/cpython/cpy.h"
#include "common/hidden.h"
#include "common/hot.h"

extern HIDDEN struct cpy_cursor population_cursor;
extern HIDDEN bool population_walking; /* atomic */

/* Begins a walk. */
void population_start(void);

/* One slice of at most about max_ns. Returns whether there is more. */
bool population_slice(uint64_t max_ns);

static inline void
population_leave(PyObject *task)
{
    if (unlikely(population_walking))
        cpy_population_leave(&population_cursor, task);
}

#endif
