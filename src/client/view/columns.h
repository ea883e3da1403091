/* SPDX-License-Identifier: MIT */
/* The columns of the task table: heads and widths, the sort key of each, and what a cell says. */
#ifndef LOOPTOP_VIEW_COLUMNS_H
#define LOOPTOP_VIEW_COLUMNS_H

#include "client/model/model.h"
#include "client/widget/table.h"

/* Columns up to this priority are what a row is about: on narrow screens they share the room. */
#define COLUMNS_NARROWED 4

/* Columns in their order, and how many. */
extern const struct table_column columns_table[];
extern const int columns_count;

/* The sort key of a column of the table, and back; -1: none. */
enum looptop_column columns_key(int column);
int columns_of_key(enum looptop_column key);

/* What a column is, in a few words. */
const char *columns_help(int column);

/* Whether a column sorts its largest first unless reversed. */
bool columns_largest_first(int column);

struct columns_cell {
    char text[256];
    enum role role;
};

/* width: of the column, for forms that adapt to it. */
void columns_cell(const struct model *model, const struct task_row *row, int column, int width,
    struct columns_cell *ret_cell);

#endif
