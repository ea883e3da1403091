/* SPDX-License-Identifier: MIT */
/*
 * Colours degrade: RGB, else the index the theme gives (or the nearest) among 256 or 16, else
 * attributes alone. With 16 colours no quiet background exists, so an overlay is shown in reverse.
 */
#include "client/theme/resolve.h"

#include <stddef.h>

static const uint32_t rgb16[16] = {0x000000, 0xCD0000, 0x00CD00, 0xCDCD00, 0x0000EE, 0xCD00CD,
    0x00CDCD, 0xE5E5E5, 0x7F7F7F, 0xFF0000, 0x00FF00, 0xFFFF00, 0x5C5CFF, 0xFF00FF, 0x00FFFF,
    0xFFFFFF};

static const int cube[6] = {0, 95, 135, 175, 215, 255};

static uint32_t
distance(uint32_t a, uint32_t b)
{
    uint32_t sum = 0;

    for (int shift = 0; shift <= 16; shift += 8) {
        int d = (int)(a >> shift & 0xFF) - (int)(b >> shift & 0xFF);
        sum += (uint32_t)(d * d);
    }
    return sum;
}

uint32_t
theme_rgb_of_256(int index)
{
    if (index < 0)
        return 0;
    if (index < 16)
        return rgb16[index];
    if (index >= 232) {
        uint32_t grey = (uint32_t)(8 + 10 * (index - 232));
        return grey << 16 | grey << 8 | grey;
    }
    int n = index - 16;
    return (uint32_t)cube[n / 36] << 16 | (uint32_t)cube[n / 6 % 6] << 8 | (uint32_t)cube[n % 6];
}

int16_t
theme_nearest_256(uint32_t rgb)
{
    int16_t best = 16;

    /* the first 16 differ from terminal to terminal and are left out */
    for (int16_t i = 16; i < 256; i++)
        if (distance(theme_rgb_of_256(i), rgb) < distance(theme_rgb_of_256(best), rgb))
            best = i;
    return best;
}

int16_t
theme_nearest_16(uint32_t rgb)
{
    int16_t best = 0;

    for (int16_t i = 1; i < 16; i++)
        if (distance(rgb16[i], rgb) < distance(rgb16[best], rgb))
            best = i;
    return best;
}

static const struct theme_style *
style_of(const struct theme *theme, enum role role)
{
    while (!theme->styles[role].set && role != ROLE_DEFAULT)
        role = role_parent(role);
    return &theme->styles[role];
}

static int32_t
number(const struct theme_color *color, enum color_mode mode)
{
    if (!color->set)
        return -1;
    switch (mode) {
    case COLOR_TRUE:
        return (
            int32_t)(color->rgb < 8 ? 8 : color->rgb); /* direct terminals take 0-7 as indexes */
    case COLOR_256:
        return color->index256;
    case COLOR_16:
        return color->index16;
    default:
        return -1;
    }
}

struct theme_look
theme_resolve(const struct theme *theme, enum color_mode mode, enum role role, enum role overlay)
{
    const struct theme_style *style = style_of(theme, role);
    const struct theme_style *base = style_of(theme, ROLE_DEFAULT);
    struct theme_look look = {number(style->fg.set ? &style->fg : &base->fg, mode),
        number(style->bg.set ? &style->bg : &base->bg, mode), style->attrs};

    if (overlay == ROLE_DEFAULT)
        return look;
    const struct theme_style *over = style_of(theme, overlay);
    look.attrs |= over->attrs;
    if (mode == COLOR_MONO || mode == COLOR_16) {
        bool reverse = over->bg.set || (over->attrs & THEME_REVERSE);
        look.attrs &= ~(unsigned)THEME_DIM;
        if (reverse)
            return (struct theme_look){-1, -1, look.attrs | THEME_REVERSE};
    }
    if (over->bg.set)
        look.bg = number(&over->bg, mode);
    if (over->fg.set)
        look.fg = number(&over->fg, mode);
    return look;
}
