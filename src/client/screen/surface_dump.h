/* SPDX-License-Identifier: MIT */
/* A surface as plain text: for `--batch`, for saving a screen, and for tests. */
#ifndef LOOPTOP_SCREEN_SURFACE_DUMP_H
#define LOOPTOP_SCREEN_SURFACE_DUMP_H

#include "client/screen/surface.h"
#include "common/buf.h"

/* Appends one line a row, without blanks at the end. 0 or the buffer's error. */
int surface_dump(const struct surface *surface, struct buf *out);

/* The same with the letter of the role for each cell; an overlay hides the role below it. */
int surface_dump_roles(const struct surface *surface, struct buf *out);

#endif
