// SPDX-License-Identifier: MIT
/* See list.h. */
#include "agent/list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/io.h"
#include "agent/list_rates.h"
#include "agent/list_sort.h"
#include "agent/names.h"
#include "agent/record_view.h"
#include "agent/table_ids.h"
#include "agent/ticks.h"
#include "common/clock.h"
#include "looptop/limits.h"

static const char *const column_names[LOOPTOP_COLUMNS] = LOOPTOP_COLUMN_NAMES;

struct list_query *
list_query_free(struct list_query *query)
{
    if (query != NULL)
        free(query->ids);
    free(query);
    return NULL;
}

static int
compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static int
parse_ids(const struct rpc_request *request, struct list_query *query, struct rpc_error *error)
{
    uint64_t ids[LOOPTOP_CANCEL_MAX];
    int rc = rpc_param_uints(request, "ids", LOOPTOP_CANCEL_MAX, ids, &query->ids_count, error);
    if (rc < 0 || query->ids_count == 0)
        return rc;
    query->ids = malloc(query->ids_count * sizeof *ids);
    if (query->ids == NULL)
        return -ENOMEM;
    memcpy(query->ids, ids, query->ids_count * sizeof *ids);
    qsort(query->ids, query->ids_count, sizeof *ids, compare_ids);
    return 0;
}

static int
parse_sort(const struct rpc_request *request, struct list_query *query, struct rpc_error *error)
{
    const char *name;
    int rc = rpc_param_string(request, "sort", 32, "idle_ns", &name, error);
    if (rc < 0)
        return rc;
    for (unsigned i = 0; i < LOOPTOP_COLUMNS; i++) {
        if (strcmp(column_names[i], name) == 0) {
            query->sort = i;
            return 0;
        }
    }
    rpc_error_set(error, LOOPTOP_ERR_PARAMS, "no column \"%s\"", name);
    (void)strcpy(error->field, "sort");
    return -EINVAL;
}

static int
parse_filter(const struct rpc_request *request, struct list_query *query, struct rpc_error *error)
{
    const char *text;
    char message[256];
    int column;
    int rc = rpc_param_string(request, "filter", LOOPTOP_FILTER_MAX, "", &text, error);
    if (rc < 0)
        return rc;
    rc = filter_parse(text, &query->filter, &column, message, sizeof message);
    if (rc < 0) {
        rpc_error_set(error, LOOPTOP_ERR_PARAMS, "filter: %s", message);
        (void)strcpy(error->field, "filter");
        error->column = column;
    }
    return rc;
}

static int
parse_all(const struct rpc_request *request, struct list_query *query, struct rpc_error *error)
{
    const uint64_t any = 1ull << 53;
    int rc = parse_sort(request, query, error);
    if (rc == 0)
        rc = parse_filter(request, query, error);
    if (rc == 0)
        rc = parse_ids(request, query, error);
    if (rc == 0)
        rc = rpc_param_bool(request, "reverse", false, &query->reverse, error);
    if (rc == 0)
        rc = rpc_param_bool(request, "finished", true, &query->finished, error);
    if (rc == 0)
        rc = rpc_param_uint(request, "offset", 0, any, 0, &query->offset, error);
    if (rc == 0)
        rc = rpc_param_uint(request, "limit", 0, LOOPTOP_ROWS_MAX, 100, &query->limit, error);
    if (rc == 0)
        rc = rpc_param_uint(request, "after", 0, any, 0, &query->after, error);
    if (rc == 0)
        rc = rpc_param_uint(request, "focus", 0, any, 0, &query->focus, error);
    return rc;
}

int
list_query_parse(
    const struct rpc_request *request, struct list_query **ret_query, struct rpc_error *ret_error)
{
    struct list_query *query = calloc(1, sizeof *query);
    int rc = query != NULL ? parse_all(request, query, ret_error) : -ENOMEM;
    if (rc < 0)
        list_query_free(query);
    else
        *ret_query = query;
    return rc;
}

