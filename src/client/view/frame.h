/* SPDX-License-Identifier: MIT */
/* What stands around a view: the line with the tabs or a banner, and the foot. */
#ifndef LOOPTOP_VIEW_FRAME_H
#define LOOPTOP_VIEW_FRAME_H

#include "client/view/view.h"
#include "client/widget/line_edit.h"

struct frame_prompt {
    bool open;
    const char *label; /* "Filter", "Find" */
    const char *hint;  /* under it; NULL: about the language of tasks */
    struct line_edit edit;
    char error[200]; /* under it, "" none */
    int column;      /* of the error, from 1; 0: none */
};

/* Tabs and how the table is sorted and filtered, or what is wrong with the connection. */
void frame_draw_tabs(const struct model *model, const struct view_ops *current,
    struct surface *surface, struct rect area);

/* The keys of the view, or the last note. */
void frame_draw_foot(const struct model *model, const struct view_ops *current,
    struct surface *surface, struct rect area);

/* The prompt in the last two lines of the screen; returns where the text cursor is. */
void frame_draw_prompt(
    const struct frame_prompt *prompt, struct surface *surface, int *ret_x, int *ret_y);

/* Whether the note is still to be shown. */
bool frame_note_shown(const struct model *model);

#endif
