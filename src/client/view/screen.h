/* SPDX-License-Identifier: MIT */
/* The whole screen out of its views: what stands where, and who has the keys. */
#ifndef LOOPTOP_VIEW_SCREEN_H
#define LOOPTOP_VIEW_SCREEN_H

#include "client/view/frame.h"
#include "client/view/layout.h"
#include "client/view/view.h"

/* Views that are not open have no ops. */
struct screen {
    struct layout layout;
    struct view header, tasks, detail, popup;
    bool detail_full; /* the detail has the whole body, though it could stand beside */
    struct frame_prompt prompt;
};

/* Opens header and table. 0, -errno; screen_close in either case. */
int screen_open(struct screen *screen, const struct model *model);
void screen_close(struct screen *screen);

/* Shares cols x rows out among what is open, and tells the model's window its height. */
void screen_layout(struct screen *screen, struct model *model, int cols, int rows);

/* Whether the detail has the keys: it does where it does not stand beside the table. */
bool screen_detail_has_keys(const struct screen *screen);

/* The view that has the keys. */
struct view *screen_active(struct screen *screen);

/* Draws all; *ret_x below 0: there is no text cursor. */
void screen_draw(const struct screen *screen, const struct model *model, struct surface *surface,
    int *ret_x, int *ret_y);

#endif
