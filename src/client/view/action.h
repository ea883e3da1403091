/* SPDX-License-Identifier: MIT */
/*
 * What a key means. Views turn keys into actions and never act on the world themselves: only the
 * program (tui*.c) sends, cancels, saves. So confirming a cancellation is tested without a socket.
 */
#ifndef LOOPTOP_VIEW_ACTION_H
#define LOOPTOP_VIEW_ACTION_H

#include <stddef.h>
#include <stdint.h>

enum action_kind {
    ACTION_NONE,   /* not a key of this view */
    ACTION_REDRAW, /* taken; the view looks different now, nothing else happened */
    ACTION_QUIT,
    ACTION_BACK, /* leave what is open: popup, detail, filter */
    ACTION_HELP,
    ACTION_REPAINT, /* the terminal shows rubbish: draw all of it anew */
    ACTION_PAUSE,
    ACTION_SAVE,
    ACTION_COPY,
    ACTION_MOVE, /* amount rows */
    ACTION_PAGE, /* amount screens */
    ACTION_FIRST,
    ACTION_LAST,
    ACTION_OPEN,    /* look at the selected task */
    ACTION_COLUMNS, /* scroll columns by amount */
    ACTION_SORT_MENU,
    ACTION_COLUMN_MENU,
    ACTION_SORT_STEP, /* the column beside, by amount */
    ACTION_SORT,      /* by column amount */
    ACTION_INVERT,
    ACTION_HIDE_COLUMN, /* show or hide column amount of the table */
    ACTION_FOLLOW,      /* the screen goes with the selected task, or no more */
    ACTION_TAG,
    ACTION_TAG_MATCHING, /* all that the filter leaves */
    ACTION_UNTAG_ALL,
    ACTION_FINISHED, /* hide or show tasks that have ended */
    ACTION_FILTER,
    ACTION_FIND,
    ACTION_FIND_NEXT, /* amount: +1 next, -1 previous */
    ACTION_SCROLL,    /* the detail, by amount lines */
    ACTION_VALUES,    /* more or fewer local variables */
    ACTION_ASK_CANCEL,
    ACTION_CANCEL, /* ids, count, text: the message */
};

struct action {
    enum action_kind kind;
    int64_t amount;
    const uint64_t *ids; /* borrowed from the view until its next key */
    size_t count;
    const char *text; /* likewise */
};

#endif
