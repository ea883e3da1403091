/* SPDX-License-Identifier: MIT */
/* The last samples of a figure as bars of eight heights in one line. */
#ifndef LOOPTOP_WIDGET_SPARKLINE_H
#define LOOPTOP_WIDGET_SPARKLINE_H

#include <stddef.h>

#include "client/screen/surface.h"

struct sparkline {
    const double *values; /* borrowed, oldest first; NaN: a gap */
    size_t count;
    int per_bar; /* samples to a bar, of which the largest counts; 0: one */
    int newest;  /* samples in the newest bar; 0: as many as in the others */
    /* Height 1 to 8 of a value on a scale of from to to; 0: a gap is shown. */
    int (*height)(double value, double from, double to);
    double from, to;
    double warn, error; /* from here on in another colour; 0: never */
    enum role role;     /* of bars below that; ROLE_DEFAULT: ROLE_GRAPH_LOW */
};

/* Draws the newest samples, the last at the right end of width columns. */
void sparkline_draw(const struct sparkline *line, struct surface *surface, int x, int y, int width);

int sparkline_linear(double value, double from, double to);

/*
 * Heights by powers of ten of nanoseconds, two heights each: 0.3 ms, 1 ms, 3 ms, ... 300 ms and
 * more, so that a bar means the same on every screen. The scale is not used.
 */
int sparkline_lag(double value, double from, double to);

/*
 * Sets a linear scale that shows how the last width bars moved: from the least of them to the
 * largest, or to a fifth more where they hardly differ.
 */
void sparkline_scale(struct sparkline *line, int width);

#endif
