/* SPDX-License-Identifier: MIT */
/* From a theme's styles to the numbers a terminal takes. Pure. */
#ifndef LOOPTOP_THEME_RESOLVE_H
#define LOOPTOP_THEME_RESOLVE_H

#include "client/theme/theme.h"

struct theme_look {
    int32_t fg, bg; /* -1: the terminal's own; else an index, or 0xRRGGBB with COLOR_TRUE */
    unsigned attrs; /* enum theme_attr */
};

/*
 * How a cell of this role under this overlay (ROLE_DEFAULT: none) looks in a mode, which is not
 * COLOR_AUTO. An overlay gives its background and its attributes; its foreground only where it has
 * one.
 */
struct theme_look theme_resolve(
    const struct theme *theme, enum color_mode mode, enum role role, enum role overlay);

int16_t theme_nearest_256(uint32_t rgb);
int16_t theme_nearest_16(uint32_t rgb);
uint32_t theme_rgb_of_256(int index);

#endif
