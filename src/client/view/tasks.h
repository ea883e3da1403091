/* SPDX-License-Identifier: MIT */
/* What the program asks of the task table beyond the view's slots. */
#ifndef LOOPTOP_VIEW_TASKS_H
#define LOOPTOP_VIEW_TASKS_H

#include "client/view/view.h"

/* Rows of tasks that fit below the head in so many lines. */
int tasks_rows(int lines);

#endif
