/* SPDX-License-Identifier: MIT */
/*
 * The task table. Only a window of it is here: rows that have not arrived are drawn as dots. The
 * view knows columns; which rows are seen and which is selected is the model's.
 */
#include "client/view/tasks.h"

#include <stdio.h>
#include <string.h>

#include "client/screen/keys.h"
#include "client/view/columns.h"
#include "client/view/registry.h"
#include "client/view/words.h"

#define COLUMN_ID 0 /* places in columns_table */
#define COLUMN_NAME 1

struct tasks_state {
    int scroll; /* columns scrolled off */
};

static const struct binding bindings[] = {
    {{KEYS_UP, 'k'}, ACTION_MOVE, -1, 0, "", "move"},
    {{KEYS_DOWN, 'j'}, ACTION_MOVE, 1, 0, "", NULL},
    {{KEYS_PAGE_UP, KEYS_CTRL('b')}, ACTION_PAGE, -1, 0, "", "move by screens"},
    {{KEYS_PAGE_DOWN, KEYS_CTRL('f')}, ACTION_PAGE, 1, 0, "", NULL},
    {{KEYS_HOME, 'g'}, ACTION_FIRST, 0, 0, "", "first row, and stay there as rows sort anew"},
    {{KEYS_END, 'G'}, ACTION_LAST, 0, 0, "", "last row"},
    {{'F'}, ACTION_FOLLOW, 0, 0, "", "follow the selected task as rows sort anew, or no more"},
    {{KEYS_ENTER}, ACTION_OPEN, 0, 3, "detail", "look at the selected task"},
    {{'J'}, ACTION_SCROLL, 1, 0, "", "scroll the detail that stands beside the table"},
    {{'K'}, ACTION_SCROLL, -1, 0, "", NULL},
    {{'/', KEYS_F1 + 2}, ACTION_FIND, 0, 5, "find", "find a task, in the language of the filter"},
    {{'n'}, ACTION_FIND_NEXT, 1, 0, "", "next and previous found"},
    {{'N'}, ACTION_FIND_NEXT, -1, 0, "", NULL},
    {{'\\', KEYS_F4}, ACTION_FILTER, 0, 5, "filter", "show only tasks that match"},
    {{'H'}, ACTION_FINISHED, 0, 9, "ended", "hide or show tasks that have ended"},
    {{KEYS_F6}, ACTION_SORT_MENU, 0, 7, "sort", "choose the column to sort by"},
    {{'<'}, ACTION_SORT_STEP, -1, 0, "", "sort by the column beside"},
    {{'>'}, ACTION_SORT_STEP, 1, 0, "", NULL},
    {{'I'}, ACTION_INVERT, 0, 0, "", "invert the order"},
    {{KEYS_F2}, ACTION_COLUMN_MENU, 0, 8, "columns", "choose columns"},
    {{KEYS_LEFT}, ACTION_COLUMNS, -1, 0, "", "scroll columns"},
    {{KEYS_RIGHT}, ACTION_COLUMNS, 1, 0, "", NULL},
    {{KEYS_SPACE}, ACTION_TAG, 0, 6, "tag", "tag or untag the task"},
    {{'*'}, ACTION_TAG_MATCHING, 0, 9, "tag all", "tag all live tasks that match the filter"},
    {{'U'}, ACTION_UNTAG_ALL, 0, 0, "", "untag all"},
    {{'x', KEYS_F9}, ACTION_ASK_CANCEL, 0, 4, "cancel",
        "cancel the tagged tasks, or the selected one; asks first"},
};

int
tasks_rows(int lines)
{
    return lines > 1 ? lines - 1 : lines;
}

/* Columns of the widest name that is seen. */
static int
widest_name(const struct model *model)
{
    int most = columns_table[COLUMN_NAME].max, widest = 0;

    for (int i = 0; i < model->window.height; i++) {
        const struct task_row *row = window_row(&model->page, model->window.top + i);
        int columns = row ? glyph_columns(row->name, false, most) : 0;
        widest = columns > widest ? columns : widest;
    }
    return widest < most ? widest : most;
}

/* Columns of the largest id: of all tasks there were, so that it stays as rows come and go. */
static int
widest_id(const struct model *model)
{
    uint64_t largest = model->have_status ? model->status.created : 0;
    int columns = 0;

    for (size_t i = 0; i < model->page.count; i++)
        if (model->page.rows[i].id > largest)
            largest = model->page.rows[i].id;
    for (; largest > 0; largest /= 10)
        columns++;
    return columns;
}

/* ID and NAME never scroll; what the rows are sorted by is always seen. */
static struct table
table_of(const struct view *view, const struct model *model)
{
    const struct tasks_state *state = view->state;
    int sorted = columns_of_key(model->query.sort);

    return (struct table){.columns = columns_table,
        .count = columns_count,
        .pinned = 2,
        .hidden = model->hidden_columns,
        .scroll = state->scroll,
        .keep = sorted >= 0 ? sorted : 0,
        .narrowed = COLUMNS_NARROWED,
        .exact = COLUMN_ID,
        .exact_cols = widest_id(model),
        .first = COLUMN_NAME,
        .first_cols = widest_name(model)};
}

/* The column beside the sorted one, among those that are shown. */
static int
sort_step(const struct model *model, int step)
{
    int column = columns_of_key(model->query.sort);

    for (int i = 0; i < columns_count; i++) {
        column = (column + step + columns_count) % columns_count;
        if (!(model->hidden_columns >> column & 1))
            break;
    }
    return column;
}

