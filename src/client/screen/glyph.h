/* SPDX-License-Identifier: MIT */
/*
 * Text as a terminal may safely show it. Names come from the target and are hostile: a control
 * character, a direction override or a broken byte becomes a visible replacement, never an escape
 * sequence. One glyph is a base character with at most two combining marks. Pure.
 */
#ifndef LOOPTOP_SCREEN_GLYPH_H
#define LOOPTOP_SCREEN_GLYPH_H

#include <stdbool.h>
#include <stddef.h>

#define GLYPH_BYTES 13 /* three characters of four bytes, terminated */

struct glyph {
    char text[GLYPH_BYTES]; /* terminated; never empty */
    int width;              /* 1 or 2 */
};

/*
 * Reads the next glyph of n > 0 bytes. Returns the bytes taken. With ascii, everything is one byte
 * wide: the program's own signs have ASCII forms, any other character becomes '?'. Width 0 with an
 * empty text: nothing to show (an invisible joiner).
 */
size_t glyph_next(const char *text, size_t n, bool ascii, struct glyph *ret_glyph);

/* Columns that text takes when shown; at least min(limit, columns) is exact. */
int glyph_columns(const char *text, bool ascii, int limit);

#endif
