/* SPDX-License-Identifier: MIT */
/* Bars are one glyph each; in ASCII the surface draws its own eight. */
#include "client/widget/sparkline.h"

#include <math.h>

#define HEIGHTS 8

int
sparkline_linear(double value, double arg)
{
    if (isnan(value) || arg <= 0)
        return isnan(value) ? 0 : 1;
    double height = ceil(value / arg * HEIGHTS);
    return height < 1 ? 1 : height > HEIGHTS ? HEIGHTS : (int)height;
}

int
sparkline_lag(double value, double arg)
{
    static const double limits[HEIGHTS - 1] = {3e5, 1e6, 3e6, 1e7, 3e7, 1e8, 3e8};
    int height = 1;

    (void)arg;
    if (isnan(value))
        return 0;
    while (height < HEIGHTS && value >= limits[height - 1])
        height++;
    return height;
}

double
sparkline_peak(const double *values, size_t count, int width)
{
    size_t n = width > 0 && (size_t)width < count ? (size_t)width : count;
    double peak = 0;

    for (size_t i = count - n; i < count; i++)
        peak = fmax(peak, values[i]);
    return peak;
}

static enum role
bar_role(const struct sparkline *line, double value)
{
    if (line->error > 0 && value >= line->error)
        return ROLE_GRAPH_HIGH;
    return line->warn > 0 && value >= line->warn ? ROLE_GRAPH_MID : ROLE_GRAPH_LOW;
}

void
sparkline_draw(const struct sparkline *line, struct surface *surface, int x, int y, int width)
{
    static const char *const bars[HEIGHTS + 1] = {"·", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

    for (int i = 0; i < width; i++) {
        size_t back = (size_t)(width - i);
        if (back > line->count) {
            surface_put(surface, x + i, y, ROLE_DIM, "·");
            continue;
        }
        double value = line->values[line->count - back];
        int height = line->height(value, line->arg);
        surface_put(
            surface, x + i, y, height == 0 ? ROLE_DIM : bar_role(line, value), bars[height]);
    }
}
