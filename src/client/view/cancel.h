/* SPDX-License-Identifier: MIT */
/* What the program tells the question before a cancellation. */
#ifndef LOOPTOP_VIEW_CANCEL_H
#define LOOPTOP_VIEW_CANCEL_H

#include "client/model/tags.h"
#include "client/view/view.h"

/* Above so many tasks their number has to be typed. */
#define CANCEL_TYPED 20

/* Asks for these tasks (copied), at most LOOPTOP_CANCEL_MAX; whether they are the tagged ones,
 * which need not be where the cursor is. 0, -ENOMEM. */
int cancel_ask(struct view *view, const struct tag *tags, size_t count, bool tagged);

#endif
