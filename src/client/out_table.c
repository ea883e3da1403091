/* SPDX-License-Identifier: MIT */
/*
 * Tables of text. A column is as wide as its widest cell; on a terminal that is too narrow the
 * widest of the columns that may be shortened gives way first, then columns leave.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "client/out.h"
#include "common/fmt.h"
#include "common/utf8.h"

#define GAP 2 /* blanks between columns */

struct layout {
    unsigned width[OUT_COLUMNS_MAX];
    size_t shown[OUT_COLUMNS_MAX]; /* indexes of columns, from left to right */
    size_t count;
};

/* A cell as it is printed. */
struct text {
    char bytes[OUT_CELL_MAX];
    unsigned width;
};

/* Is it all printable ASCII, as nearly every cell is? */
static bool
is_plain(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text[i] < 0x20 || text[i] > 0x7e)
            return false;
    return true;
}

/* A cell's text made safe for a terminal, and plain ASCII where that is all it shows. */
static void
read_cell(const struct out_table *table, size_t row, size_t column, struct text *out)
{
    char raw[OUT_CELL_MAX];
    size_t n;

    table->cell(table->data, row, column, raw);
    n = strlen(raw);
    if (is_plain(raw, n)) {
        memcpy(out->bytes, raw, n + 1);
        out->width = (unsigned)n;
        return;
    }
    (void)out_clean(out->bytes, sizeof(out->bytes), raw);
    out->width = (unsigned)utf8_width(out->bytes, strlen(out->bytes));
}

static void
natural_widths(const struct out_table *table, struct layout *layout)
{
    struct text text;

    for (size_t c = 0; c < table->columns_count; c++)
        layout->width[c] = table->no_header ? 0 : (unsigned)strlen(table->columns[c].title);
    for (size_t r = 0; r < table->rows_count; r++) {
        for (size_t c = 0; c < table->columns_count; c++) {
            read_cell(table, r, c, &text);
            if (text.width > layout->width[c])
                layout->width[c] = text.width;
        }
    }
}

static unsigned
total_width(const struct layout *layout)
{
    unsigned total = 0;

    for (size_t i = 0; i < layout->count; i++)
        total += layout->width[layout->shown[i]] + (i > 0 ? GAP : 0);
    return total;
}

/* Takes excess columns from those that can give; returns what is still too much. */
static unsigned
shorten(const struct out_table *table, struct layout *layout, unsigned excess)
{
    for (; excess > 0; excess--) {
        unsigned *widest = NULL;

        for (size_t i = 0; i < layout->count; i++) {
            unsigned min = table->columns[layout->shown[i]].min;
            unsigned *width = &layout->width[layout->shown[i]];

            if (min > 0 && *width > min && (!widest || *width > *widest))
                widest = width;
        }
        if (!widest)
            break;
        (*widest)--;
    }
    return excess;
}

static void
leave_out_one(const struct out_table *table, struct layout *layout)
{
    size_t leaves = 0;

    for (size_t i = 1; i < layout->count; i++)
        if (table->columns[layout->shown[i]].rank >= table->columns[layout->shown[leaves]].rank)
            leaves = i;
    layout->count--;
    memmove(&layout->shown[leaves], &layout->shown[leaves + 1],
        (layout->count - leaves) * sizeof(layout->shown[0]));
}

static void
fit(const struct out_table *table, struct layout *layout, unsigned width)
{
    struct layout natural = *layout;

    while (width > 0) {
        unsigned total = total_width(layout);

        if (total <= width || shorten(table, layout, total - width) == 0 || natural.count == 1)
            return;
        leave_out_one(table, &natural);
        *layout = natural;
    }
}

/* Bytes of text that take at most width columns. */
static size_t
bytes_within(const char *text, size_t n, unsigned width)
{
    size_t at = 0;
    unsigned used = 0;

    while (at < n) {
        uint32_t c;
        size_t step = utf8_decode(text + at, n - at, &c);

        used += (unsigned)utf8_char_width(c);
        if (used > width)
            break;
        at += step;
    }
    return at;
}

/* Cuts text to width columns, with an ellipsis where something went. */
static void
cut(struct text *text, unsigned width, bool from_left)
{
    const char *ellipsis = out_utf8() ? "…" : "~";
    size_t n = strlen(text->bytes), from = 0;
    char kept[OUT_CELL_MAX + 4];

    if (text->width <= width)
        return;
    if (from_left) {
        while (from < n && utf8_width(text->bytes + from, n - from) > width - 1) {
            uint32_t c;

            from += utf8_decode(text->bytes + from, n - from, &c);
        }
        (void)snprintf(kept, sizeof(kept), "%s%s", ellipsis, text->bytes + from);
    } else {
        n = bytes_within(text->bytes, n, width - 1);
        (void)snprintf(kept, sizeof(kept), "%.*s%s", (int)n, text->bytes, ellipsis);
    }
    n = utf8_prefix(kept, strlen(kept), OUT_CELL_MAX - 1);
    memcpy(text->bytes, kept, n);
    text->bytes[n] = '\0';
    text->width = (unsigned)utf8_width(text->bytes, n);
}

static void
put_blanks(struct buf *buf, unsigned n)
{
    static const char blanks[] = "                                ";

    for (; n > sizeof(blanks) - 1; n -= (unsigned)(sizeof(blanks) - 1))
        (void)buf_append(buf, blanks, sizeof(blanks) - 1);
    (void)buf_append(buf, blanks, n);
}

static void
put_cell(struct buf *buf, const struct out_table *table, const struct layout *layout, size_t i,
    struct text *text)
{
    const struct out_column *column = &table->columns[layout->shown[i]];
    unsigned width = layout->width[layout->shown[i]], pad;

    cut(text, width, column->cut_left);
    pad = width > text->width ? width - text->width : 0;
    if (column->right)
        put_blanks(buf, pad);
    (void)buf_puts(buf, text->bytes);
    /* No blanks at the end of a line. */
    if (i + 1 < layout->count)
        put_blanks(buf, (column->right ? 0 : pad) + GAP);
    else
        (void)buf_puts(buf, "\n");
}

static void
put_titles(struct buf *buf, const struct out_table *table, const struct layout *layout)
{
    struct text text;

    for (size_t i = 0; i < layout->count; i++) {
        text.width = (unsigned)snprintf(
            text.bytes, sizeof(text.bytes), "%s", table->columns[layout->shown[i]].title);
        put_cell(buf, table, layout, i, &text);
    }
}

int
out_table(struct buf *buf, const struct out_table *table, unsigned width)
{
    struct layout layout = {.count = table->columns_count};
    struct text text;
    int r = 0;

    for (size_t c = 0; c < layout.count; c++)
        layout.shown[c] = c;
    natural_widths(table, &layout);
    fit(table, &layout, width);
    if (!table->no_header)
        put_titles(buf, table, &layout);
    for (size_t row = 0; row < table->rows_count && r == 0; row++) {
        for (size_t i = 0; i < layout.count; i++) {
            read_cell(table, row, layout.shown[i], &text);
            put_cell(buf, table, &layout, i, &text);
        }
        r = out_flush_some(buf);
    }
    return r;
}
