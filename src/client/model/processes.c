/* SPDX-License-Identifier: MIT */
/* Rows are sorted and filtered as indexes, so that the rows of a look are copied once. */
#include "client/model/processes.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/model/match.h"
#include "common/fmt.h"

void
processes_done(struct processes *list)
{
    free(list->rows);
    free(list->shown);
    *list = (struct processes){0};
}

bool
processes_largest_first(enum process_column column)
{
    switch (column) {
    case PROCESS_TASKS:
    case PROCESS_LAG:
    case PROCESS_BUSY:
    case PROCESS_CPU:
    case PROCESS_RSS:
    case PROCESS_UP:
        return true;
    default:
        return false;
    }
}

/* The figure of a column, not-a-number where it has none. */
static double
figure(const struct process_row *row, enum process_column column)
{
    switch (column) {
    case PROCESS_TASKS:
        return (double)row->tasks;
    case PROCESS_LAG:
        return (double)row->lag_ns;
    case PROCESS_BUSY:
        return row->busy_pct;
    case PROCESS_CPU:
        return row->cpu_pct;
    case PROCESS_RSS:
        return (double)row->rss;
    case PROCESS_UP:
        return (double)row->up_ns;
    default:
        return NAN;
    }
}

static const char *
words(const struct process_row *row, enum process_column column)
{
    switch (column) {
    case PROCESS_USER:
        return row->user;
    case PROCESS_PYTHON:
        return row->python;
    case PROCESS_LOOP:
        return row->loop;
    case PROCESS_COMMAND:
        return row->command;
    default:
        return "";
    }
}

/* What is not known stands last, in either order. */
static int
compare_figures(double a, double b, bool descending)
{
    bool a_known = a >= 0, b_known = b >= 0;

    if (!a_known || !b_known)
        return b_known - a_known;
    if (a == b)
        return 0;
    return (a < b) == descending ? 1 : -1;
}

static int
compare_rows(const void *first, const void *second, void *data)
{
    const struct processes *list = data;
    const struct process_row *a = &list->rows[*(const size_t *)first];
    const struct process_row *b = &list->rows[*(const size_t *)second];
    bool descending = processes_largest_first(list->sort) != list->reverse;
    int r = 0;

    if (processes_largest_first(list->sort)) {
        r = compare_figures(figure(a, list->sort), figure(b, list->sort), descending);
    } else if (list->sort != PROCESS_PID) {
        r = strverscmp(words(a, list->sort), words(b, list->sort));
        r = descending ? -r : r;
    } else if (descending) {
        return (a->pid < b->pid) - (a->pid > b->pid);
    }
    return r != 0 ? r : (a->pid > b->pid) - (a->pid < b->pid);
}

static void
keep_in_sight(struct processes *list)
{
    size_t height = list->height > 0 ? (size_t)list->height : 1;
    size_t last = list->shown_count > height ? list->shown_count - height : 0;

    if (list->cursor < list->top)
        list->top = list->cursor;
    if (list->cursor >= list->top + height)
        list->top = list->cursor - height + 1;
    if (list->top > last)
        list->top = last;
}

/* The cursor stands where it is: that row is selected from now on. */
static void
select_here(struct processes *list)
{
    const struct process_row *row = processes_at(list, list->cursor);

    list->selected = row ? row->pid : 0;
    list->selected_start_ns = row ? row->start_ns : 0;
    keep_in_sight(list);
}

/* Goes after the selected process; where it is gone, what took its place is selected. */
static void
find_selected(struct processes *list)
{
    for (size_t i = 0; i < list->shown_count; i++) {
        const struct process_row *row = processes_at(list, i);

        if (row->pid == list->selected && row->start_ns == list->selected_start_ns) {
            list->cursor = i;
            keep_in_sight(list);
            return;
        }
    }
    if (list->cursor >= list->shown_count)
        list->cursor = list->shown_count > 0 ? list->shown_count - 1 : 0;
    select_here(list);
}

static void
arrange(struct processes *list)
{
    list->shown_count = 0;
    for (size_t i = 0; i < list->count; i++)
        if (match_line(list->filter, list->rows[i].command))
            list->shown[list->shown_count++] = i;
    if (list->shown_count > 0)
        qsort_r(list->shown, list->shown_count, sizeof *list->shown, compare_rows, list);
    find_selected(list);
}

int
processes_take(struct processes *list, const struct process_row *rows, size_t count)
{
    struct process_row *copy = calloc(count + 1, sizeof *copy);
    size_t *shown = calloc(count + 1, sizeof *shown);

    if (!copy || !shown) {
        free(copy);
        free(shown);
        return -ENOMEM;
    }
    if (count > 0)
        memcpy(copy, rows, count * sizeof *copy);
    free(list->rows);
    free(list->shown);
    list->rows = copy;
    list->shown = shown;
    list->count = count;
    list->looked = true;
    arrange(list);
    return 0;
}

const struct process_row *
processes_at(const struct processes *list, size_t place)
{
    return place < list->shown_count ? &list->rows[list->shown[place]] : NULL;
}

const struct process_row *
processes_selected(const struct processes *list)
{
    return processes_at(list, list->cursor);
}

void
processes_move(struct processes *list, int64_t step)
{
    int64_t last = list->shown_count > 0 ? (int64_t)list->shown_count - 1 : 0;
    int64_t at = (int64_t)list->cursor;

    if (step < -at)
        list->cursor = 0;
    else
        list->cursor = (size_t)(step > last - at ? last : at + step);
    select_here(list);
}

void
processes_set_height(struct processes *list, int height)
{
    list->height = height;
    keep_in_sight(list);
}

void
processes_sort(struct processes *list, enum process_column column, bool reverse)
{
    list->sort = column;
    list->reverse = reverse;
    arrange(list);
}

void
processes_set_filter(struct processes *list, const char *pattern)
{
    (void)snprintf(list->filter, sizeof list->filter, "%s", pattern);
    arrange(list);
}

static const char *
tasks_cell(const struct process_row *row, char *out, size_t size)
{
    if (row->state == PROCESS_SILENT || row->state == PROCESS_REFUSED)
        (void)snprintf(out, size, "%s", row->state == PROCESS_SILENT ? "silent" : "refused");
    else if (row->tasks < 0)
        (void)snprintf(out, size, "%s", fmt_unknown());
    else
        (void)snprintf(out, size, "%lld", (long long)row->tasks);
    return out;
}

const char *
processes_cell(const struct process_row *row, enum process_column column, const char *at_least,
    char *out, size_t size)
{
    double value = figure(row, column);
    char text[FMT_SIZE];

    switch (column) {
    case PROCESS_PID:
        (void)snprintf(out, size, "%d", (int)row->pid);
        return out;
    case PROCESS_TASKS:
        return tasks_cell(row, out, size);
    case PROCESS_LAG:
    case PROCESS_UP:
        (void)fmt_duration(text, value);
        break;
    case PROCESS_BUSY:
    case PROCESS_CPU:
        (void)fmt_pct(text, value);
        break;
    case PROCESS_RSS:
        (void)fmt_bytes(text, value);
        break;
    default:
        (void)snprintf(out, size, "%s", words(row, column)[0] ? words(row, column) : fmt_unknown());
        return out;
    }
    bool bound = column == PROCESS_BUSY && value >= 0 && !row->busy_exact;
    (void)snprintf(out, size, "%s%s", bound ? at_least : "", text);
    return out;
}
