/* SPDX-License-Identifier: MIT */
/* The list that makes a view part of the program. */
#include "client/view/registry.h"

#include "client/screen/keys.h"

const struct view_ops *const registry_views[] = {
    &tasks_view,
    &detail_view,
    &cancel_view,
    &sort_menu_view,
    &column_menu_view,
    NULL,
};

static const struct binding common[] = {
    {{'Z'}, ACTION_PAUSE, 0, 6, "pause", "pause: the screen stays as it is"},
    {{'y'}, ACTION_COPY, 0, 0, "", "copy what is selected to the clipboard of the terminal"},
    {{'s'}, ACTION_SAVE, 0, 0, "", "save the screen as text in the working directory"},
    {{KEYS_CTRL('l')}, ACTION_REPAINT, 0, 0, "", "draw the screen anew"},
    {{'?', KEYS_F1, 'h'}, ACTION_HELP, 0, 1, "help", "this help"},
    {{KEYS_ESCAPE}, ACTION_BACK, 0, 0, "", "back: close what is open, clear the filter"},
    {{'q', KEYS_F10}, ACTION_QUIT, 0, 2, "quit", "quit (also Ctrl-C)"},
};

const struct bindings registry_common = {common, sizeof common / sizeof *common};
