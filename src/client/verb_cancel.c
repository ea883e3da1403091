/* SPDX-License-Identifier: MIT */
/*
 * looptop cancel: cancels tasks by id or unique name, or all that a filter hits. What is cancelled
 * is fixed before the question is asked: the ids listed, never the filter evaluated once more.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/model/stack.h"
#include "client/out.h"
#include "client/ps.h"
#include "client/verb.h"
#include "common/cleanup.h"
#include "common/fmt.h"
#include "common/parse.h"
#include "looptop/limits.h"
#include "vendor/cjson/cJSON.h"

#define WAIT_DEFAULT_NS 2000000000.0
#define WAIT_MAX_NS 60000000000.0

static const char *const outcome_names[LOOPTOP_OUTCOMES] = LOOPTOP_OUTCOME_NAMES;

static const struct option options_long[] = {
    {"match", required_argument, NULL, 'm'},
    {"message", required_argument, NULL, 'M'},
    {"wait", required_argument, NULL, 'w'},
    {"yes", no_argument, NULL, 'y'},
    {"ascii", no_argument, NULL, 'A'},
    VERB_OPTION_JSON,
    VERB_OPTION_HELP,
    VERB_OPTION_END,
};

struct cancel_request {
    struct ps_options match; /* its filter NULL: ids only */
    const char *message;     /* NULL: the agent's */
    double wait_ns;
    bool yes, json;
    uint64_t *ids; /* owned */
    size_t count;
};

/* Where results go; all_ended turns false when a task still runs or was not there. */
struct cancel_output {
    struct buf buf;
    struct json_out json;
    bool all_ended;
};

static int
take_option(const struct verb *verb, int c, struct cancel_request *request)
{
    switch (c) {
    case 'm':
        return ps_option_filter(verb, optarg, &request->match);
    case 'M':
        if (strlen(optarg) >= LOOPTOP_MESSAGE_MAX)
            return verb_misused(verb, "the message is over %d bytes", LOOPTOP_MESSAGE_MAX - 1);
        request->message = optarg;
        return VERB_DONE;
    case 'w':
        if (parse_duration_text(optarg, &request->wait_ns) < 0 || request->wait_ns > WAIT_MAX_NS)
            return verb_misused(verb, "--wait takes a time up to 60s, not '%s'", optarg);
        return VERB_DONE;
    case 'y':
        request->yes = true;
        return VERB_DONE;
    case 'A':
        out_force_ascii();
        return VERB_DONE;
    default:
        request->json = true;
        return VERB_DONE;
    }
}

/* Makes room for n more ids. */
static int
reserve_ids(struct cancel_request *request, size_t n)
{
    uint64_t *ids = realloc(request->ids, (request->count + n) * sizeof(*ids));

    if (!ids)
        return verb_fail(VERB_NOT_SO, "no memory");
    request->ids = ids;
    return VERB_DONE;
}

/* Adds an id that is not among the first `known` ones; there has to be room. */
static void
add_id(struct cancel_request *request, uint64_t id, size_t known)
{
    for (size_t i = 0; i < known; i++)
        if (request->ids[i] == id)
            return;
    request->ids[request->count++] = id;
}

/* An id, or the name of one live task; the list is fetched for the first name. */
static int
take_task(pid_t pid, struct conn *conn, const char *text, struct task_list *list, uint64_t *ret_id)
{
    struct ps_options live = PS_OPTIONS_LIVE;
    struct conn_error error;

    if (parse_uint_text(text, 1, 1ull << 53, ret_id) == 0)
        return VERB_DONE;
    if (list->count == 0 && ps_fetch(conn, &live, list, &error) < 0)
        return verb_call_failed(&error);
    return ps_id_by_name(pid, list, text, ret_id);
}

/* The tasks on the command line. */
static int
take_tasks(pid_t pid, struct conn *conn, char **texts, size_t count, struct cancel_request *request)
{
    CLEANUP(task_list_done) struct task_list list = {0};
    int status = reserve_ids(request, count);

    for (size_t i = 0; i < count && status == VERB_DONE; i++) {
        uint64_t id;

        status = take_task(pid, conn, texts[i], &list, &id);
        if (status == VERB_DONE)
            add_id(request, id, request->count);
    }
    return status;
}

