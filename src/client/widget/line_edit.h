/* SPDX-License-Identifier: MIT */
/* One line of text being typed: the usual keys, a bound, and what was entered before. */
#ifndef LOOPTOP_WIDGET_LINE_EDIT_H
#define LOOPTOP_WIDGET_LINE_EDIT_H

#include <stdbool.h>
#include <stddef.h>

#include "client/screen/surface.h"
#include "looptop/limits.h"

#define LINE_EDIT_HISTORY 32

struct line_history {
    char lines[LINE_EDIT_HISTORY][LOOPTOP_FILTER_MAX]; /* newest first */
    size_t count;
};

struct line_edit {
    char text[LOOPTOP_FILTER_MAX];  /* valid UTF-8, terminated */
    size_t len, cursor;             /* bytes; the cursor stands between characters */
    size_t max;                     /* bytes at most, terminator included */
    struct line_history *history;   /* borrowed; NULL: none */
    size_t back;                    /* steps back in history, 0: the line being typed */
    char typed[LOOPTOP_FILTER_MAX]; /* that line, while stepping back */
};

void line_edit_init(
    struct line_edit *edit, const char *text, size_t max, struct line_history *history);

/* Takes a key; returns whether it was one for a line being typed (Enter and Esc are not). */
bool line_edit_key(struct line_edit *edit, int key);

/* Adds the line to its history, if it is not the newest there already. */
void line_edit_remember(struct line_edit *edit);

/* Draws within width columns so that the cursor is seen; returns the column of the cursor. */
int line_edit_draw(
    const struct line_edit *edit, struct surface *surface, int x, int y, int width, enum role role);

#endif
