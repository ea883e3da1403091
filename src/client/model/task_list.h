/* SPDX-License-Identifier: MIT */
/*
 * Many rows of the task table at once, out of as many pages as it takes, in an order of ours. The
 * order is the agent's: see looptop-protocol(7), `tasks`. Memory is some 170 bytes a task.
 */
#ifndef LOOPTOP_CLIENT_MODEL_TASK_LIST_H
#define LOOPTOP_CLIENT_MODEL_TASK_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "client/model/tasks.h"

#define TASK_LIST_MAX (4 * 1024 * 1024) /* rows taken from an agent, whatever it says it has */

struct task_list {
    struct task_page *pages; /* owned */
    size_t pages_count;
    const struct task_row **rows; /* owned; each in one of the pages */
    size_t count, capacity;
};

/* Adds a page, which it takes, and its rows in their order. 0, -ENOMEM, -E2BIG (the page is freed).
 */
int task_list_add(struct task_list *list, struct task_page *page);

void task_list_done(struct task_list *list);

/* Sorts as the agent does with this column; equal rows stand by id. */
void task_list_sort(struct task_list *list, enum looptop_column column, bool reverse);

/* Where a stands to b in that order: below 0 before, above 0 behind. */
int task_row_compare(
    const struct task_row *a, const struct task_row *b, enum looptop_column column, bool reverse);

#endif
