/* SPDX-License-Identifier: MIT */
/*
 * The help: made of the tables of keys of all views, so that it says what keys do, and of what the
 * signs on the screen mean.
 */
#include <stdio.h>
#include <string.h>

#include "client/screen/keys.h"
#include "client/view/processes.h"
#include "client/view/registry.h"
#include "client/view/words.h"
#include "looptop/version.h"

#define KEYS_COLS 26    /* at most; less on narrow screens */
#define LINES_MAX 10000 /* more than there are */
#define TWO_COLUMNS 160 /* from this width on */
#define GAP_COLS 3      /* between them */

struct help_state {
    int scroll;
};

static const struct binding bindings[] = {
    {{KEYS_UP, 'k'}, ACTION_SCROLL, -1, 2, "scroll", "scroll"},
    {{KEYS_DOWN, 'j'}, ACTION_SCROLL, 1, 0, "", NULL},
    {{KEYS_PAGE_UP}, ACTION_PAGE, -1, 0, "", "scroll by screens"},
    {{KEYS_PAGE_DOWN, KEYS_SPACE}, ACTION_PAGE, 1, 0, "", NULL},
    {{KEYS_HOME, 'g'}, ACTION_FIRST, 0, 0, "", "first line, last line"},
    {{KEYS_END, 'G'}, ACTION_LAST, 0, 0, "", NULL},
    {{KEYS_ESCAPE, 'q', '?'}, ACTION_BACK, 0, 1, "back", "back"},
};

