/* SPDX-License-Identifier: MIT */
/* Two lists of the table's columns: which one to sort by, and which ones to show. */
#include <stdio.h>

#include "client/screen/keys.h"
#include "client/view/columns.h"
#include "client/view/registry.h"

#define MENU_COLS 74

struct menu_state {
    int cursor;
};

static const struct binding sort_bindings[] = {
    {{KEYS_UP, 'k'}, ACTION_MOVE, -1, 0, "", "move"},
    {{KEYS_DOWN, 'j'}, ACTION_MOVE, 1, 0, "", NULL},
    {{KEYS_PAGE_UP}, ACTION_PAGE, -1, 0, "", "move by screens"},
    {{KEYS_PAGE_DOWN}, ACTION_PAGE, 1, 0, "", NULL},
    {{KEYS_HOME, 'g'}, ACTION_FIRST, 0, 0, "", "first, last"},
    {{KEYS_END, 'G'}, ACTION_LAST, 0, 0, "", NULL},
    {{KEYS_ENTER}, ACTION_SORT, 0, 1, "sort", "sort by this column"},
    {{'I'}, ACTION_INVERT, 0, 3, "invert", "invert the order"},
    {{KEYS_ESCAPE, 'q', KEYS_F6}, ACTION_BACK, 0, 2, "back", "back"},
};

static const struct binding column_bindings[] = {
    {{KEYS_UP, 'k'}, ACTION_MOVE, -1, 0, "", "move"},
    {{KEYS_DOWN, 'j'}, ACTION_MOVE, 1, 0, "", NULL},
    {{KEYS_PAGE_UP}, ACTION_PAGE, -1, 0, "", "move by screens"},
    {{KEYS_PAGE_DOWN}, ACTION_PAGE, 1, 0, "", NULL},
    {{KEYS_HOME, 'g'}, ACTION_FIRST, 0, 0, "", "first, last"},
    {{KEYS_END, 'G'}, ACTION_LAST, 0, 0, "", NULL},
    {{KEYS_SPACE, KEYS_ENTER}, ACTION_HIDE_COLUMN, 0, 1, "show or hide", "show or hide the column"},
    {{KEYS_ESCAPE, 'q', KEYS_F2}, ACTION_BACK, 0, 2, "back", "back"},
};

static int
menu_init(struct view *view, const struct model *model)
{
    struct menu_state *state = view->state;

    if (view->ops == &sort_menu_view)
        state->cursor = columns_of_key(model->query.sort);
    if (state->cursor < 0)
        state->cursor = 0;
    return 0;
}

/* Stays in the list: only single steps go round its ends. */
static void
move_to(struct menu_state *state, int cursor)
{
    state->cursor = cursor < 0 ? 0 : cursor >= columns_count ? columns_count - 1 : cursor;
}

static void
menu_key(struct view *view, const struct model *model, int key, struct action *ret_action)
{
    struct menu_state *state = view->state;
    int rows = view->rows > 3 ? view->rows - 2 : 1; /* less the frame */

    (void)model;
    view_bound(view->ops->bindings, key, ret_action);
    switch (ret_action->kind) {
    case ACTION_MOVE:
        state->cursor += (int)ret_action->amount;
        state->cursor = (state->cursor + columns_count) % columns_count;
        break;
    case ACTION_PAGE:
        move_to(state, state->cursor + (int)ret_action->amount * rows);
        break;
    case ACTION_FIRST:
        move_to(state, 0);
        break;
    case ACTION_LAST:
        move_to(state, columns_count - 1);
        break;
    case ACTION_SORT:
    case ACTION_HIDE_COLUMN:
        ret_action->amount = state->cursor;
        return;
    default:
        return;
    }
    ret_action->kind = ACTION_REDRAW;
}

static const char *
item_mark(const struct view *view, const struct model *model, int column)
{
    if (view->ops == &sort_menu_view) {
        if (columns_key(column) != model->query.sort)
            return " ";
        return columns_largest_first(column) != model->query.reverse ? "▼" : "▲";
    }
    return model->hidden_columns >> column & 1 ? "·" : "✓";
}

static void
menu_draw(
    const struct view *view, const struct model *model, struct surface *surface, struct rect area)
{
    const struct menu_state *state = view->state;
    int cols = area.w >= MENU_COLS + 12 ? MENU_COLS : area.w;
    struct rect box = rect_centre(area, cols, columns_count + 2), in = rect_inside(box);
    int first = state->cursor >= in.h ? state->cursor - in.h + 1 : 0;

    surface_fill(surface, rect_outside(box), ROLE_DEFAULT, NULL);
    surface_box(surface, box, view->ops->title);
    for (int i = 0; i < in.h && first + i < columns_count; i++) {
        int column = first + i, y = in.y + i;
        int x = surface_put(surface, in.x + 1, y, ROLE_ACCENT, item_mark(view, model, column));
        surface_fit(
            surface, x + 1, y, in.w - 3, FIT_START, ROLE_STRONG, columns_table[column].title);
        surface_fit(surface, x + 13, y, in.w - 15, FIT_START, ROLE_DIM, columns_help(column));
        if (column == state->cursor)
            surface_overlay(surface, (struct rect){in.x, y, in.w, 1}, ROLE_SELECTED);
    }
}

const struct view_ops sort_menu_view = {
    .name = "sort",
    .title = "Sort by",
    .popup = true,
    .bindings = {sort_bindings, sizeof sort_bindings / sizeof *sort_bindings},
    .state_size = sizeof(struct menu_state),
    .init = menu_init,
    .draw = menu_draw,
    .key = menu_key,
};

const struct view_ops column_menu_view = {
    .name = "columns",
    .title = "Columns",
    .popup = true,
    .bindings = {column_bindings, sizeof column_bindings / sizeof *column_bindings},
    .state_size = sizeof(struct menu_state),
    .init = menu_init,
    .draw = menu_draw,
    .key = menu_key,
};
