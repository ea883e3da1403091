/* SPDX-License-Identifier: MIT */
/* Bars are one glyph each; in ASCII the surface draws its own eight. */
#include "client/widget/sparkline.h"

#include <math.h>

#define HEIGHTS 8

int
sparkline_linear(double value, double from, double to)
{
    if (isnan(value))
        return 0;
    double height = to > from ? 1 + floor((value - from) / (to - from) * (HEIGHTS - 1) + 0.5) : 1;
    return height < 1 ? 1 : height > HEIGHTS ? HEIGHTS : (int)height;
}

int
sparkline_lag(double value, double from, double to)
{
    static const double limits[HEIGHTS - 1] = {3e5, 1e6, 3e6, 1e7, 3e7, 1e8, 3e8};
    int height = 1;

    (void)from;
    (void)to;
    if (isnan(value))
        return 0;
    while (height < HEIGHTS && value >= limits[height - 1])
        height++;
    return height;
}

/* The largest sample of a bar, counted back from the newest, 1; false: before the first sample. */
static bool
bar_value(const struct sparkline *line, int back, double *ret_value)
{
    size_t per_bar = line->per_bar > 1 ? (size_t)line->per_bar : 1;
    size_t newest = line->newest > 0 ? (size_t)line->newest : per_bar;
    size_t end = back == 1 ? 0 : newest + (size_t)(back - 2) * per_bar;
    size_t start = newest + (size_t)(back - 1) * per_bar;

    if (end >= line->count)
        return false;
    if (start > line->count)
        start = line->count;
    *ret_value = NAN;
    for (size_t i = line->count - start; i < line->count - end; i++)
        *ret_value = fmax(*ret_value, line->values[i]);
    return true;
}

void
sparkline_scale(struct sparkline *line, int width)
{
    double least = NAN, most = NAN, value;

    for (int back = 1; back <= width && bar_value(line, back, &value); back++) {
        least = fmin(least, value);
        most = fmax(most, value);
    }
    line->height = sparkline_linear;
    line->from = isnan(least) ? 0 : least;
    line->to = isnan(most) ? 1 : fmax(most, least * 1.2);
}

static enum role
bar_role(const struct sparkline *line, double value)
{
    if (line->error > 0 && value >= line->error)
        return ROLE_GRAPH_HIGH;
    if (line->warn > 0 && value >= line->warn)
        return ROLE_GRAPH_MID;
    return line->role != ROLE_DEFAULT ? line->role : ROLE_GRAPH_LOW;
}

void
sparkline_draw(const struct sparkline *line, struct surface *surface, int x, int y, int width)
{
    static const char *const bars[HEIGHTS + 1] = {"·", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

    for (int i = 0; i < width; i++) {
        double value;
        if (!bar_value(line, width - i, &value)) {
            surface_put(surface, x + i, y, ROLE_DIM, "·");
            continue;
        }
        int height = line->height(value, line->from, line->to);
        surface_put(
            surface, x + i, y, height == 0 ? ROLE_DIM : bar_role(line, value), bars[height]);
    }
}
