/* SPDX-License-Identifier: MIT */
/* The columns of a task list in text: names, titles, contents. */
#ifndef LOOPTOP_CLIENT_PS_COLUMNS_H
#define LOOPTOP_CLIENT_PS_COLUMNS_H

#include "client/model/tasks.h"
#include "client/out.h"

struct ps_column {
    const char *names; /* the name, then others it goes by, with blanks between */
    enum looptop_column sort;
    struct out_column out;
    void (*cell)(const struct task_row *row, char out[OUT_CELL_MAX]);
};

extern const struct ps_column ps_columns[];
extern const size_t ps_columns_count;

#endif
