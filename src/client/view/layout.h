/* SPDX-License-Identifier: MIT */
/* Which part of the screen is whose, at any size. Pure. */
#ifndef LOOPTOP_VIEW_LAYOUT_H
#define LOOPTOP_VIEW_LAYOUT_H

#include <stdbool.h>

#include "client/screen/surface.h"

#define LAYOUT_SIDE_COLS 160 /* from this width on the detail stands beside the table */

struct layout {
    struct rect header, tabs, body, side, bar; /* of size 0 where there is no room */
};

/* beside: a detail is open that should stand beside the body if there is room. */
void layout_make(int cols, int rows, bool beside, struct layout *ret_layout);

/* The same for the list of processes: one line of header, nothing beside. */
void layout_list(int cols, int rows, struct layout *ret_layout);

#endif
