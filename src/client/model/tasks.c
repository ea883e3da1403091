/* SPDX-License-Identifier: MIT */
/*
 * Rows come as arrays, with `columns` naming their places, and refer to `strings` and `sites` by
 * index. Decoding goes in two passes over the tree: the first checks the tables and adds up the
 * text, the second copies, so that a page is three allocations whatever its size. Columns are found
 * by name: an agent may send more than we know, in any order.
 */
#include "client/model/tasks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/model/json_in.h"
#include "common/buf.h"
#include "looptop/limits.h"
#include "proto/json_out.h"
#include "vendor/cjson/cJSON.h"

#define COLUMNS_SENT_MAX                                                                           \
    64 /* columns of a row taken apart; a protocol that needs more is another */

static const char *const column_names[LOOPTOP_COLUMNS] = LOOPTOP_COLUMN_NAMES;

/* The answer while it is taken apart; borrows from the tree but for `strings`. */
struct decoder {
    const cJSON *rows, *strings_list, *sites_list;
    int place[LOOPTOP_COLUMNS]; /* where each column stands in a row */
    size_t columns;             /* items of a row */
    size_t row_count, strings_count, sites_count;
    const char **strings; /* owned: the page's copies by index */
    char *text_end;       /* where the next copy goes */
    struct task_page page;
};

static int
find_columns(struct decoder *d, const cJSON *columns)
{
    const cJSON *item;
    size_t at = 0;

    for (size_t i = 0; i < LOOPTOP_COLUMNS; i++)
        d->place[i] = -1;
    cJSON_ArrayForEach(item, columns)
    {
        if (!cJSON_IsString(item) || at >= COLUMNS_SENT_MAX)
            return -EPROTO;
        for (size_t i = 0; i < LOOPTOP_COLUMNS; i++)
            if (strcmp(item->valuestring, column_names[i]) == 0)
                d->place[i] = (int)at;
        at++;
    }
    for (size_t i = 0; i < LOOPTOP_COLUMNS; i++)
        if (d->place[i] < 0)
            return -EPROTO;
    d->columns = at;
    return 0;
}

/* Splits one row into cells by the places found; the name's text is checked here. */
static int
split_row(const struct decoder *d, const cJSON *row, const cJSON *cells[COLUMNS_SENT_MAX])
{
    const cJSON *item;
    size_t at = 0;

    if (!cJSON_IsArray(row))
        return -EPROTO;
    cJSON_ArrayForEach(item, row)
    {
        if (at >= d->columns)
            return -EPROTO;
        cells[at++] = item;
    }
    if (at != d->columns || !cJSON_IsString(cells[d->place[LOOPTOP_COL_NAME]]))
        return -EPROTO;
    return 0;
}

static int
measure_rows(struct decoder *d, size_t *text)
{
    const cJSON *cells[COLUMNS_SENT_MAX], *row;

    cJSON_ArrayForEach(row, d->rows)
    {
        if (++d->row_count > LOOPTOP_ROWS_MAX || split_row(d, row, cells) < 0)
            return -EPROTO;
        *text += strlen(cells[d->place[LOOPTOP_COL_NAME]]->valuestring) + 1;
    }
    return 0;
}

static int
measure_sites(struct decoder *d, size_t *text)
{
    const cJSON *site;

    cJSON_ArrayForEach(site, d->sites_list)
    {
        const cJSON *file = cJSON_IsArray(site) ? site->child : NULL;
        const cJSON *line = file ? file->next : NULL;
        const cJSON *function = line ? line->next : NULL;

        if (!cJSON_IsString(file) || !cJSON_IsNumber(line) || !cJSON_IsString(function))
            return -EPROTO;
        *text += strlen(file->valuestring) + strlen(function->valuestring) + 2;
        d->sites_count++;
    }
    return 0;
}

static int
measure_strings(struct decoder *d, size_t *text)
{
    const cJSON *string;

    cJSON_ArrayForEach(string, d->strings_list)
    {
        if (!cJSON_IsString(string))
            return -EPROTO;
        *text += strlen(string->valuestring) + 1;
        d->strings_count++;
    }
    return 0;
}

static const char *
keep(struct decoder *d, const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = d->text_end;

    memcpy(copy, text, n);
    d->text_end += n;
    return copy;
}