/* Shows what a filter hit and asks. On the terminal, since standard output may be a file. */
static bool
confirmed(const struct task_list *list)
{
    char answer[16] = "";

    (void)fprintf(stderr, "%zu task%s to cancel:\n", list->count, list->count == 1 ? "" : "s");
    for (size_t i = 0; i < list->count; i++) {
        char name[LOOPTOP_NAME_MAX * 2], coroutine[160];

        (void)fprintf(stderr, "  %llu  %s  %s\n", (unsigned long long)list->rows[i]->id,
            out_clean(name, sizeof(name), list->rows[i]->name),
            out_clean(coroutine, sizeof(coroutine),
                list->rows[i]->coroutine ? list->rows[i]->coroutine : ""));
    }
    if (list->count == 1)
        (void)fprintf(stderr, "Cancel it? [y/N] ");
    else
        (void)fprintf(stderr, "Cancel these %zu tasks? [y/N] ", list->count);
    (void)fflush(stderr);
    if (!fgets(answer, sizeof(answer), stdin))
        answer[0] = '\0';
    return answer[0] == 'y' || answer[0] == 'Y';
}

/* Adds the ids of the tasks that the filter hits, after asking. */
static int
take_matches(struct conn *conn, struct cancel_request *request)
{
    CLEANUP(task_list_done) struct task_list list = {0};
    struct conn_error error;
    size_t given = request->count;

    if (ps_fetch(conn, &request->match, &list, &error) < 0)
        return verb_call_failed(&error);
    if (list.count == 0)
        return verb_fail(VERB_NOT_SO, "no task matches '%s'", request->match.filter);
    if (!request->yes && !confirmed(&list))
        return verb_fail(VERB_NOT_SO, "nothing was cancelled");
    if (reserve_ids(request, list.count) != VERB_DONE)
        return VERB_NOT_SO;
    for (size_t i = 0; i < list.count; i++)
        add_id(request, list.rows[i]->id, given);
    return VERB_DONE;
}

static void
put_result(struct cancel_output *output, const struct cancel_result *result, bool json)
{
    char text[768], shown[768], name[128];
    struct json_out *out = &output->json;

    if (result->outcome > LOOPTOP_OUTCOME_FAILED)
        output->all_ended = false;
    cancel_describe(result, text, sizeof(text));
    if (!json) {
        (void)buf_printf(&output->buf, "%llu %s%s%s\n", (unsigned long long)result->id,
            out_clean(name, sizeof(name), result->name), result->name[0] ? " " : "",
            out_clean(shown, sizeof(shown), text));
        return;
    }
    json_out_object(out);
    json_out_kv_uint(out, "id", result->id);
    json_out_kv_string(out, "name", result->name);
    json_out_kv_string(out, "outcome", outcome_names[result->outcome]);
    json_out_kv_fixed(out, "after_s", (double)result->after_ns / 1e9, 6);
    json_out_kv_string(out, "at", result->at[0] ? result->at : NULL);
    json_out_kv_string(out, "reason", result->reason[0] ? result->reason : NULL);
    json_out_kv_string(out, "text", text);
    json_out_object_end(out);
}

static int
write_params(struct buf *params, const struct cancel_request *request, size_t first, size_t count)
{
    struct json_out out;

    json_out_init(&out, params);
    json_out_object(&out);
    json_out_key(&out, "ids");
    json_out_array(&out);
    for (size_t i = 0; i < count; i++)
        json_out_uint(&out, request->ids[first + i]);
    json_out_array_end(&out);
    if (request->message)
        json_out_kv_string(&out, "message", request->message);
    json_out_kv_uint(&out, "wait_ns", (uint64_t)request->wait_ns);
    json_out_object_end(&out);
    return buf_append(params, "", 1);
}

/* Cancels some of the tasks in one request. */
static int
cancel_some(struct conn *conn, const struct cancel_request *request, size_t first, size_t count,
    struct cancel_output *output)
{
    CLEANUP_FREE struct cancel_result *results = calloc(count, sizeof(*results));
    CLEANUP(buf_done) struct buf params;
    struct conn_error error;
    cJSON *result = NULL;
    int n;