static const char *const signs[][2] = {
    {"~", "of an earlier step: the task has run since"},
    {"≥", "at least: the task is older than the agent"},
    {"—", "not known, or does not apply"},
    {"▌ •", "selected; tagged"},
    {"lag", "beside the bars the largest of the last second; p50, p99, max: of the last minute"},
    {"mem", "beside the bars resident memory, and what it grows by"},
    {"▁▃▇", "a bar is the largest of four seconds, the newest on the right"},
    {"2 loops",
        "lag, busy and blocked are of the loop with the largest; `looptop loops` lists all"},
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

/* Of the list of processes. */
static const char *const list_signs[][2] = {
    {"—", "not known: most figures come from an agent, which is not in this process"},
    {"silent", "there is an agent, which has not answered for 0.3 s"},
    {"refused", "the agent does not talk to this looptop"},
    {"≥", "at least: only steps of tasks were counted"},
    {"LAG BUSY%", "of the loop with the largest lag, in the last second"},
    {"CPU%", "of one core, since the figures before"},
    {"worker of", "multiprocessing started it, for the process with that number"},
};

/* One column of the help. */
struct page {
    struct surface *surface; /* NULL: lines are only counted */
    bool list;               /* of the list of processes, not of a process */
    struct rect area;
    int scroll, lines;
};

/* Draws n bytes of a text into the line that is being made, where that is seen. */
static void
put_text(struct page *page, int x, enum role role, const char *text, int n)
{
    int y = page->area.y + page->lines - page->scroll;

    if (page->surface && y >= page->area.y && y < page->area.y + page->area.h)
        surface_printf(page->surface, page->area.x + x, y, role, "%.*s", n, text);
}

/* How many bytes of the text go into a line: whole words, where one fits. */
static int
line_bytes(const char *text, int columns)
{
    int all = (int)strlen(text), n = 0;

    while (n < all) {
        struct glyph glyph;
        int step = (int)glyph_next(text + n, (size_t)(all - n), false, &glyph);
        if (glyph.width > columns)
            break;
        columns -= glyph.width;
        n += step;
    }
    for (int space = n; n < all && space > 0; space--)
        if (text[space] == ' ')
            return space;
    return n > 0 ? n : all;
}

/* The same of keys, which are told apart at a comma. */
static int
keys_bytes(const char *keys, int columns)
{
    int n = line_bytes(keys, columns);

    for (int i = n; keys[n] && i > 0; i--)
        if (keys[i - 1] == ',')
            return i;
    return n;
}

static void
help_title(struct page *page, const char *title)
{
    put_text(page, 0, ROLE_BOX_TITLE, title, (int)strlen(title));
    page->lines++;
}

/* Keys and what they do, each in a column of its own and in as many lines as it takes. */
static void
help_line(struct page *page, enum role role, const char *keys, const char *words)
{
    int indent = page->area.w * 3 / 8;

    if (indent > KEYS_COLS)
        indent = KEYS_COLS;
    while (*keys || *words) {
        int k = keys_bytes(keys, indent - 1), n = line_bytes(words, page->area.w - indent);
        put_text(page, 0, role, keys, k);
        put_text(page, indent, ROLE_DEFAULT, words, n);
        page->lines++;
        keys += k;
        keys += *keys == ' ';
        words += n;
        words += *words == ' ';
    }
}

static void
help_bindings(struct page *page, const char *title, struct bindings table)
{
    char keys[96];

    help_title(page, title);
    for (size_t i = 0; i < table.count; i++) {
        if (!table.rows[i].help)
            continue;
        binding_keys(table, i, keys, sizeof keys);
        help_line(page, ROLE_STRONG, keys, table.rows[i].help);
    }
    help_title(page, "");
}

static void
help_states(struct page *page)
{
    help_title(page, "States and signs");
    for (int i = 0; i < LOOPTOP_STATES; i++)
        help_line(page, words_state_role((enum looptop_state)i), words_state((enum looptop_state)i),
            state_words[i]);
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        help_line(page, ROLE_STRONG, signs[i][0], signs[i][1]);
    help_title(page, "");
}

static void
help_filter(struct page *page)
{
    help_title(page, "Filter and find");
    for (size_t i = 0; i < sizeof filter_lines / sizeof *filter_lines; i++)
        help_line(page, ROLE_STRONG, filter_lines[i][0], filter_lines[i][1]);
}

static void
help_list_signs(struct page *page)
{
    help_title(page, "Signs");
    for (size_t i = 0; i < sizeof list_signs / sizeof *list_signs; i++)
        help_line(page, ROLE_STRONG, list_signs[i][0], list_signs[i][1]);
}

static const struct view_ops *const *
views_of(bool list)
{
    return list ? processes_views : registry_views;
}

static int
views_count(bool list)
{
    int views = 0;

    while (views_of(list)[views])
        views++;
    return views;
}

static int
sections(bool list)
{
    return 1 + views_count(list) + (list ? 1 : 2);
}

static void
help_section(struct page *page, int section)
{
    const struct view_ops *const *views = views_of(page->list);
    int count = views_count(page->list);

    if (section == 0)
        help_bindings(page, "Everywhere", registry_common);
    else if (section <= count)
        help_bindings(page, views[section - 1]->title, views[section - 1]->bindings);
    else if (page->list)
        help_list_signs(page);
    else if (section == count + 1)
        help_states(page);
    else
        help_filter(page);
}

static int
section_lines(bool list, struct rect area, int from, int to)
{
    struct page page = {.list = list, .area = area};

    for (int i = from; i < to; i++)
        help_section(&page, i);
    return page.lines;
}

/*
 * Draws from the scrolled line on; sections stand in one column or whole in one of two. Returns the
 * lines of the longer column. surface NULL: they are only counted.
 */
static int
help_lines(bool list, struct surface *surface, struct rect in, int scroll)
{
    int all = sections(list), first = all, most;
    struct rect left = in, right = in;

    if (in.w < TWO_COLUMNS - 4) {
        most = section_lines(list, in, 0, all);
    } else {
        left.w = right.w = (in.w - GAP_COLS) / 2;
        right.x = in.x + in.w - right.w;
        most = section_lines(list, left, 0, all);
        for (int i = 1; i < all; i++) {
            int l = section_lines(list, left, 0, i), r = section_lines(list, left, i, all);
            if ((l > r ? l : r) >= most)
                continue;
            most = l > r ? l : r;
            first = i;
        }
    }
    struct page pages[] = {{surface, list, left, scroll, 0}, {surface, list, right, scroll, 0}};
    for (int i = 0; i < all && surface; i++)
        help_section(&pages[i >= first], i);
    return most;
}

static struct rect
help_inside(struct rect area)
{
    struct rect in = rect_inside(area);

    in.x++;
    in.w = in.w > 2 ? in.w - 2 : 0;
    return in;
}

static void
help_draw(
    const struct view *view, const struct model *model, struct surface *surface, struct rect area)
{
    const struct help_state *state = view->state;
    struct rect in = help_inside(area);

    surface_fill(surface, area, ROLE_DEFAULT, NULL);
    surface_box(surface, area, "looptop " LOOPTOP_VERSION);
    struct rect former = surface_clip(surface, in);
    int more = help_lines(model->pid == 0, surface, in, state->scroll) - state->scroll - in.h;
    surface_unclip(surface, former);
    if (more > 0 && area.w > 12)
        surface_printf(
            surface, area.x + area.w - 12, area.y + area.h - 1, ROLE_BOX, " %d more ", more);
}

static void
help_key(struct view *view, const struct model *model, int key, struct action *ret_action)
{
    struct help_state *state = view->state;
    struct rect area = {0, 0, view->cols, view->rows};
    int rows = view->rows > 3 ? view->rows - 2 : 1;

    view_bound(view->ops->bindings, key, ret_action);
    if (ret_action->kind == ACTION_SCROLL)
        state->scroll += (int)ret_action->amount;
    else if (ret_action->kind == ACTION_PAGE)
        state->scroll += (int)ret_action->amount * rows;
    else if (ret_action->kind == ACTION_FIRST)
        state->scroll = 0;
    else if (ret_action->kind == ACTION_LAST)
        state->scroll = LINES_MAX;
    else
        return;
    int most = help_lines(model->pid == 0, NULL, help_inside(area), 0) - rows;
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