static void
copy_tables(struct decoder *d)
{
    const cJSON *item;
    size_t i = 0;

    cJSON_ArrayForEach(item, d->strings_list) d->strings[i++] = keep(d, item->valuestring);
    i = 0;
    cJSON_ArrayForEach(item, d->sites_list)
    {
        struct task_site *site = &d->page.sites[i++];
        double line = item->child->next->valuedouble;

        site->file = keep(d, item->child->valuestring);
        site->line = line > 0 && line <= INT32_MAX ? (uint32_t)line : 0;
        site->function = keep(d, item->child->next->next->valuestring);
    }
    d->page.sites_count = i;
}

/* An index into a table of count entries, -1 for none. */
static int
index_of(const cJSON *item, size_t count, int64_t *ret_index)
{
    double value;

    if (json_in_number(item, &value) < 0 || value < -1 || value >= (double)count ||
        value != (double)(int64_t)value)
        return -EPROTO;
    *ret_index = (int64_t)value;
    return 0;
}

static int
string_of(const struct decoder *d, const cJSON *item, const char **ret_text)
{
    int64_t i;
    int r = index_of(item, d->strings_count, &i);

    if (r == 0)
        *ret_text = i < 0 ? NULL : d->strings[i];
    return r;
}

static int
site_of(const struct decoder *d, const cJSON *item, const struct task_site **ret_site)
{
    int64_t i;
    int r = index_of(item, d->sites_count, &i);

    if (r == 0)
        *ret_site = i < 0 ? NULL : &d->page.sites[i];
    return r;
}

static int
row_numbers(const struct decoder *d, const cJSON **cells, struct task_row *row)
{
    static const struct {
        enum looptop_column column;
        size_t offset;
    } wholes[] = {
        {LOOPTOP_COL_ID, offsetof(struct task_row, id)},
        {LOOPTOP_COL_PARENT, offsetof(struct task_row, parent)},
        {LOOPTOP_COL_LOOP, offsetof(struct task_row, loop)},
        {LOOPTOP_COL_STEPS, offsetof(struct task_row, steps)},
        {LOOPTOP_COL_AGE, offsetof(struct task_row, age_ns)},
        {LOOPTOP_COL_IDLE, offsetof(struct task_row, idle_ns)},
        {LOOPTOP_COL_BUSY, offsetof(struct task_row, busy_ns)},
        {LOOPTOP_COL_MAX_STEP, offsetof(struct task_row, max_step_ns)},
    };

    for (size_t i = 0; i < sizeof(wholes) / sizeof(wholes[0]); i++) {
        uint64_t value;

        if (json_in_whole(cells[d->place[wholes[i].column]], &value) < 0)
            return -EPROTO;
        memcpy((char *)row + wholes[i].offset, &value, sizeof(value));
    }
    return 0;
}

static int
row_scalars(const struct decoder *d, const cJSON **cells, struct task_row *row)
{
    uint64_t state, exact, flags;
    double pct, ended, queued;

    if (json_in_whole(cells[d->place[LOOPTOP_COL_STATE]], &state) < 0 || state >= LOOPTOP_STATES ||
        json_in_whole(cells[d->place[LOOPTOP_COL_AGE_EXACT]], &exact) < 0 ||
        json_in_whole(cells[d->place[LOOPTOP_COL_FLAGS]], &flags) < 0 ||
        json_in_number(cells[d->place[LOOPTOP_COL_BUSY_PCT]], &pct) < 0 ||
        json_in_number(cells[d->place[LOOPTOP_COL_ENDED]], &ended) < 0 || ended < -1 ||
        ended > 9.2e18 || json_in_number(cells[d->place[LOOPTOP_COL_QUEUED]], &queued) < 0 ||
        queued < -1 || queued > 9.2e18)
        return -EPROTO;
    row->state = (enum looptop_state)state;
    row->age_exact = exact != 0;
    row->at_stale = (flags & LOOPTOP_ROW_AT_STALE) != 0;
    row->busy_pct = pct;
    row->ended_ns = (int64_t)ended;
    row->queued_ns = (int64_t)queued;
    return 0;
}

