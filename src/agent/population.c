// SPDX-License-Identifier: MIT
/* See population.h. */
#include "agent/population.h"

#include "agent/atomic.h"
#include "agent/hooks_birth.h"
#include "agent/table.h"
#include "agent/ticks.h"

#define BATCH 32 /* tasks between two looks at the clock */

struct cpy_cursor population_cursor;
HOT_DATA bool population_walking;

static void
visit(PyObject *task, void *arg)
{
    (void)arg;
    if (hooks_record(task) == NULL && cpy_task_state(task) == CPY_PENDING)
        ADD(table_counts.untracked, 1);
}

void
population_start(void)
{
    population_cursor = (struct cpy_cursor){0};
    STORE(population_walking, true);
}

bool
population_slice(uint64_t max_ns)
{
    uint64_t start = ticks_now();
    while (!population_cursor.done && ticks_since_ns(start) < max_ns)
        cpy_population(&population_cursor, BATCH, visit, NULL);
    if (population_cursor.done)
        STORE(population_walking, false);
    return !population_cursor.done;
}
