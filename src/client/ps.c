/* SPDX-License-Identifier: MIT */
/*
 * A short list is one question with the agent's own sort. A long one is read page by page in the
 * order of ids, where nothing is listed twice or left out however the table moves meanwhile, and
 * sorted here.
 */
#include "client/ps.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/out.h"
#include "client/ps_columns.h"
#include "common/cleanup.h"
#include "looptop/limits.h"
#include "vendor/cjson/cJSON.h"

#define IDS_SHOWN 5 /* of tasks with the same name */

static int
fail(struct conn_error *error, int code, const char *what)
{
    error->code = code;
    (void)snprintf(error->text, sizeof(error->text), "%s: %s", what,
        code == -EPROTO ? "the agent's answer does not read as documented" : strerror(-code));
    return code;
}

static int
fetch_page(struct conn *conn, const struct task_query *query, struct task_page *ret_page,
    struct conn_error *error)
{
    CLEANUP_FREE char *params = task_query_json(query);
    cJSON *result = NULL;
    int r;

    if (!params)
        return fail(error, -ENOMEM, "tasks");
    r = conn_call(conn, "tasks", params, VERB_TIMEOUT_MS, &result, error);
    if (r < 0)
        return r;
    r = task_page_decode(result, ret_page);
    cJSON_Delete(result);
    return r < 0 ? fail(error, r, "tasks") : 0;
}

/* Ids have to grow, or a hostile agent would keep us reading for ever. */
static bool
ascends(const struct task_page *page, uint64_t after)
{
    for (size_t i = 0; i < page->count; i++) {
        if (page->rows[i].id <= after)
            return false;
        after = page->rows[i].id;
    }
    return true;
}

static int
fetch_all(struct conn *conn, const struct ps_options *options, struct task_list *list,
    struct conn_error *error)
{
    struct task_query query = {
        .sort = LOOPTOP_COL_ID,
        .reverse = true,
        .filter = options->filter,
        .limit = LOOPTOP_ROWS_MAX,
        .finished = options->finished,
    };

    for (;;) {
        struct task_page page;
        size_t count;
        int r = fetch_page(conn, &query, &page, error);

        if (r < 0)
            return r;
        count = page.count;
        if (!ascends(&page, query.after)) {
            task_page_done(&page);
            return fail(error, -EPROTO, "tasks");
        }
        if (count > 0)
            query.after = page.rows[count - 1].id;
        r = task_list_add(list, &page);
        if (r < 0)
            return fail(error, r, "tasks");
        if (count < LOOPTOP_ROWS_MAX)
            break;
    }
    task_list_sort(list, options->sort, options->reverse);
    if (options->limit > 0 && list->count > options->limit)
        list->count = options->limit;
    return 0;
}

int
ps_fetch(struct conn *conn, const struct ps_options *options, struct task_list *list,
    struct conn_error *error)
{
    struct task_query query = {
        .sort = options->sort,
        .reverse = options->reverse,
        .filter = options->filter,
        .limit = (unsigned)options->limit,
        .finished = options->finished,
    };
    struct task_page page;
    int r;

    if (options->limit == 0 || options->limit > LOOPTOP_ROWS_MAX)
        return fetch_all(conn, options, list, error);
    r = fetch_page(conn, &query, &page, error);
    if (r < 0)
        return r;
    r = task_list_add(list, &page);
    if (r < 0)
        return fail(error, r, "tasks");
    if (list->count > options->limit)
        list->count = options->limit;
    return 0;
}

static int
not_unique(const struct task_list *list, const char *name, const size_t *hits, size_t count)
{
    char ids[128] = "";
    size_t len = 0;

    for (size_t i = 0; i < count && i < IDS_SHOWN; i++)
        len += (size_t)snprintf(ids + len, sizeof(ids) - len, "%s%llu", i ? ", " : "",
            (unsigned long long)list->rows[hits[i]]->id);
    return verb_fail(VERB_NOT_SO, "%zu tasks are called '%s': name them by id: %s%s", count, name,
        ids, count > IDS_SHOWN ? ", and others" : "");
}

int
ps_id_by_name(pid_t pid, const struct task_list *list, const char *name, uint64_t *ret_id)
{
    size_t hits[IDS_SHOWN], count = 0;

    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->rows[i]->name, name) != 0)
            continue;
        if (count < IDS_SHOWN)
            hits[count] = i;
        count++;
    }
    if (count == 0)
        return verb_fail(VERB_NOT_SO, "no live task in process %d is called '%s'", (int)pid, name);
    if (count > 1)
        return not_unique(list, name, hits, count);
    *ret_id = list->rows[hits[0]]->id;
    return VERB_DONE;
}

int
ps_status(struct conn *conn, struct status **ret_status, struct conn_error *error)
{
    CLEANUP_FREE struct status *status = malloc(sizeof(*status));
    cJSON *result = NULL;
    int r;

    if (!status)
        return fail(error, -ENOMEM, "status");
    r = conn_call(conn, "status", NULL, VERB_TIMEOUT_MS, &result, error);
    if (r < 0)
        return r;
    r = status_decode(result, status);
    cJSON_Delete(result);
    if (r < 0)
        return fail(error, r, "status");
    *ret_status = TAKE(status);
    return 0;
}

struct table_data {
    const struct task_list *list;
    const struct ps_options *options;
};

static void
cell(const void *data, size_t row, size_t column, char out[OUT_CELL_MAX])
{
    const struct table_data *d = data;
    size_t i = d->options->columns_count > 0 ? d->options->columns[column] : column;

    ps_columns[i].cell(d->list->rows[row], out);
}

int
ps_table(
    struct buf *buf, const struct task_list *list, const struct ps_options *options, unsigned width)
{
    struct out_column columns[OUT_COLUMNS_MAX];
    struct table_data data = {list, options};
    size_t count = options->columns_count;
    struct out_table table = {
        .columns = columns,
        .rows_count = list->count,
        .no_header = options->no_header,
        .cell = cell,
        .data = &data,
    };

    /* Columns that the user chose leave from the right, not by our ranks. */
    for (size_t i = 0; i < count; i++) {
        columns[i] = ps_columns[options->columns[i]].out;
        columns[i].rank = 0;
    }
    if (count == 0)
        for (; count < ps_columns_count && ps_columns[count].sort != LOOPTOP_COL_EXCEPTION; count++)
            columns[count] = ps_columns[count].out;
    table.columns_count = count;
    return out_table(buf, &table, width);
}
