/* SPDX-License-Identifier: MIT */
/* Two passes: which items fit, by priority; then drawing them from the left and from the right. */
#include "client/widget/strip.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FLEXIBLE_MIN 16

struct strip_item *
strip_add(struct strip *strip, uint8_t priority, const char *label, enum role role,
    const char *format, ...)
{
    struct strip_item *item =
        &strip->items[strip->count < STRIP_MAX ? strip->count : STRIP_MAX - 1];
    va_list args;

    if (strip->count < STRIP_MAX)
        strip->count++;
    *item = (struct strip_item){.label = label, .role = role, .priority = priority};
    va_start(args, format);
    vsnprintf(item->text, sizeof item->text, format, args);
    va_end(args);
    return item;
}

static int
gap_of(const struct strip *strip)
{
    return strip->gap > 0 ? strip->gap : 2;
}

static int
item_columns(const struct strip_item *item, const struct surface *surface)
{
    int columns = item->line ? item->width : surface_columns(surface, item->text);
    int label = item->label[0] ? surface_columns(surface, item->label) + 1 : 0;

    if (columns < item->width)
        columns = item->width;
    return label + columns;
}

/* Marks what fits; returns the columns that are left. */
static int
choose(const struct strip *strip, const struct surface *surface, int width, int *columns)
{
    int room = width + gap_of(strip);

    for (int priority = 0; priority <= UINT8_MAX; priority++) {
        for (int i = 0; i < strip->count; i++) {
            const struct strip_item *item = &strip->items[i];
            if (item->priority != priority)
                continue;
            int wanted = item_columns(item, surface);
            if (item->flexible && wanted + gap_of(strip) > room && room > FLEXIBLE_MIN)
                wanted = room - gap_of(strip);
            if (wanted + gap_of(strip) > room)
                continue;
            columns[i] = wanted;
            room -= wanted + gap_of(strip);
        }
    }
    return room;
}

static void
draw_item(const struct strip_item *item, struct surface *surface, int x, int y, int columns)
{
    int end = x + columns;

    if (item->label[0])
        x = surface_put(surface, x, y, ROLE_HEADER_LABEL, item->label) + 1;
    if (item->line)
        sparkline_draw(item->line, surface, x, y, end - x);
    else
        surface_fit(surface, x, y, end - x, FIT_START, item->role, item->text);
}

void
strip_draw(const struct strip *strip, struct surface *surface, int x, int y, int width)
{
    int columns[STRIP_MAX] = {0};
    int room = choose(strip, surface, width, columns);

    for (int i = 0; i < strip->count; i++) {
        if (strip->items[i].right && room > 0) {
            x += room;
            room = 0;
        }
        if (columns[i] == 0)
            continue;
        draw_item(&strip->items[i], surface, x, y, columns[i]);
        x += columns[i] + gap_of(strip);
    }
}
