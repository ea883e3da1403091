/* SPDX-License-Identifier: MIT */
/* The last samples of a figure as bars of eight heights in one line. */
#ifndef LOOPTOP_WIDGET_SPARKLINE_H
#define LOOPTOP_WIDGET_SPARKLINE_H

#include <stddef.h>

#include "client/screen/surface.h"

struct sparkline {
    const double *values; /* borrowed, oldest first; NaN: a gap */
    size_t count;
    /* Height 0 to 8 of a value; arg is the scale. 0: a gap is shown. */
    int (*height)(double value, double arg);
    double arg;
    double warn, error; /* from here on in another colour; 0: never */
};

/* Draws the newest samples, the last at the right end of width columns. */
void sparkline_draw(const struct sparkline *line, struct surface *surface, int x, int y, int width);

/* Heights from 0 to the scale arg. */
int sparkline_linear(double value, double arg);

/*
 * Heights by powers of ten of nanoseconds, two heights each: 0.3 ms, 1 ms, 3 ms, ... 300 ms and
 * more, so that a bar means the same on every screen. arg is not used.
 */
int sparkline_lag(double value, double arg);

/* The largest of the last width values, 0 where none is known. */
double sparkline_peak(const double *values, size_t count, int width);

#endif
