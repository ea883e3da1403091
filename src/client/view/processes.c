/* SPDX-License-Identifier: MIT */
/*
 * The list of processes. Of whom a process is says nothing where all are of one user: that column
 * is there only where there are several. Without an agent inside, what only that can tell is not
 * known, and dim.
 */
#include "client/view/processes.h"

#include <stdio.h>
#include <string.h>

#include "client/screen/keys.h"
#include "client/view/words.h"
#include "client/widget/table.h"

/* min, narrow, ideal, max, priority, grow */
static const struct table_column columns[PROCESS_COLUMNS] = {
    [PROCESS_PID] = {"PID", 4, 7, 7, 10, 0, 0, FIT_RIGHT},
    [PROCESS_USER] = {"USER", 6, 8, 8, 16, 4, 1, FIT_START},
    [PROCESS_PYTHON] = {"PYTHON", 7, 7, 7, 8, 5, 1, FIT_START},
    [PROCESS_LOOP] = {"LOOP", 7, 7, 7, 7, 8, 0, FIT_START},
    [PROCESS_TASKS] = {"TASKS", 7, 7, 7, 7, 1, 0, FIT_RIGHT},
    [PROCESS_LAG] = {"LAG", 6, 6, 6, 6, 2, 0, FIT_RIGHT},
    [PROCESS_BUSY] = {"BUSY%", 6, 6, 6, 6, 6, 0, FIT_RIGHT},
    [PROCESS_CPU] = {"CPU%", 6, 6, 6, 6, 3, 0, FIT_RIGHT},
    [PROCESS_RSS] = {"RSS", 6, 6, 6, 6, 9, 0, FIT_RIGHT},
    [PROCESS_UP] = {"UP", 6, 6, 6, 6, 7, 0, FIT_RIGHT},
    [PROCESS_COMMAND] = {"COMMAND", 8, 14, 24, 255, 0, 4, FIT_START},
};

static const struct binding bindings[] = {
    {{KEYS_UP, 'k'}, ACTION_MOVE, -1, 0, "", "move"},
    {{KEYS_DOWN, 'j'}, ACTION_MOVE, 1, 0, "", NULL},
    {{KEYS_PAGE_UP, KEYS_CTRL('b')}, ACTION_PAGE, -1, 0, "", "move by screens"},
    {{KEYS_PAGE_DOWN, KEYS_CTRL('f')}, ACTION_PAGE, 1, 0, "", NULL},
    {{KEYS_HOME, 'g'}, ACTION_FIRST, 0, 0, "", "first row, last row"},
    {{KEYS_END, 'G'}, ACTION_LAST, 0, 0, "", NULL},
    {{KEYS_ENTER}, ACTION_OPEN, 0, 3, "open",
        "look at the process; q there comes back to the list"},
    {{'/', KEYS_F1 + 2}, ACTION_FIND, 0, 5, "find", "find a part of a command line, or *?[ a glob"},
    {{'n'}, ACTION_FIND_NEXT, 1, 0, "", "next and previous found"},
    {{'N'}, ACTION_FIND_NEXT, -1, 0, "", NULL},
    {{'\\', KEYS_F4}, ACTION_FILTER, 0, 5, "filter", "show only command lines that match"},
    {{'>', KEYS_F6}, ACTION_SORT_STEP, 1, 7, "sort", "sort by the column beside"},
    {{'<'}, ACTION_SORT_STEP, -1, 0, "", NULL},
    {{'I'}, ACTION_INVERT, 0, 0, "", "invert the order"},
    {{KEYS_LEFT}, ACTION_COLUMNS, -1, 0, "", "scroll columns"},
    {{KEYS_RIGHT}, ACTION_COLUMNS, 1, 0, "", NULL},
};

struct processes_state {
    int scroll; /* columns scrolled off */
};

const struct view_ops *const processes_views[] = {&processes_view, NULL};

const char *
processes_title(enum process_column column)
{
    return columns[column].title;
}

static bool
several_users(const struct processes *list)
{
    for (size_t i = 1; i < list->count; i++)
        if (list->rows[i].uid != list->rows[0].uid)
            return true;
    return false;
}

/* Columns of the longest PID. */
static int
widest_pid(const struct processes *list)
{
    pid_t largest = 0;
    int width = 0;

    for (size_t i = 0; i < list->count; i++)
        largest = list->rows[i].pid > largest ? list->rows[i].pid : largest;
    for (; largest > 0; largest /= 10)
        width++;
    return width;
}

static struct table
table_of(const struct view *view, const struct processes *list)
{
    const struct processes_state *state = view->state;

    return (struct table){.columns = columns,
        .count = PROCESS_COLUMNS,
        .pinned = 1,
        .hidden = several_users(list) ? 0 : 1u << PROCESS_USER,
        .scroll = state->scroll,
        .keep = (int)list->sort,
        .narrowed = 3,
        .exact = PROCESS_PID,
        .exact_cols = widest_pid(list)};
}

