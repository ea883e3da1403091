/* SPDX-License-Identifier: MIT */
/*
 * Standard output of the verbs: bytes gathered in a buf and written in large pieces; tables of text
 * fitted to the terminal; sparklines.
 */
#ifndef LOOPTOP_CLIENT_OUT_H
#define LOOPTOP_CLIENT_OUT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"

#define OUT_MAX (64 * 1024 * 1024) /* bytes that one buf of output may hold */
#define OUT_CHUNK (64 * 1024)      /* above this much, a long output is worth writing out */

/*
 * Writes the buf to standard output and clears it. 0, or -errno after having said so; a reader that
 * went away (`looptop ps | head`) is not worth a word.
 */
int out_flush(struct buf *buf);

/* The same when the buf holds more than OUT_CHUNK. */
int out_flush_some(struct buf *buf);

/* Ends a verb: flushes, frees, and returns the verb's status, or 1 where writing failed. */
int out_finish(struct buf *buf, int status);

/* Columns of the terminal at standard output; 0: it is none, write without cutting. */
unsigned out_width(void);

/* Says whether the locale can show more than ASCII. */
bool out_utf8(void);
/* fmt_clean, and plain ASCII where that is all the locale has. Returns out. */
char *out_clean(char *out, size_t size, const char *text);
/* Nothing beyond ASCII for the rest of the run; called by main where the locale has no more. */
void out_force_ascii(void);

/* The sign before a lower bound. */
const char *out_at_least(void);

struct out_column {
    const char *title;
    bool right;    /* align */
    bool cut_left; /* shorten from the left, where the end tells more */
    unsigned min;  /* columns it can be shortened to; 0: it is never shortened */
    unsigned rank; /* where room is short, the highest leaves first; of equals the rightmost */
};

#define OUT_COLUMNS_MAX 24
#define OUT_CELL_MAX 512 /* bytes of a cell, terminator included */

struct out_table {
    const struct out_column *columns;
    size_t columns_count; /* at most OUT_COLUMNS_MAX */
    size_t rows_count;
    bool no_header;
    /* Writes the text of a cell, terminated; control characters are dealt with by the table. */
    void (*cell)(const void *data, size_t row, size_t column, char out[OUT_CELL_MAX]);
    const void *data;
};

/*
 * Prints the table into buf, which it writes out as it grows. Columns that do not fit even
 * shortened are left out. 0 or -errno.
 */
int out_table(struct buf *buf, const struct out_table *table, unsigned width);

/* Draws up to width of the last values; not-a-number is a blank. Returns out. */
char *out_sparkline(char *out, size_t size, const double *values, size_t count, size_t width);

#endif
