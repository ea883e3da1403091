/* SPDX-License-Identifier: MIT */
/*
 * Shows surfaces on a terminal and reads its keys. The only module that knows curses. One at a time
 * in a process; not thread-safe.
 */
#ifndef LOOPTOP_SCREEN_SURFACE_CURSES_H
#define LOOPTOP_SCREEN_SURFACE_CURSES_H

#include <stddef.h>
#include <stdio.h>

#include "client/screen/surface.h"
#include "client/theme/theme.h"

struct surface_curses;

struct surface_curses_options {
    FILE *in, *out;
    const char *term; /* NULL: $TERM */
    enum color_mode color;
    const struct theme *theme; /* borrowed */
    const struct theme *mono;  /* borrowed; used where there is no colour */
};

/*
 * Takes the terminal over. 0, or -errno with why filled in one line: -ENOTTY it cannot move the
 * cursor, -ENODEV its type is not known.
 */
int surface_curses_open(const struct surface_curses_options *options,
    struct surface_curses **ret_screen, char *why, size_t why_size);

/* Gives the terminal back and frees; NULL-safe; returns NULL. */
struct surface_curses *surface_curses_close(struct surface_curses *screen);

/* The colours in use; never COLOR_AUTO. */
enum color_mode surface_curses_color(const struct surface_curses *screen);

/* The size of the terminal now; what is shown adapts at the next surface_curses_show. */
void surface_curses_size(struct surface_curses *screen, int *ret_cols, int *ret_rows);

/* Draws the cells that changed since the last time. 0, -ENOMEM. */
int surface_curses_show(struct surface_curses *screen, const struct surface *surface);

/* Forgets what the terminal shows, so that the next show draws all. */
void surface_curses_redraw(struct surface_curses *screen);

/* Where the cursor blinks; x < 0 hides it. Takes effect at the next show. */
void surface_curses_cursor(struct surface_curses *screen, int x, int y);

/* The next key that was pressed (keys.h), KEYS_NONE: none. Never blocks. */
int surface_curses_key(struct surface_curses *screen);

/* Hands the terminal back for a while (Ctrl-Z), and takes it again. */
void surface_curses_suspend(struct surface_curses *screen);
void surface_curses_resume(struct surface_curses *screen);

/* Writes bytes to the terminal as they are, past curses: OSC sequences that move nothing. */
void surface_curses_raw(struct surface_curses *screen, const char *bytes, size_t n);

#endif
