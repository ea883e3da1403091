/* SPDX-License-Identifier: MIT */
/* What the program asks of the detail beyond the view's slots. */
#ifndef LOOPTOP_VIEW_DETAIL_H
#define LOOPTOP_VIEW_DETAIL_H

#include "client/view/view.h"
#include "common/buf.h"

/* Scrolls by lines; the detail may stand beside a table that has the keys. */
void detail_scroll(struct view *view, const struct model *model, int lines);

/* Another task is looked at: from its first line. */
void detail_rewind(struct view *view);

/* All that is known of the task as plain text with full paths. 0 or the buffer's error. */
int detail_text(const struct model *model, struct buf *out);

#endif