static void
filter_view(const struct record_view *view, const char *name, struct filter_task *ret_task)
{
    struct site at = names_place(view->at), created = names_place(view->created_at);
    *ret_task = (struct filter_task){.id = view->id,
        .parent = view->parent,
        .loop = view->loop_id,
        .steps = view->steps,
        .state = view->state,
        .age_ns = (double)view->age_ns,
        .idle_ns = (double)view->idle_ns,
        .busy_ns = (double)view->busy_ns,
        .max_step_ns = (double)view->max_step_ns,
        .busy_pct = list_rates_busy(view),
        .name = name,
        .coroutine = names_text(view->coroutine),
        .waiting_on = names_text(view->waiting_on),
        .exception = names_text(view->exception),
        .at_file = names_text(at.file),
        .at_function = names_text(at.function),
        .created_file = names_text(created.file),
        .created_function = names_text(created.function),
        .at_line = at.line,
        .created_line = created.line};
}

/* What can be told from id and state: most of a table read page by page ends here. */
static bool
may_match(const struct list_query *query, uint64_t id, enum looptop_state state)
{
    if (id <= query->after || (!query->finished && state >= LOOPTOP_DONE))
        return false;
    return query->ids == NULL ||
           bsearch(&id, query->ids, query->ids_count, sizeof id, compare_ids) != NULL;
}

static bool
matches(const struct list_query *query, const struct record_view *view)
{
    struct filter_task task;
    char name[LOOPTOP_NAME_MAX];
    if (query->filter.count == 0)
        return true;
    record_view_name(view->index, name);
    filter_view(view, name, &task);
    return filter_match(&query->filter, &task);
}

static const char *
site_text(uint32_t site)
{
    return names_text(names_place(site).file);
}

/* Places of one file by line: the key is the file, the line breaks the tie. */
static void
set_key(const struct list_query *query, const struct record_view *view, struct list_item *item,
    char *name)
{
    item->rank = 0;
    item->text = NULL;
    item->number = 0;
    switch (query->sort) {
    case LOOPTOP_COL_NAME:
        record_view_name(view->index, name);
        item->text = name;
        break;
    case LOOPTOP_COL_COROUTINE:
        item->text = names_text(view->coroutine);
        break;
    case LOOPTOP_COL_WAITING_ON:
        item->text = names_text(view->waiting_on);
        break;
    case LOOPTOP_COL_EXCEPTION:
        item->text = names_text(view->exception);
        break;
    case LOOPTOP_COL_AT:
        item->text = site_text(view->at);
        item->number = names_place(view->at).line;
        break;
    case LOOPTOP_COL_CREATED_AT:
        item->text = site_text(view->created_at);
        item->number = names_place(view->created_at).line;
        break;
    case LOOPTOP_COL_ID:
        item->number = (double)view->id;
        break;
    case LOOPTOP_COL_STATE:
        item->number = view->state;
        break;
    case LOOPTOP_COL_AGE:
    case LOOPTOP_COL_AGE_EXACT:
        item->number = (double)view->age_ns;
        break;
    case LOOPTOP_COL_BUSY:
        item->number = (double)view->busy_ns;
        break;
    case LOOPTOP_COL_BUSY_PCT:
        item->number = list_rates_busy(view);
        break;
    case LOOPTOP_COL_STEPS:
        item->number = (double)view->steps;
        break;
    case LOOPTOP_COL_MAX_STEP:
        item->number = (double)view->max_step_ns;
        break;
    case LOOPTOP_COL_PARENT:
        item->number = (double)view->parent;
        break;
    case LOOPTOP_COL_LOOP:
        item->number = view->loop_id;
        break;
    case LOOPTOP_COL_ENDED:
        item->number = (double)view->ended_ns;
        break;
    case LOOPTOP_COL_QUEUED:
        item->number = (double)view->queued_ns;
        break;
    default:
        /* the first screen: what runs, then who has been idle longest, then what has ended */
        item->number = (double)view->idle_ns;
        item->rank = view->state == LOOPTOP_RUN ? 0 : view->ended_ns < 0 ? 1 : 2;
    }
}

