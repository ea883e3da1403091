/* SPDX-License-Identifier: MIT */
/* What the program asks of the list of processes beyond the view's slots. */
#ifndef LOOPTOP_VIEW_PROCESSES_H
#define LOOPTOP_VIEW_PROCESSES_H

#include "client/view/view.h"

extern const struct view_ops processes_view;

/* Ended by NULL: what the help tells of where the list is shown. */
extern const struct view_ops *const processes_views[];

/* Title of a column. */
const char *processes_title(enum process_column column);

#endif
