/* SPDX-License-Identifier: MIT */
/*
 * The help: made of the tables of keys of all views, so that it says what keys do, and of what the
 * signs on the screen mean.
 */
#include <stdio.h>
#include <string.h>

#include "client/screen/keys.h"
#include "client/view/registry.h"
#include "client/view/words.h"
#include "looptop/version.h"

#define KEYS_COLS 26
#define TWO_COLUMNS 160 /* from this width on */

struct help_state {
    int scroll;
};

static const struct binding bindings[] = {
    {{KEYS_UP, 'k'}, ACTION_SCROLL, -1, 2, "scroll", "scroll"},
    {{KEYS_DOWN, 'j'}, ACTION_SCROLL, 1, 0, "", NULL},
    {{KEYS_PAGE_UP}, ACTION_PAGE, -1, 0, "", "scroll by screens"},
    {{KEYS_PAGE_DOWN, KEYS_SPACE}, ACTION_PAGE, 1, 0, "", NULL},
    {{KEYS_HOME, 'g'}, ACTION_FIRST, 0, 0, "", "first line"},
    {{KEYS_ESCAPE, 'q', '?'}, ACTION_BACK, 0, 1, "back", "back"},
};

static const char *const signs[][2] = {
    {"~", "of an earlier step: the task has run since"},
    {"≥", "at least: the task is older than the agent"},
    {"—", "not known, or does not apply"},
    {"▌ •", "selected; tagged"},
    {"lag 1s", "the largest lag of the last second; p50, p99 and max are of the last minute"},
};

static const char *const state_words[LOOPTOP_STATES] = {"no step yet", "queued to run",
    "in a step now", "suspended", "cancellation requested, not done yet", "returned",
    "ended by an exception", "ended by its cancellation"};

static const char *const filter_lines[][2] = {
    {"name:web*", "fields: id name state coro wait at created parent loop exc"},
    {"age>30s", "figures: age idle busy pct steps max; also < <= >= = !="},
    {"coro~handler", "~ contains, = equals, ! before a term: not"},
    {"a b | c", "blanks: and; |: or"},
    {"word", "looks in name, coroutine, waiting on and at"},
};

struct page {
    struct surface *surface; /* NULL: lines are only counted */
    struct rect area;
    int columns; /* of lines, side by side */
    int scroll, lines;
};

static void
help_line(struct page *page, enum role role, const char *keys, const char *words)
{
    int line = page->lines++ - page->scroll;

    if (!page->surface || line < 0 || line >= page->area.h * page->columns)
        return;
    int cols = page->area.w / page->columns;
    int x = page->area.x + line / page->area.h * cols, y = page->area.y + line % page->area.h;
    int end = x + cols;
    int columns = surface_columns(page->surface, keys);
    surface_put(page->surface, x, y, role, keys);
    int keys_cols = cols < 3 * KEYS_COLS ? cols / 3 : KEYS_COLS;
    x += columns < keys_cols ? keys_cols : columns + 1;
    surface_fit(page->surface, x, y, end - x, FIT_START, ROLE_DEFAULT, words);
}

static void
help_bindings(struct page *page, const char *title, struct bindings table)
{
    char keys[96];

    help_line(page, ROLE_BOX_TITLE, title, "");
    for (size_t i = 0; i < table.count; i++) {
        if (!table.rows[i].help)
            continue;
        binding_keys(table, i, keys, sizeof keys);
        help_line(page, ROLE_STRONG, keys, table.rows[i].help);
    }
    help_line(page, ROLE_DEFAULT, "", "");
}

static void
help_signs(struct page *page)
{
    help_line(page, ROLE_BOX_TITLE, "States and signs", "");
    for (int i = 0; i < LOOPTOP_STATES; i++)
        help_line(page, words_state_role((enum looptop_state)i), words_state((enum looptop_state)i),
            state_words[i]);
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        help_line(page, ROLE_STRONG, signs[i][0], signs[i][1]);
    help_line(page, ROLE_DEFAULT, "", "");
    help_line(page, ROLE_BOX_TITLE, "Filter and find", "");
    for (size_t i = 0; i < sizeof filter_lines / sizeof *filter_lines; i++)
        help_line(page, ROLE_STRONG, filter_lines[i][0], filter_lines[i][1]);
}

static int
help_lines(struct page *page)
{
    help_bindings(page, "Everywhere", registry_common);
    for (int i = 0; registry_views[i]; i++)
        help_bindings(page, registry_views[i]->title, registry_views[i]->bindings);
    help_signs(page);
    return page->lines;
}

static int
columns_of(int width)
{
    return width >= TWO_COLUMNS ? 2 : 1;
}

static void
help_draw(
    const struct view *view, const struct model *model, struct surface *surface, struct rect area)
{
    const struct help_state *state = view->state;
    struct rect in = rect_inside(area);

    (void)model;
    surface_fill(surface, area, ROLE_DEFAULT, NULL);
    surface_box(surface, area, "looptop " LOOPTOP_VERSION);
    in.x++;
    in.w -= 2;
    struct rect former = surface_clip(surface, in);
    struct page page = {surface, in, columns_of(area.w), state->scroll, 0};
    int lines = help_lines(&page);
    surface_unclip(surface, former);
    int more = lines - state->scroll - in.h * page.columns;
    if (more > 0 && area.w > 12)
        surface_printf(
            surface, area.x + area.w - 12, area.y + area.h - 1, ROLE_BOX, " %d more ", more);
}

static void
help_key(struct view *view, const struct model *model, int key, struct action *ret_action)
{
    struct help_state *state = view->state;
    struct page page = {0};
    int rows = view->rows > 3 ? view->rows - 2 : 1;

    (void)model;
    view_bound(view->ops->bindings, key, ret_action);
    if (ret_action->kind == ACTION_SCROLL)
        state->scroll += (int)ret_action->amount;
    else if (ret_action->kind == ACTION_PAGE)
        state->scroll += (int)ret_action->amount * rows;
    else if (ret_action->kind == ACTION_FIRST)
        state->scroll = 0;
    else
        return;
    int most = help_lines(&page) - rows * columns_of(view->cols);
    if (state->scroll > most)
        state->scroll = most;
    if (state->scroll < 0)
        state->scroll = 0;
    ret_action->kind = ACTION_REDRAW;
}

const struct view_ops help_view = {
    .name = "help",
    .title = "Help",
    .popup = true,
    .bindings = {bindings, sizeof bindings / sizeof *bindings},
    .state_size = sizeof(struct help_state),
    .draw = help_draw,
    .key = help_key,
};
