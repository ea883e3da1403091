/* SPDX-License-Identifier: MIT */
/*
 * Number columns stand largest first and text columns smallest first, so that what a person looks
 * for is on top; `reverse` turns it round, and unknown texts come last in both. The default order
 * is the agent's: what runs, then who has been idle longest, then what has ended,
 * whatever the direction.
 */
#include "client/model/task_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_STEP 4096

/* Makes room for count rows and one more page. */
static int
reserve(struct task_list *list, size_t count)
{
    struct task_page *pages = realloc(list->pages, (list->pages_count + 1) * sizeof(*pages));
    size_t capacity = count + count / 2 + ROWS_STEP;
    const struct task_row **rows;

    if (!pages)
        return -ENOMEM;
    list->pages = pages;
    if (count <= list->capacity)
        return 0;
    rows = realloc(list->rows, capacity * sizeof(*rows));
    if (!rows)
        return -ENOMEM;
    list->rows = rows;
    list->capacity = capacity;
    return 0;
}

int
task_list_add(struct task_list *list, struct task_page *page)
{
    size_t need = list->count + page->count;
    int r = need > TASK_LIST_MAX ? -E2BIG : reserve(list, need);

    if (r < 0) {
        task_page_done(page);
        return r;
    }
    for (size_t i = 0; i < page->count; i++)
        list->rows[list->count++] = &page->rows[i];
    list->pages[list->pages_count++] = *page;
    *page = (struct task_page){.focus_index = -1};
    return 0;
}

void
task_list_done(struct task_list *list)
{
    for (size_t i = 0; i < list->pages_count; i++)
        task_page_done(&list->pages[i]);
    free(list->pages);
    free(list->rows);
    *list = (struct task_list){0};
}

static int
numbers(double a, double b)
{
    return (a < b) - (a > b);
}

static int
texts(const char *a, const char *b, bool reverse)
{
    if (!a || !b)
        return (a == NULL) - (b == NULL);
    return reverse ? strcmp(b, a) : strcmp(a, b);
}

static int
sites(const struct task_site *a, const struct task_site *b, bool reverse)
{
    int c;

    if (!a || !b)
        return (a == NULL) - (b == NULL);
    c = texts(a->file, b->file, reverse);
    if (c == 0)
        c = reverse ? numbers(a->line, b->line) : numbers(b->line, a->line);
    return c;
}

static double
number_of(const struct task_row *row, enum looptop_column column)
{
    switch (column) {
    case LOOPTOP_COL_ID:
        return (double)row->id;
    case LOOPTOP_COL_AGE:
        return (double)row->age_ns;
    case LOOPTOP_COL_AGE_EXACT:
        return row->age_exact;
    case LOOPTOP_COL_IDLE:
        return (double)row->idle_ns;
    case LOOPTOP_COL_BUSY:
        return (double)row->busy_ns;
    case LOOPTOP_COL_BUSY_PCT:
        return row->busy_pct;
    case LOOPTOP_COL_STEPS:
        return (double)row->steps;
    case LOOPTOP_COL_MAX_STEP:
        return (double)row->max_step_ns;
    case LOOPTOP_COL_PARENT:
        return (double)row->parent;
    case LOOPTOP_COL_LOOP:
        return (double)row->loop;
    case LOOPTOP_COL_ENDED:
        return (double)row->ended_ns;
    case LOOPTOP_COL_QUEUED:
        return (double)row->queued_ns;
    case LOOPTOP_COL_FLAGS:
        return row->at_stale;
    default:
        return (double)row->state;
    }
}

static int
rank(const struct task_row *row)
{
    return row->state == LOOPTOP_RUN ? 0 : row->ended_ns < 0 ? 1 : 2;
}

int
task_row_compare(
    const struct task_row *a, const struct task_row *b, enum looptop_column column, bool reverse)
{
    int c;

    switch (column) {
    case LOOPTOP_COL_NAME:
        c = texts(a->name, b->name, reverse);
        break;
    case LOOPTOP_COL_COROUTINE:
        c = texts(a->coroutine, b->coroutine, reverse);
        break;
    case LOOPTOP_COL_WAITING_ON:
        c = texts(a->waiting_on, b->waiting_on, reverse);
        break;
    case LOOPTOP_COL_EXCEPTION:
        c = texts(a->exception, b->exception, reverse);
        break;
    case LOOPTOP_COL_AT:
        c = sites(a->at, b->at, reverse);
        break;
    case LOOPTOP_COL_CREATED_AT:
        c = sites(a->created_at, b->created_at, reverse);
        break;
    default:
        c = numbers(number_of(a, column), number_of(b, column));
        if (reverse)
            c = -c;
        if (column == LOOPTOP_COL_IDLE && rank(a) != rank(b))
            c = rank(a) - rank(b);
    }
    if (c == 0)
        c = (a->id > b->id) - (a->id < b->id);
    return c;
}

struct order {
    enum looptop_column column;
    bool reverse;
};

static int
compare(const void *a, const void *b, void *data)
{
    const struct order *order = data;

    return task_row_compare(*(const struct task_row *const *)a, *(const struct task_row *const *)b,
        order->column, order->reverse);
}

void
task_list_sort(struct task_list *list, enum looptop_column column, bool reverse)
{
    struct order order = {column, reverse};

    if (list->count > 0)
        qsort_r(list->rows, list->count, sizeof(*list->rows), compare, &order);
}
