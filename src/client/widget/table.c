/* SPDX-License-Identifier: MIT */
/*
 * Layout in three passes: take columns in the order of their priority as long as they fit, bring
 * the taken ones from their least to their ideal width, share the rest among those that grow.
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

/* What a column asks for when it is decided whether it is shown. */
static int
asks(const struct table *table, int column)
{
    const struct table_column *c = &table->columns[column];

    return (c->priority <= 1 ? c->min : c->ideal) + 1;
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

    for (int pass = 0; pass < TABLE_COLUMNS_MAX + 2; pass++) {
        for (int i = 0; i < table->count; i++) {
            if (!is_there(table, i) || rank(table, i) != pass)
                continue;
            if (used + asks(table, i) > width + 1 && (chosen || pass > 0))
                continue;
            used += asks(table, i);
            chosen |= 1u << i;
        }
    }
    return chosen;
}

/* Brings widths up to `to` of each column, fairly by single steps from the left; returns what is
 * left. */
static int
widen(const struct table *table, struct table_layout *layout, int room, bool beyond_ideal)
{
    bool moved = true;

    while (room > 0 && moved) {
        moved = false;
        for (int i = 0; i < layout->count && room > 0; i++) {
            const struct table_column *c = &table->columns[layout->column[i]];
            int limit = beyond_ideal ? c->max : c->ideal;
            int step = beyond_ideal ? c->grow : 1;
            if (step > room)
                step = room;
            if (step > limit - layout->width[i])
                step = limit - layout->width[i];
            if (step <= 0)
                continue;
            layout->width[i] += step;
            room -= step;
            moved = true;
        }
    }
    return room;
}

void
table_layout(const struct table *table, int width, struct table_layout *ret_layout)
{
    struct table_layout layout = {.more_left = table->scroll > 0};
    uint32_t chosen = choose(table, width);
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
    int room = widen(table, &layout, width - used, false);
    widen(table, &layout, room, true);
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