static void
tasks_key(struct view *view, const struct model *model, int key, struct action *ret_action)
{
    struct tasks_state *state = view->state;
    struct table table = table_of(view, model);

    view_bound(view->ops->bindings, key, ret_action);
    if (ret_action->kind == ACTION_COLUMNS) {
        table_scroll(&table, (int)ret_action->amount, view->cols);
        state->scroll = table.scroll;
        ret_action->kind = ACTION_REDRAW;
    } else if (ret_action->kind == ACTION_SORT_STEP) {
        ret_action->kind = ACTION_SORT;
        ret_action->amount = sort_step(model, (int)ret_action->amount);
    }
}

static void
draw_row(const struct model *model, const struct table_layout *layout, const struct task_row *row,
    struct surface *surface, int x, int y)
{
    for (int i = 0; i < layout->count; i++) {
        const struct table_column *column = &columns_table[layout->column[i]];
        struct columns_cell cell;
        columns_cell(model, row, layout->column[i], layout->width[i], &cell);
        surface_fit(
            surface, x + layout->x[i], y, layout->width[i], column->fit, cell.role, cell.text);
    }
}

static void
draw_marks(const struct model *model, const struct task_row *row, int64_t index,
    struct surface *surface, struct rect line)
{
    const struct window *window = &model->window;
    bool here = index == window->cursor && !window->seeking;
    bool selected = here && window->away < 0;

    if (here)
        surface_put(surface, line.x, line.y, selected ? ROLE_ACCENT : ROLE_DIM, "▌");
    if (row && tags_has(&model->tags, row->id))
        surface_put(surface, line.x + 1, line.y, ROLE_TAGGED, "•");
    if (selected)
        surface_overlay(surface, line, ROLE_SELECTED);
}

static void
draw_rows(const struct model *model, const struct table_layout *layout, struct surface *surface,
    struct rect area)
{
    for (int i = 0; i < area.h; i++) {
        int64_t index = model->window.top + i;
        const struct task_row *row = window_row(&model->page, index);
        struct rect line = {area.x, area.y + i, area.w, 1};
        if (index < 0 || (uint64_t)index >= model->page.matched)
            break;
        if (row)
            draw_row(model, layout, row, surface, area.x, line.y);
        else
            surface_put(surface, area.x + TABLE_GUTTER, line.y, ROLE_DIM, "· · ·");
        draw_marks(model, row, index, surface, line);
    }
}

/* Why there is no row to show, in one or two lines. */
static void
empty_words(const struct model *model, char *first, char *second, size_t size)
{
    const struct status *status = &model->status;

    first[0] = second[0] = '\0';
    if (!model->have_status || (!model->have_page && strcmp(status->hooks_state, "active") == 0)) {
        snprintf(first, size, "%s reading tasks…", words_spinner(model->now_ns));
    } else if (strcmp(status->hooks_state, "waiting") == 0) {
        snprintf(first, size, "asyncio is not imported in this process yet");
        snprintf(second, size, "tasks appear here as soon as it is");
    } else if (strcmp(status->hooks_state, "refused") == 0) {
        snprintf(first, size, "the agent does not watch this interpreter");
        snprintf(second, size, "%s", status->hooks_message);
    } else if (strcmp(status->hooks_state, "dormant") == 0) {
        snprintf(first, size, "the agent is detached: it watches nothing");
    } else if (model->query.filter) {
        snprintf(first, size, "no task matches  %s", model->query.filter);
        snprintf(second, size, "\\ changes the filter, Esc clears it");
    } else if (status->loops_count == 0) {
        snprintf(first, size, "no event loop has run yet");
    } else {
        snprintf(first, size, "no tasks");
        snprintf(second, size, "the loop is there and has nothing to do");
    }
}

static void
draw_empty(const struct model *model, struct surface *surface, struct rect area)
{
    char first[600], second[600];
    int y = area.y + (area.h > 4 ? area.h / 3 : 0);

    empty_words(model, first, second, sizeof first);
    int columns = surface_columns(surface, first);
    int x = area.x + (columns < area.w ? (area.w - columns) / 2 : 0);
    surface_fit(surface, x, y, area.x + area.w - x, FIT_START, ROLE_STRONG, first);
    columns = surface_columns(surface, second);
    x = area.x + (columns < area.w ? (area.w - columns) / 2 : 0);
    surface_fit(surface, x, y + 1, area.x + area.w - x, FIT_START, ROLE_DIM, second);
}

static void
tasks_draw(
    const struct view *view, const struct model *model, struct surface *surface, struct rect area)
{
    struct table table = table_of(view, model);
    struct table_layout layout;
    int sorted = columns_of_key(model->query.sort);
    int head = area.h - tasks_rows(area.h);
    struct rect body = {area.x, area.y + head, area.w, area.h - head};

    surface_fill(surface, area, ROLE_DEFAULT, NULL);
    table_layout(&table, area.w, &layout);
    if (head > 0)
        table_draw_head(&table, &layout, surface, area.x, area.y, area.w, sorted,
            sorted >= 0 && columns_largest_first(sorted) != model->query.reverse);
    if (!model->have_page || model->page.matched == 0)
        draw_empty(model, surface, body);
    else
        draw_rows(model, &layout, surface, body);
}

const struct view_ops tasks_view = {
    .name = "tasks",
    .title = "Tasks",
    .tab = true,
    .bindings = {bindings, sizeof bindings / sizeof *bindings},
    .state_size = sizeof(struct tasks_state),
    .draw = tasks_draw,
    .key = tasks_key,
};
