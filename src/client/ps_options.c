/* SPDX-License-Identifier: MIT */
/* Options of task lists out of text. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "client/out.h"
#include "client/ps.h"
#include "client/ps_columns.h"
#include "common/parse.h"
#include "common/utf8.h"
#include "proto/filter.h"

/* The column whose name or one of whose other names this is, in any case; -1: none. */
static int
find_column(const char *name, size_t n)
{
    for (size_t i = 0; i < ps_columns_count; i++) {
        const char *p = ps_columns[i].names;

        while (*p) {
            size_t len = strcspn(p, " ");

            if (len == n && strncasecmp(p, name, n) == 0)
                return (int)i;
            p += len + (p[len] == ' ');
        }
    }
    return -1;
}

static int
no_column(const struct verb *verb, const char *name, size_t n)
{
    char known[256];
    size_t len = 0;

    known[0] = '\0';
    for (size_t i = 0; i < ps_columns_count && len < sizeof(known); i++)
        len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%.*s", i ? " " : "",
            (int)strcspn(ps_columns[i].names, " "), ps_columns[i].names);
    return verb_fail(
        VERB_USAGE, "%s: no column '%.*s': there are %s", verb->name, (int)n, name, known);
}

int
ps_option_sort(const struct verb *verb, const char *text, struct ps_options *options)
{
    size_t n = strcspn(text, ",");
    int column = find_column(text, n);

    if (column < 0)
        return no_column(verb, text, n);
    if (text[n] && strcmp(text + n, ",-") != 0)
        return verb_misused(verb, "--sort takes COLUMN, or COLUMN,- for the reverse order");
    options->sort = ps_columns[column].sort;
    options->reverse = text[n] != '\0';
    return VERB_DONE;
}

int
ps_option_columns(const struct verb *verb, const char *text, struct ps_options *options)
{
    options->columns_count = 0;
    for (;;) {
        size_t n = strcspn(text, ",");
        int column = find_column(text, n);

        if (column < 0)
            return no_column(verb, text, n);
        if (options->columns_count == PS_COLUMNS_MAX)
            return verb_misused(verb, "more than %d columns", PS_COLUMNS_MAX);
        options->columns[options->columns_count++] = (unsigned char)column;
        if (!text[n])
            return VERB_DONE;
        text += n + 1;
    }
}

int
ps_option_limit(const struct verb *verb, const char *text, struct ps_options *options)
{
    uint64_t limit;

    if (parse_uint_text(text, 1, TASK_LIST_MAX, &limit) < 0)
        return verb_misused(verb, "'%s' is not a number of tasks", text);
    options->limit = (size_t)limit;
    return VERB_DONE;
}

/* Terminal columns that the first n characters of text take. */
static int
width_before(const char *text, int n)
{
    size_t len = strlen(text), at = 0;

    for (; n > 0 && at < len; n--) {
        uint32_t c;

        at += utf8_decode(text + at, len - at, &c);
    }
    return (int)utf8_width(text, at);
}

int
ps_option_filter(const struct verb *verb, const char *text, struct ps_options *options)
{
    struct filter filter;
    char message[256], clean[2 * LOOPTOP_FILTER_MAX];
    int column = 1;

    if (filter_parse(text, &filter, &column, message, sizeof(message)) == 0) {
        options->filter = text;
        return VERB_DONE;
    }
    (void)verb_fail(0, "%s: filter, column %d: %s", verb->name, column, message);
    (void)fprintf(stderr, "    %s\n    %*s^\n", out_clean(clean, sizeof(clean), text),
        width_before(text, column - 1), "");
    return VERB_USAGE;
}
