/* SPDX-License-Identifier: MIT */
/*
 * Layout in passes: take columns in the order of their priority as long as they fit, the first ones
 * narrow; squeeze in the one that has to stay; bring all from there to their ideal width; share the
 * rest among those that grow.
 */
#include "client/widget/table.h"

#include <stdio.h>
#include <string.h>

static bool
is_there(const struct table *table, int column)
{
    if (table->hidden >> column & 1)
        return false;
    return column < table->pinned || column >= table->pinned + table->scroll;
}

/* Scrolled, columns come one after the other; unscrolled, the important ones first. */
static int
rank(const struct table *table, int column)
{
    if (table->scroll > 0)
        return column < table->pinned ? 0 : 1 + column;
    return table->columns[column].priority;
}

static int
exact_width(const struct table *table, int column)
{
    const struct table_column *c = &table->columns[column];
    int cols = table->exact_cols;

    if (cols == 0 || column != table->exact)
        return 0;
    return cols < c->min ? c->min : cols > c->max ? c->max : cols;
}

static int
least(const struct table *table, int column)
{
    int exact = exact_width(table, column);

    return exact > 0 ? exact : table->columns[column].min;
}

static int
ideal(const struct table *table, int column)
{
    int exact = exact_width(table, column);

    return exact > 0 ? exact : table->columns[column].ideal;
}

static int
narrow(const struct table *table, int column)
{
    int exact = exact_width(table, column);

    return exact > 0 ? exact : table->columns[column].narrow;
}

/* What the chosen columns take, each as wide as that function says. */
static int
total_width(const struct table *table, uint32_t chosen, int (*width)(const struct table *, int))
{
    int used = TABLE_GUTTER - 1;

    for (int i = 0; i < table->count; i++)
        if (chosen >> i & 1)
            used += width(table, i) + 1;
    return used;
}

/* Whether one more column has room: of scrolled ones the last, of the important ones all narrow. */
static bool
has_room(const struct table *table, uint32_t chosen, int column, int width)
{
    uint32_t all = chosen | 1u << column;

    if (table->scroll > 0)
        return total_width(table, chosen, ideal) + 1 + narrow(table, column) <= width;
    return total_width(table, all, rank(table, column) <= table->narrowed ? narrow : ideal) <=
           width;
}

static uint32_t
choose(const struct table *table, int width)
{
    uint32_t chosen = 0;
    bool full = false;

    for (int pass = 0; pass < TABLE_COLUMNS_MAX + 2; pass++) {
        for (int i = 0; i < table->count; i++) {
            if (!is_there(table, i) || rank(table, i) != pass)
                continue;
            full = full || (pass > 0 && !has_room(table, chosen, i, width));
            if (!full) /* the room goes to the columns before, not to a small one after */
                chosen |= 1u << i;
        }
    }
    return chosen;
}

/* The chosen column to go first, -1: none can. */
static int
least_important(const struct table *table, uint32_t chosen)
{
    int found = -1;

    for (int i = 0; i < table->count; i++)
        if (chosen >> i & 1 && rank(table, i) > 0 &&
            (found < 0 || rank(table, i) >= rank(table, found)))
            found = i;
    return found;
}

/* Squeezes a column in: others shrink, and the least important ones go where that is not enough. */
static uint32_t
keep(const struct table *table, uint32_t chosen, int column, int width)
{
    uint32_t kept = 1u << column;
    int last;

    if ((table->hidden | chosen) >> column & 1)
        return chosen;
    while (total_width(table, chosen | kept, narrow) > width &&
           (last = least_important(table, chosen)) >= 0)
        chosen &= ~(1u << last);
    return total_width(table, chosen | kept, least) > width ? chosen : chosen | kept;
}

/* Figures and words that are not whole become so, the important ones first. */
static int
make_whole(const struct table *table, struct table_layout *layout, int room)
{
    for (int priority = 0; priority < TABLE_COLUMNS_MAX; priority++) {
        for (int i = 0; i < layout->count; i++) {
            const struct table_column *c = &table->columns[layout->column[i]];
            int step = ideal(table, layout->column[i]) - layout->width[i];
            if (c->priority != priority || c->grow > 0 || step <= 0 || step > room)
                continue;
            layout->width[i] += step;
            room -= step;
        }
    }
    return room;
}

