/* SPDX-License-Identifier: MIT */
/* The await chain of a task as lines: function and place, source, local variables. */
#ifndef LOOPTOP_VIEW_CHAIN_H
#define LOOPTOP_VIEW_CHAIN_H

#include "client/model/detail.h"
#include "client/screen/surface.h"
#include "common/buf.h"

/* How many lines it takes; with local variables one a line, or all of a frame in one line. */
int chain_lines(const struct detail *detail, bool all_locals);

/* Draws the lines from scroll on. */
void chain_draw(const struct detail *detail, bool all_locals, int scroll, struct surface *surface,
    struct rect area);

/* All of it as text with full paths. */
void chain_text(const struct detail *detail, struct buf *out);

#endif
