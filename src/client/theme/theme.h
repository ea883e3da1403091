/* SPDX-License-Identifier: MIT */
/*
 * How the roles of the screen look. A theme is read from a text file (parse.h), found by name
 * (load.h) and turned into the numbers a terminal takes (resolve.h). Plain data, copied freely.
 */
#ifndef LOOPTOP_THEME_THEME_H
#define LOOPTOP_THEME_THEME_H

#include <stdbool.h>
#include <stdint.h>

#include "client/screen/role.h"

/* How many colours to use; AUTO asks the terminal. */
enum color_mode { COLOR_AUTO, COLOR_MONO, COLOR_16, COLOR_256, COLOR_TRUE };

enum theme_attr {
    THEME_BOLD = 1,
    THEME_DIM = 2,
    THEME_UNDERLINE = 4,
    THEME_REVERSE = 8,
    THEME_ITALIC = 16,
};

struct theme_color {
    bool set; /* false: the terminal's own */
    uint32_t rgb;
    int16_t index256, index16; /* in terminals with so many colours */
};

struct theme_style {
    bool set; /* false: as the role's parent */
    struct theme_color fg, bg;
    unsigned attrs; /* enum theme_attr */
};

struct theme {
    struct theme_style styles[ROLES];
};

#endif