static bool
sorts_text(enum looptop_column column)
{
    return column == LOOPTOP_COL_NAME || column == LOOPTOP_COL_COROUTINE ||
           column == LOOPTOP_COL_WAITING_ON || column == LOOPTOP_COL_AT ||
           column == LOOPTOP_COL_CREATED_AT || column == LOOPTOP_COL_EXCEPTION;
}

/* Texts and places of one answer as the numbers they have there. */
static struct numbers {
    uint32_t stamp, local[NAMES_STRINGS_MAX], stamps[NAMES_STRINGS_MAX];
    uint32_t order[NAMES_STRINGS_MAX], count;
} strings, sites;

_Static_assert(NAMES_SITES_MAX <= NAMES_STRINGS_MAX, "sites are numbered in the same arrays");

static int64_t
local_number(struct numbers *numbers, uint32_t number)
{
    if (number == 0)
        return -1;
    if (numbers->stamps[number] != numbers->stamp) {
        numbers->stamps[number] = numbers->stamp;
        numbers->local[number] = numbers->count;
        numbers->order[numbers->count++] = number;
    }
    return numbers->local[number];
}

static void
write_row(struct json_out *out, const struct record_view *view)
{
    char name[LOOPTOP_NAME_MAX];
    record_view_name(view->index, name);
    json_out_array(out);
    json_out_uint(out, view->id);
    json_out_string(out, name);
    json_out_uint(out, view->state);
    json_out_int(out, local_number(&strings, view->coroutine));
    json_out_int(out, local_number(&strings, view->waiting_on));
    json_out_int(out, local_number(&sites, view->at));
    json_out_uint(out, view->age_ns);
    json_out_uint(out, view->age_exact);
    json_out_uint(out, view->idle_ns);
    json_out_uint(out, view->busy_ns);
    json_out_fixed(out, list_rates_busy(view), 1);
    json_out_uint(out, view->steps);
    json_out_uint(out, view->max_step_ns);
    json_out_int(out, local_number(&sites, view->created_at));
    json_out_uint(out, view->parent);
    json_out_uint(out, view->loop_id);
    json_out_int(out, local_number(&strings, view->exception));
    json_out_int(out, view->ended_ns);
    json_out_int(out, view->queued_ns);
    json_out_uint(out, view->at_stale ? LOOPTOP_ROW_AT_STALE : 0);
    json_out_array_end(out);
}

static void
write_names(struct json_out *out)
{
    json_out_key(out, "sites");
    json_out_array(out);
    for (uint32_t i = 0; i < sites.count; i++) {
        struct site site = names_place(sites.order[i]);
        const char *file = names_text(site.file), *function = names_text(site.function);
        json_out_array(out);
        json_out_string(out, file != NULL ? file : "");
        json_out_uint(out, site.line);
        json_out_string(out, function != NULL ? function : "");
        json_out_array_end(out);
    }
    json_out_array_end(out);
    json_out_key(out, "strings");
    json_out_array(out);
    for (uint32_t i = 0; i < strings.count; i++)
        json_out_string(out, names_text(strings.order[i]));
    json_out_array_end(out);
}

static void
write_head(const struct list_query *query, struct json_out *out, size_t total, size_t matched,
    int64_t focus)
{
    json_out_object(out);
    json_out_kv_fixed(out, "time_s", clock_realtime_s(), 6);
    json_out_kv_uint(out, "total", total);
    json_out_kv_uint(out, "matched", matched);
    json_out_kv_uint(out, "offset", query->offset);
    json_out_key(out, "focus_index");
    if (focus < 0)
        json_out_null(out);
    else
        json_out_int(out, focus);
    json_out_key(out, "columns");
    json_out_array(out);
    for (unsigned i = 0; i < LOOPTOP_COLUMNS; i++)
        json_out_string(out, column_names[i]);
    json_out_array_end(out);
}