    buf_init(&params, LOOPTOP_REQUEST_MAX);
    if (!results || write_params(&params, request, first, count) < 0)
        return verb_fail(VERB_NOT_SO, "no memory");
    if (conn_call(conn, "cancel", params.data, (int)(request->wait_ns / 1e6) + VERB_TIMEOUT_MS,
            &result, &error) < 0)
        return verb_call_failed(&error);
    n = cancel_decode(result, results, count);
    cJSON_Delete(result);
    if (n < 0)
        return verb_misread("cancel", n);
    if ((size_t)n < count)
        output->all_ended = false;
    for (int i = 0; i < n; i++)
        put_result(output, &results[i], request->json);
    return VERB_DONE;
}

static int
cancel_all(pid_t pid, struct conn *conn, const struct cancel_request *request)
{
    struct cancel_output output = {.all_ended = true};
    int status = VERB_DONE;

    buf_init(&output.buf, OUT_MAX);
    json_out_init(&output.json, &output.buf);
    if (request->json) {
        json_out_object(&output.json);
        ps_json_process(&output.json, pid, conn_hello(conn));
        json_out_key(&output.json, "results");
        json_out_array(&output.json);
    }
    for (size_t i = 0; i < request->count && status == VERB_DONE; i += LOOPTOP_CANCEL_MAX) {
        size_t left = request->count - i;

        status = cancel_some(
            conn, request, i, left < LOOPTOP_CANCEL_MAX ? left : LOOPTOP_CANCEL_MAX, &output);
        if (status != VERB_DONE && i == 0) {
            buf_done(&output.buf); /* nothing was done: no document */
            return status;
        }
    }
    if (request->json) {
        json_out_array_end(&output.json);
        json_out_object_end(&output.json);
        (void)buf_puts(&output.buf, "\n");
    }
    if (status == VERB_DONE && !output.all_ended)
        status = VERB_NOT_SO;
    return out_finish(&output.buf, status);
}

static void
cancel_request_done(struct cancel_request *request)
{
    free(request->ids);
}

static int
run(const struct verb *verb, int argc, char **argv)
{
    CLEANUP(verb_conn_done) struct conn *conn = NULL;
    CLEANUP(cancel_request_done)
    struct cancel_request request = {.match = PS_OPTIONS_LIVE, .wait_ns = WAIT_DEFAULT_NS};
    int c, status = VERB_DONE;
    pid_t pid;

    while ((c = verb_option(verb, argc, argv, ":m:M:w:yjh", options_long, &status)) > 0) {
        status = take_option(verb, c, &request);
        if (status != VERB_DONE)
            return status;
    }
    if (c == 0)
        return status;
    if (optind + 1 == argc && !request.match.filter)
        status = verb_misused(verb, "which tasks? Give their ids or names, or --match");
    else if (request.match.filter && !request.yes && !isatty(STDIN_FILENO))
        status = verb_misused(verb, "--match without a terminal to ask at needs --yes");
    if (status == VERB_DONE)
        status = verb_open_only(verb, optind < argc ? optind + 1 : argc, argv, &pid, &conn);
    if (status == VERB_DONE && optind + 1 < argc)
        status = take_tasks(pid, conn, argv + optind + 1, (size_t)(argc - optind - 1), &request);
    if (status == VERB_DONE && request.match.filter)
        status = take_matches(conn, &request);
    return status == VERB_DONE ? cancel_all(pid, conn, &request) : status;
}

const struct verb verb_cancel = {
    .name = "cancel",
    .arguments = "[OPTION]... PID [TASK]...",
    .summary = "Cancel tasks and say what became of each",
    .options = "  -m, --match EXPR    all tasks that this filter hits; lists them and asks\n"
               "  -y, --yes           do not ask\n"
               "  -M, --message TEXT  message of the CancelledError\n"
               "  -w, --wait TIME     how long to wait for the outcome (default 2s, at most 60s)\n"
               "      --force         attach though the program's owner has said no\n"
               "      --ascii         no characters beyond ASCII\n"
               "  -j, --json          one JSON document: see looptop-json(5)\n"
               "\nTASK is an id, or a name that only one live task has.\n"
               "Exits with 0 when all of them ended, else with 1.\n",
    .run = run,
    .takes_pid = true,
    .attach = CONN_ATTACH,
};
