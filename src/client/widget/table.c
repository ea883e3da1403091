/* SPDX-License-Identifier: MIT */
/*
 * Layout in passes: take columns in the order of their priority as long as they fit, squeeze in the
 * one that has to stay, bring all from their least to their ideal width, share the rest among those
 * that grow.
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

static uint32_t
choose(const struct table *table, int width)
{
    uint32_t chosen = 0;
    int used = TABLE_GUTTER;
    bool full = false;

    for (int pass = 0; pass < TABLE_COLUMNS_MAX + 2; pass++) {
        for (int i = 0; i < table->count; i++) {
            if (!is_there(table, i) || rank(table, i) != pass)
                continue;
            int ideal = table->columns[i].ideal + 1;
            full = full || (used + ideal > width + 1 && rank(table, i) > 0);
            if (full)
                continue; /* the room goes to the columns before, not to a small one after */
            used += ideal;
            chosen |= 1u << i;
        }
    }
    return chosen;
}

static int
least_width(const struct table *table, uint32_t chosen)
{
    int used = TABLE_GUTTER - 1;

    for (int i = 0; i < table->count; i++)
        if (chosen >> i & 1)
            used += table->columns[i].min + 1;
    return used;
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
    while (
        least_width(table, chosen | kept) > width && (last = least_important(table, chosen)) >= 0)
        chosen &= ~(1u << last);
    return least_width(table, chosen | kept) > width ? chosen : chosen | kept;
}

/* Brings columns from their least to their ideal width, the important ones first. */
static int
widen(const struct table *table, struct table_layout *layout, int room)
{
    for (int priority = 0; priority < TABLE_COLUMNS_MAX && room > 0; priority++) {
        for (int i = 0; i < layout->count; i++) {
            const struct table_column *c = &table->columns[layout->column[i]];
            int step = c->ideal - layout->width[i];
            if (c->priority != priority || step <= 0 || room <= 0)
                continue;
            if (step > room)
                step = c->grow > 0 ? room : 0; /* figures are whole or not */
            layout->width[i] += step;
            room -= step;
        }
    }
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
    int used = TABLE_GUTTER - 1;

    for (int i = 0; i < table->count; i++) {
        if (chosen >> i & 1) {
            layout.column[layout.count] = i;
            layout.width[layout.count++] = table->columns[i].min;
            used += table->columns[i].min + 1;
        } else if (is_there(table, i)) {
            layout.more_right = true;
        }
    }
    grow(table, &layout, widen(table, &layout, width - used));
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
