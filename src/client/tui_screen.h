/* SPDX-License-Identifier: MIT */
/*
 * The terminal of a full-screen program: its theme, what is drawn, its size and the signals that
 * concern it. One at a time in a process; one thread.
 */
#ifndef LOOPTOP_CLIENT_TUI_SCREEN_H
#define LOOPTOP_CLIENT_TUI_SCREEN_H

#include <stdbool.h>

#include "client/screen/surface.h"
#include "client/screen/surface_curses.h"
#include "client/theme/load.h"
#include "client/tui.h"

struct model;

struct tui_screen {
    struct theme theme, mono;
    struct surface_curses *terminal; /* owned */
    struct surface surface;          /* what is drawn, before it is shown */
    int signals;                     /* to be polled */
};

/* Takes the terminal over; what is wrong with the theme becomes a note of the model. 0, -errno and
 * it has been said. tui_screen_close in either case. */
int tui_screen_open(
    struct tui_screen *screen, const struct tui_options *options, struct model *model);
void tui_screen_close(struct tui_screen *screen);

/* Adapts the surface to the terminal. True: its size has changed. */
bool tui_screen_follow(struct tui_screen *screen);

/* Shows what is drawn, with the text cursor at x, y; x < 0: without. */
void tui_screen_show(struct tui_screen *screen, int x, int y);

/* Does what the signals ask that have come; false: to end. */
bool tui_screen_signals(struct tui_screen *screen);

#endif