/* Whether id and state are all that is needed to find a record's place. */
static bool
by_id_only(const struct list_query *query)
{
    return query->sort == LOOPTOP_COL_ID && query->filter.count == 0;
}

static bool to_the_end; /* of the list that is written now */

/* A fork, or a stop, waits for this thread; asked now and then. */
static bool
given_up(size_t i)
{
    return i % 256 == 0 && !to_the_end && io_stopping();
}

/* All that match, with their keys; *ret_total counts what does not match too. */
static size_t
collect(const struct list_query *query, struct list_item *items, char *names, size_t max,
    uint64_t now, size_t *ret_total)
{
    struct record_view view;
    size_t matched = 0, total = 0;
    uint32_t high = LOAD(table_high), loop;
    bool ids = by_id_only(query);
    for (uint32_t i = 1; i < high && matched < max && !given_up(i); i++) {
        if (!record_view_state(i, now, &view.id, &view.state, &loop))
            continue;
        total++;
        if (!may_match(query, view.id, view.state) ||
            (!ids && (!record_view_read(i, now, &view) || !matches(query, &view))))
            continue;
        struct list_item *item = &items[matched];
        item->id = view.id;
        item->index = i;
        set_key(query, &view, item, names != NULL ? names + matched * LOOPTOP_NAME_MAX : NULL);
        matched++;
    }
    *ret_total = total;
    return matched;
}

static int64_t
focus_index(const struct list_item *items, size_t count, uint64_t id, int sign)
{
    const struct list_item *focus = NULL;
    for (size_t i = 0; i < count && focus == NULL && id != 0; i++)
        if (items[i].id == id)
            focus = &items[i];
    if (focus == NULL)
        return -1;
    int64_t before = 0;
    for (size_t i = 0; i < count; i++)
        before += list_compare(&items[i], focus, sign) < 0;
    return before;
}

static void
write_window(const struct list_query *query, const struct list_item *items, size_t count,
    struct json_out *out, uint64_t now)
{
    struct record_view view;
    strings.stamp++;
    sites.stamp++;
    strings.count = sites.count = 0;
    json_out_key(out, "rows");
    json_out_array(out);
    for (size_t i = (size_t)query->offset;
         i < count && i - query->offset < query->limit && !given_up(i); i++)
        if (record_view_read(items[i].index, now, &view) && view.id == items[i].id)
            write_row(out, &view);
    json_out_array_end(out);
    write_names(out);
}

/* The items of one answer; kept for the next, since pages and updates come in rows. */
static struct {
    struct list_item *items; /* owned */
    size_t capacity;
} kept;

static struct list_item *
items_for(size_t count)
{
    if (kept.capacity < count) {
        list_trim();
        kept.items = malloc(count * sizeof *kept.items);
        kept.capacity = kept.items != NULL ? count : 0;
    }
    return kept.items;
}

void
list_trim(void)
{
    free(kept.items);
    kept.items = NULL;
    kept.capacity = 0;
    table_ids_trim();
}

int
list_write(const struct list_query *query, bool whole, struct json_out *out)
{
    to_the_end = whole;
    uint64_t now = ticks_now();
    size_t max = LOAD(table_high), total;
    int sign = sorts_text(query->sort) ? 1 : -1;
    if (query->reverse)
        sign = -sign;
    struct list_item *items = items_for(max);
    char *names = NULL;
    if (items != NULL && query->sort == LOOPTOP_COL_NAME)
        names = malloc(max * LOOPTOP_NAME_MAX);
    if (items == NULL || (names == NULL && query->sort == LOOPTOP_COL_NAME))
        return -ENOMEM;
    size_t matched = collect(query, items, names, max, now, &total);
    int64_t focus = focus_index(items, matched, query->focus, sign);
    if (query->offset < matched)
        list_sort_first(items, matched, (size_t)(query->offset + query->limit), sign);
    write_head(query, out, total, matched, focus);
    write_window(query, items, matched, out, now);
    json_out_object_end(out);
    free(names);
    return !whole && io_stopping() ? -EINTR : 0;
}
