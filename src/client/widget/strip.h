/* SPDX-License-Identifier: MIT */
/*
 * Figures in one line, each a label and a value. Where the line is too short the least important
 * ones are left out; what stays keeps its order.
 */
#ifndef LOOPTOP_WIDGET_STRIP_H
#define LOOPTOP_WIDGET_STRIP_H

#include <stdbool.h>

#include "client/screen/surface.h"
#include "client/widget/sparkline.h"

#define STRIP_MAX 16

struct strip_item {
    char text[160];
    const char *label; /* borrowed; "" none */
    enum role role;
    uint8_t priority;             /* 0: the last to go */
    int16_t width;                /* at least; so that what follows does not move */
    bool right;                   /* this and all after it stand at the right end */
    bool flexible;                /* cut to the room there is, rather than left out */
    const struct sparkline *line; /* borrowed; drawn in the width instead of text */
};

struct strip {
    struct strip_item items[STRIP_MAX];
    int count;
    int gap; /* blank columns between items; 0: two */
};

/* Adds a value; returns the item, whose other fields may be set. */
struct strip_item *strip_add(struct strip *strip, uint8_t priority, const char *label,
    enum role role, const char *format, ...) __attribute__((format(printf, 5, 6)));

void strip_draw(const struct strip *strip, struct surface *surface, int x, int y, int width);

#endif
