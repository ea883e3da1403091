/* SPDX-License-Identifier: MIT */
/* The screen that lists processes: a line about them, the table, the keys; the help over it. */
#ifndef LOOPTOP_VIEW_LIST_SCREEN_H
#define LOOPTOP_VIEW_LIST_SCREEN_H

#include "client/view/frame.h"
#include "client/view/layout.h"
#include "client/view/view.h"

/* Views that are not open have no ops. */
struct list_screen {
    struct layout layout;
    struct view table, popup;
    struct frame_prompt prompt;
};

/* Opens the table. 0, -errno; list_screen_close in either case. */
int list_screen_open(struct list_screen *screen, const struct model *model);
void list_screen_close(struct list_screen *screen);

/* Shares cols x rows out, and tells the model's list its height. */
void list_screen_layout(struct list_screen *screen, struct model *model, int cols, int rows);

/* The view that has the keys. */
struct view *list_screen_active(struct list_screen *screen);

/* Draws all; *ret_x below 0: there is no text cursor. */
void list_screen_draw(const struct list_screen *screen, const struct model *model,
    struct surface *surface, int *ret_x, int *ret_y);

#endif