/* Gives each text that is below its ideal width one column, the important ones first. */
static int
widen_once(const struct table *table, struct table_layout *layout, int room)
{
    for (int priority = 0; priority < TABLE_COLUMNS_MAX; priority++) {
        for (int i = 0; i < layout->count && room > 0; i++) {
            const struct table_column *c = &table->columns[layout->column[i]];
            if (c->priority != priority || c->grow == 0 || layout->width[i] >= c->ideal)
                continue;
            layout->width[i]++;
            room--;
        }
    }
    return room;
}

/* Brings texts from their least to their ideal width, by turns. */
static int
widen(const struct table *table, struct table_layout *layout, int room)
{
    int before;

    do {
        before = room;
        room = widen_once(table, layout, room);
    } while (room < before);
    return room;
}

/* Whose contents are known to need no more is not given more. */
static int
most_width(const struct table *table, int column)
{
    const struct table_column *c = &table->columns[column];
    int most = table->first_cols > c->ideal ? table->first_cols : c->ideal;

    return table->first_cols > 0 && column == table->first && most < c->max ? most : c->max;
}

static int
grow_first(const struct table *table, struct table_layout *layout, int room)
{
    for (int i = 0; i < layout->count && table->first_cols > 0 && room > 0; i++) {
        int step = most_width(table, layout->column[i]) - layout->width[i];
        if (layout->column[i] != table->first || step <= 0)
            continue;
        step = step < room ? step : room;
        layout->width[i] += step;
        room -= step;
    }
    return room;
}

/* Shares what is left among the columns that grow; the places, on the right, come first. */
static void
grow(const struct table *table, struct table_layout *layout, int room)
{
    bool moved = true;

    room = grow_first(table, layout, room);

    while (room > 0 && moved) {
        moved = false;
        for (int i = layout->count - 1; i >= 0 && room > 0; i--) {
            const struct table_column *c = &table->columns[layout->column[i]];
            int step = c->grow < room ? c->grow : room;
            int most = most_width(table, layout->column[i]);
            if (step > most - layout->width[i])
                step = most - layout->width[i];
            if (step <= 0)
                continue;
            layout->width[i] += step;
            room -= step;
            moved = true;
        }
    }
}

void
table_layout(const struct table *table, int width, struct table_layout *ret_layout)
{
    width--; /* the last one is for the arrow that tells of more columns */
    struct table_layout layout = {.more_left = table->scroll > 0};
    uint32_t chosen = keep(table, choose(table, width), table->keep, width);
    int (*start)(const struct table *, int) =
        total_width(table, chosen, narrow) <= width ? narrow : least;

    for (int i = 0; i < table->count; i++) {
        if (chosen >> i & 1) {
            layout.column[layout.count] = i;
            layout.width[layout.count++] = start(table, i);
        } else if (is_there(table, i)) {
            layout.more_right = true;
        }
    }
    int room = make_whole(table, &layout, width - total_width(table, chosen, start));
    grow(table, &layout, widen(table, &layout, room));
    int x = TABLE_GUTTER;
    for (int i = 0; i < layout.count; i++) {
        layout.x[i] = x;
        x += layout.width[i] + 1;
    }
    *ret_layout = layout;
}

void
table_scroll(struct table *table, int step, int width)
{
    struct table_layout layout;

    table_layout(table, width, &layout);
    if (step > 0 && layout.more_right && table->scroll < table->count - table->pinned - 1)
        table->scroll++;
    if (step < 0 && table->scroll > 0)
        table->scroll--;
}

void
table_draw_head(const struct table *table, const struct table_layout *layout,
    struct surface *surface, int x, int y, int width, int sorted, bool down)
{
    char title[64];

    surface_fill(surface, (struct rect){x, y, width, 1}, ROLE_TABLE_HEAD, NULL);
    for (int i = 0; i < layout->count; i++) {
        const struct table_column *c = &table->columns[layout->column[i]];
        bool sort = layout->column[i] == sorted;
        snprintf(title, sizeof title, "%s%s", c->title, !sort ? "" : down ? "▼" : "▲");
        surface_fit(surface, x + layout->x[i], y, layout->width[i],
            c->fit == FIT_RIGHT ? FIT_RIGHT : FIT_START, sort ? ROLE_TABLE_SORT : ROLE_TABLE_HEAD,
            title);
    }
    if (layout->more_left)
        surface_put(surface, x, y, ROLE_TABLE_SORT, "←");
    if (layout->more_right)
        surface_put(surface, x + width - 1, y, ROLE_TABLE_SORT, "→");
}