static int
decode_row(struct decoder *d, const cJSON *item, struct task_row *row)
{
    const cJSON *cells[COLUMNS_SENT_MAX];

    if (split_row(d, item, cells) < 0 || row_numbers(d, cells, row) < 0 ||
        row_scalars(d, cells, row) < 0 ||
        string_of(d, cells[d->place[LOOPTOP_COL_COROUTINE]], &row->coroutine) < 0 ||
        string_of(d, cells[d->place[LOOPTOP_COL_WAITING_ON]], &row->waiting_on) < 0 ||
        string_of(d, cells[d->place[LOOPTOP_COL_EXCEPTION]], &row->exception) < 0 ||
        site_of(d, cells[d->place[LOOPTOP_COL_AT]], &row->at) < 0 ||
        site_of(d, cells[d->place[LOOPTOP_COL_CREATED_AT]], &row->created_at) < 0)
        return -EPROTO;
    row->name = keep(d, cells[d->place[LOOPTOP_COL_NAME]]->valuestring);
    return 0;
}

static int
read_head(struct decoder *d, const cJSON *result)
{
    const cJSON *columns;
    int64_t focus;

    if (!cJSON_IsObject(result) || json_in_array(result, "columns", &columns) < 0 ||
        json_in_array(result, "rows", &d->rows) < 0 ||
        json_in_array(result, "strings", &d->strings_list) < 0 ||
        json_in_array(result, "sites", &d->sites_list) < 0 ||
        json_in_double(result, "time_s", 0, &d->page.time_s) < 0 ||
        json_in_uint(result, "total", 0, &d->page.total) < 0 ||
        json_in_uint(result, "matched", 0, &d->page.matched) < 0 ||
        json_in_uint(result, "offset", 0, &d->page.offset) < 0 ||
        json_in_int(result, "focus_index", -1, &focus) < 0 || focus < -1)
        return -EPROTO;
    d->page.focus_index = focus;
    return columns && d->rows ? find_columns(d, columns) : -EPROTO;
}

static int
decode_all(struct decoder *d, const cJSON *result)
{
    const cJSON *row;
    size_t text = 1; /* so that malloc never sees 0 */
    int r;

    if (read_head(d, result) < 0 || measure_rows(d, &text) < 0 || measure_sites(d, &text) < 0 ||
        measure_strings(d, &text) < 0)
        return -EPROTO;
    d->page.rows = calloc(d->row_count + 1, sizeof(*d->page.rows));
    d->page.sites = calloc(d->sites_count + 1, sizeof(*d->page.sites));
    d->page.text = malloc(text);
    d->strings = calloc(d->strings_count + 1, sizeof(*d->strings));
    if (!d->page.rows || !d->page.sites || !d->page.text || !d->strings)
        return -ENOMEM;
    d->text_end = d->page.text;
    copy_tables(d);
    cJSON_ArrayForEach(row, d->rows)
    {
        r = decode_row(d, row, &d->page.rows[d->page.count]);
        if (r < 0)
            return r;
        d->page.count++;
    }
    return 0;
}

int
task_page_decode(const cJSON *result, struct task_page *ret_page)
{
    struct decoder d = {0};
    int r = decode_all(&d, result);

    free(d.strings);
    if (r < 0)
        task_page_done(&d.page);
    else
        *ret_page = d.page;
    return r;
}

void
task_page_done(struct task_page *page)
{
    if (!page)
        return;
    free(page->rows);
    free(page->sites);
    free(page->text);
    *page = (struct task_page){.focus_index = -1};
}

char *
task_query_json(const struct task_query *query)
{
    struct buf buf;
    struct json_out out;

    buf_init(&buf, LOOPTOP_REQUEST_MAX);
    json_out_init(&out, &buf);
    json_out_object(&out);
    json_out_kv_string(&out, "sort", column_names[query->sort]);
    json_out_kv_bool(&out, "reverse", query->reverse);
    if (query->filter && query->filter[0])
        json_out_kv_string(&out, "filter", query->filter);
    json_out_kv_uint(&out, "offset", query->offset);
    json_out_kv_uint(&out, "limit", query->limit);
    if (query->after)
        json_out_kv_uint(&out, "after", query->after);
    if (query->focus)
        json_out_kv_uint(&out, "focus", query->focus);
    json_out_kv_bool(&out, "finished", query->finished);
    json_out_object_end(&out);
    if (buf_append(&buf, "", 1) < 0) {
        buf_done(&buf);
        return NULL;
    }
    return buf.data;
}
