/* SPDX-License-Identifier: MIT */
/*
 * Which part of the task table is on the screen, and on which task the cursor stands. Only a window
 * of the table is ever here, so places are counted in the whole order: cursor and top are indexes
 * of rows that may not have arrived yet. Once moved, the cursor holds on to its task: as rows sort
 * anew it goes with it, and the rows scroll so that it keeps its line. Pure.
 */
#ifndef LOOPTOP_CLIENT_MODEL_WINDOW_H
#define LOOPTOP_CLIENT_MODEL_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "client/model/tasks.h"

struct window {
    int64_t cursor, top;
    int height;     /* rows on the screen */
    uint64_t focus; /* the task held on to; 0: none, or its row has not arrived */
    bool pinned;    /* the cursor holds on to its task; else it stays at the top */
    bool seeking;   /* the focus was set from elsewhere, its place is not known yet */
    bool follow;    /* the screen goes with the task */
    bool found;     /* it does so until the cursor is moved: the task was sought */
    int64_t away;   /* its place where it has left the screen; -1: it has not */
};

/* The row at a place in the whole order, NULL: not here. */
const struct task_row *window_row(const struct task_page *page, int64_t index);

/* The row of the selected task, NULL: none, or not here. */
const struct task_row *window_selected(const struct window *window, const struct task_page *page);

void window_set_height(struct window *window, const struct task_page *page, int height);

/* Moves the cursor, which from now on holds on to its task. */
void window_move(struct window *window, const struct task_page *page, int64_t rows);
void window_end(struct window *window, const struct task_page *page);

/* To the first row, whichever task that is. */
void window_home(struct window *window);

/*
 * To a task whose place is not known; it comes with the next page. The screen goes with the task
 * until the cursor is moved.
 */
void window_seek(struct window *window, uint64_t id);

/* Follows the task from now on, or no more; goes to where it is. */
void window_follow(struct window *window, const struct task_page *page, bool follow);

/* Holds on to the task under the cursor. */
void window_pin(struct window *window, const struct task_page *page);

/* A page came; focus is the one it was asked with. */
void window_arrived(struct window *window, const struct task_page *page, uint64_t focus);

/* The part of the table to ask for: what is seen and as much before and after it. */
void window_want(const struct window *window, uint64_t *ret_offset, unsigned *ret_limit);

/* Whether page holds what is seen and half a screen around it. */
bool window_covered(const struct window *window, const struct task_page *page);

#endif