static enum role
cell_role(const struct process_row *row, enum process_column column, const char *text)
{
    if (strcmp(text, fmt_unknown()) == 0)
        return ROLE_DIM;
    switch (column) {
    case PROCESS_TASKS:
        return row->tasks < 0 ? ROLE_WARNING : row->tasks == 0 ? ROLE_DIM : ROLE_DEFAULT;
    case PROCESS_LAG:
        return row->lag_ns >= MODEL_WARN_NS ? words_lag_role(row->lag_ns)
               : row->lag_ns == 0           ? ROLE_DIM
                                            : ROLE_DEFAULT;
    case PROCESS_BUSY:
    case PROCESS_CPU:
        return strcmp(text, "0.0") == 0 ? ROLE_DIM : ROLE_DEFAULT;
    default:
        return ROLE_DEFAULT;
    }
}

static void
draw_row(const struct table_layout *layout, const struct process_row *row, struct surface *surface,
    int x, int y)
{
    char text[PROCESS_COMMAND_MAX];

    for (int i = 0; i < layout->count; i++) {
        enum process_column column = (enum process_column)layout->column[i];

        (void)processes_cell(row, column, "≥", text, sizeof text);
        surface_fit(surface, x + layout->x[i], y, layout->width[i], columns[column].fit,
            cell_role(row, column, text), text);
    }
}

static void
draw_rows(const struct processes *list, const struct table_layout *layout, struct surface *surface,
    struct rect area)
{
    for (int i = 0; i < area.h; i++) {
        size_t place = list->top + (size_t)i;
        const struct process_row *row = processes_at(list, place);

        if (!row)
            break;
        draw_row(layout, row, surface, area.x, area.y + i);
        if (place != list->cursor)
            continue;
        surface_put(surface, area.x, area.y + i, ROLE_ACCENT, "▌");
        surface_overlay(surface, (struct rect){area.x, area.y + i, area.w, 1}, ROLE_SELECTED);
    }
}

static void
draw_centred(struct surface *surface, struct rect area, int y, enum role role, const char *text)
{
    int columns_wide = surface_columns(surface, text);
    int x = area.x + (columns_wide < area.w ? (area.w - columns_wide) / 2 : 0);

    surface_fit(surface, x, y, area.x + area.w - x, FIT_START, role, text);
}

static void
draw_empty(const struct processes *list, struct surface *surface, struct rect area)
{
    int y = area.y + (area.h > 6 ? area.h / 3 : 0);
    char text[300];

    if (list->count > 0) {
        snprintf(text, sizeof text, "no command line matches  %s", list->filter);
        draw_centred(surface, area, y, ROLE_STRONG, text);
        draw_centred(surface, area, y + 1, ROLE_DIM, "\\ changes the filter, Esc clears it");
        return;
    }
    draw_centred(surface, area, y, ROLE_STRONG, "no process here runs an asyncio loop");
    draw_centred(surface, area, y + 2, ROLE_DIM, "start one:  looptop run python app.py");
    draw_centred(surface, area, y + 3, ROLE_DIM, "or see:  looptop demo");
}

static void
processes_draw(
    const struct view *view, const struct model *model, struct surface *surface, struct rect area)
{
    const struct processes *list = &model->processes;
    struct table table = table_of(view, list);
    int head = area.h > 1;
    struct rect body = {area.x, area.y + head, area.w, area.h - head};
    struct table_layout layout;

    surface_fill(surface, area, ROLE_DEFAULT, NULL);
    table_layout(&table, area.w, &layout);
    if (head)
        table_draw_head(&table, &layout, surface, area.x, area.y, area.w, (int)list->sort,
            processes_largest_first(list->sort) != list->reverse);
    if (list->shown_count > 0)
        draw_rows(list, &layout, surface, body);
    else if (list->looked)
        draw_empty(list, surface, body);
}

/* The column beside the sorted one, among those that are not left out for good. */
static int
sort_step(const struct table *table, const struct processes *list, int step)
{
    int column = (int)list->sort;

    do
        column = (column + step + PROCESS_COLUMNS) % PROCESS_COLUMNS;
    while (table->hidden >> column & 1);
    return column;
}

static void
processes_key(struct view *view, const struct model *model, int key, struct action *ret_action)
{
    struct processes_state *state = view->state;
    struct table table = table_of(view, &model->processes);

    view_bound(view->ops->bindings, key, ret_action);
    if (ret_action->kind == ACTION_COLUMNS) {
        table_scroll(&table, (int)ret_action->amount, view->cols);
        state->scroll = table.scroll;
        ret_action->kind = ACTION_REDRAW;
    } else if (ret_action->kind == ACTION_SORT_STEP) {
        ret_action->kind = ACTION_SORT;
        ret_action->amount = sort_step(&table, &model->processes, (int)ret_action->amount);
    }
}

const struct view_ops processes_view = {
    .name = "processes",
    .title = "Processes",
    .tab = true,
    .bindings = {bindings, sizeof bindings / sizeof *bindings},
    .state_size = sizeof(struct processes_state),
    .draw = processes_draw,
    .key = processes_key,
};
