/* SPDX-License-Identifier: MIT */
/*
 * Columns side by side: which of them fit, how wide each is, and drawing their heads. What a cell
 * says is the view's. Pure but for drawing.
 */
#ifndef LOOPTOP_WIDGET_TABLE_H
#define LOOPTOP_WIDGET_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "client/screen/surface.h"

#define TABLE_COLUMNS_MAX 24
#define TABLE_GUTTER 2 /* columns before the first: the selection's bar and the mark */

struct table_column {
    const char *title;
    uint8_t min, narrow, ideal, max; /* width: narrow is enough where room is short */
    uint8_t priority;                /* 0: always there; higher ones go first when room is short */
    uint8_t grow;                    /* share of the room that is left over */
    enum fit fit;
};

struct table {
    const struct table_column *columns; /* borrowed */
    int count;
    int pinned;      /* the first ones, which never scroll */
    uint32_t hidden; /* bit i: column i was switched off */
    int scroll;      /* unpinned columns scrolled off to the left */
    int keep;        /* a column that stays wherever there is room for its least, unless hidden */
    int narrowed;    /* columns up to this priority are narrowed before one of them is left out */
    int exact;       /* a column that is as wide as its contents.. */
    int exact_cols;  /* ..need, from its least to its largest width; 0: there is none */
    int first;       /* a column that has what is left over before others, but no more than.. */
    int first_cols;  /* ..this width; 0: there is none */
};

struct table_layout {
    int count;
    int column[TABLE_COLUMNS_MAX]; /* index in table.columns */
    int x[TABLE_COLUMNS_MAX], width[TABLE_COLUMNS_MAX];
    bool more_left, more_right; /* columns that do not fit */
};

/* Lays the columns out in width columns of the screen, x counted from 0. */
void table_layout(const struct table *table, int width, struct table_layout *ret_layout);

/* Scrolls columns by a step of -1 or +1, as far as there are any. */
void table_scroll(struct table *table, int step, int width);

/* Draws the heads; the sorted column (-1: none) gets an arrow down or up. */
void table_draw_head(const struct table *table, const struct table_layout *layout,
    struct surface *surface, int x, int y, int width, int sorted, bool down);

#endif
