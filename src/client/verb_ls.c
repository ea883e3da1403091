/* SPDX-License-Identifier: MIT */
/*
 * looptop ls: the processes with an agent. All are asked at once and the answers taken as they
 * come, so that one that is stopped or overloaded costs the others LS_PATIENCE_MS at most, all
 * together.
 */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client/conn.h"
#include "client/conn_impl.h"
#include "client/model/process.h"
#include "client/model/status.h"
#include "client/out.h"
#include "client/ps.h"
#include "client/verb.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fmt.h"
#include "platform/find_client.h"
#include "platform/proc.h"
#include "platform/sock.h"
#include "vendor/cjson/cJSON.h"

#define LS_PATIENCE_MS 300
#define LS_DIAL_MS 20 /* for room in an agent's queue of connections */
#define LS_END_MS 200 /* for those that hang up to have ended */
#define LS_BATCH 64   /* agents asked at once; their answers are waited for before the next are */
#define LS_PIDS_MAX 65536

static const struct option options_long[] = {
    {"ascii", no_argument, NULL, 'A'},
    VERB_OPTION_JSON,
    VERB_OPTION_HELP,
    VERB_OPTION_END,
};

struct ls_process {
    pid_t pid;
    uid_t uid;
    struct conn *conn;     /* owned, while it is asked */
    struct status *status; /* owned; NULL: no answer */
    char python[32], agent[32];
    uint64_t hello_id, status_id;
    bool refused; /* it answered with an error: that is said, instead of figures */
    bool broken;  /* the connection ended before the answers: the process is about to, perhaps */
};

struct ls_list {
    struct ls_process *items; /* owned */
    size_t count, capacity;
};

static void
ls_list_done(struct ls_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        (void)conn_close(list->items[i].conn);
        free(list->items[i].status);
    }
    free(list->items);
}

/* Adds the process when something listens on its socket. */
static int
try_process(struct ls_list *list, pid_t pid)
{
    struct ls_process process = {.pid = pid};
    struct proc_status status;
    struct conn_error error;
    struct ls_process *items;
    int r = conn_dial(pid, LS_DIAL_MS, &process.conn, &error);

    /* A queue that is full is an agent that does not answer: listed, without figures. */
    if ((r < 0 && r != -ETIMEDOUT) || proc_status(NULL, pid, &status) < 0) {
        (void)conn_close(r < 0 ? NULL : process.conn);
        return 0;
    }
    process.uid = status.uid;
    if (r == 0 && (conn_send(process.conn, "hello", CONN_HELLO_PARAMS, &process.hello_id) < 0 ||
                      conn_send(process.conn, "status", NULL, &process.status_id) < 0))
        process.conn = conn_close(process.conn);
    if (list->count == list->capacity) {
        items = realloc(list->items, (list->capacity * 2 + 16) * sizeof(*items));
        if (!items) {
            (void)conn_close(process.conn);
            return -ENOMEM;
        }
        list->items = items;
        list->capacity = list->capacity * 2 + 16;
    }
    list->items[list->count++] = process;
    return 0;
}

static void
take_message(struct ls_process *process, const cJSON *message, uint64_t id)
{
    const cJSON *result = cJSON_GetObjectItemCaseSensitive(message, "result");
    struct conn_error error;

    if (!result) {
        process->refused = true;
    } else if (id == process->hello_id) {
        if (conn_accept_hello(process->conn, process->pid, result, &error) < 0) {
            process->refused = true;
            return;
        }
        (void)strcpy(process->python, conn_hello(process->conn)->python);
        (void)strcpy(process->agent, conn_hello(process->conn)->agent);
    } else if (id == process->status_id && !process->status) {
        process->status = malloc(sizeof(*process->status));
        if (process->status && status_decode(result, process->status) < 0) {
            free(TAKE(process->status));
            process->refused = true;
        }
    }
}

/* Reads what is there; closes the connection when nothing more is expected of it. */
static void
read_answers(struct ls_process *process)
{
    int r = conn_pump(process->conn);
    uint64_t id;
    cJSON *message;

    while ((message = conn_next(process->conn, &id))) {
        take_message(process, message, id);
        cJSON_Delete(message);
    }
    process->broken = r < 0;
    if (r < 0 || process->refused || (process->status && process->agent[0]))
        process->conn = conn_close(process->conn);
}

/* Waits for the answers of items from first on. */
static void
collect(struct ls_list *list, size_t first)
{
    uint64_t deadline = clock_monotonic_ns() + LS_PATIENCE_MS * 1000000ull;

    for (;;) {
        struct pollfd fds[LS_BATCH];
        size_t items[LS_BATCH], waiting = 0;
        uint64_t now = clock_monotonic_ns();

        for (size_t i = first; i < list->count; i++) {
            struct ls_process *process = &list->items[i];

            if (process->conn)
                read_answers(process);
            if (!process->conn || waiting == LS_BATCH)
                continue;
            items[waiting] = i;
            fds[waiting].fd = conn_fd(process->conn);
            fds[waiting].events = conn_wants_write(process->conn) ? POLLIN | POLLOUT : POLLIN;
            waiting++;
        }
        if (waiting == 0)
            return;
        if (now >= deadline) {
            for (size_t i = 0; i < waiting; i++)
                list->items[items[i]].conn = conn_close(list->items[items[i]].conn);
            return;
        }
        (void)poll(fds, waiting, (int)((deadline - now) / 1000000 + 1));
    }
}

static int
find_all(struct ls_list *list)
{
    CLEANUP_FREE pid_t *pids = calloc(LS_PIDS_MAX, sizeof(*pids));
    size_t count, first = 0;
    int r = pids ? proc_list(NULL, pids, LS_PIDS_MAX, &count) : -ENOMEM;

    for (size_t i = 0; r == 0 && i < count && i < LS_PIDS_MAX; i++) {
        r = try_process(list, pids[i]);
        if (list->count - first == LS_BATCH) {
            collect(list, first);
            first = list->count;
        }
    }
    collect(list, first);
    return r;
}

static bool
has_ended(pid_t pid)
{
    struct proc_status status;

    return proc_status(NULL, pid, &status) < 0 || status.state == 'Z' || status.state == 'X';
}

/* A process closes its files a moment before it is seen to have ended: that moment is waited for.
 */
static void
await_end(pid_t pid, uint64_t deadline)
{
    uint64_t now = clock_monotonic_ns();
    struct pollfd ended = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};

    if (ended.fd < 0)
        return;
    (void)poll(&ended, 1, now < deadline ? (int)((deadline - now) / 1000000 + 1) : 0);
    (void)close(ended.fd);
}

/* Removes what ended while it was asked: nothing can be said of it any more. */
static void
drop_ended(struct ls_list *list)
{
    size_t kept = 0;
    uint64_t deadline = clock_monotonic_ns() + LS_END_MS * 1000000ull;

    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].broken)
            await_end(list->items[i].pid, deadline);
        if (has_ended(list->items[i].pid)) {
            (void)conn_close(list->items[i].conn);
            free(list->items[i].status);
        } else {
            list->items[kept++] = list->items[i];
        }
    }
    list->count = kept;
}

/* Removes sockets that killed agents of our own left; a directory that is not ours is let be. */
static void
sweep(void)
{
    char dir[SOCK_PATH_SIZE];
    struct stat st;

    if (sock_dir(dir, sizeof(dir), false) == 0 && lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) &&
        st.st_uid == geteuid())
        (void)sock_sweep(dir);
}

static int
by_pid(const void *a, const void *b)
{
    pid_t x = ((const struct ls_process *)a)->pid, y = ((const struct ls_process *)b)->pid;

    return (x > y) - (x < y);
}

/* The loop that looks worst: of the largest lag. NULL: none. */
static const struct loop_status *
worst_loop(const struct status *status)
{
    const struct loop_status *worst = NULL;

    for (size_t i = 0; status && i < status->loops_count; i++)
        if (!worst || status->loops[i].lag_now_ns > worst->lag_now_ns)
            worst = &status->loops[i];
    return worst;
}

static void
put_user(char out[OUT_CELL_MAX], uid_t uid)
{
    const struct passwd *user = getpwuid(uid);

    if (user)
        (void)snprintf(out, OUT_CELL_MAX, "%s", user->pw_name);
    else
        (void)snprintf(out, OUT_CELL_MAX, "%u", (unsigned)uid);
}

static void
put_figure(const struct status *status, size_t column, char out[OUT_CELL_MAX])
{
    const struct loop_status *loop = worst_loop(status);
    char text[FMT_SIZE];

    (void)snprintf(out, OUT_CELL_MAX, "%s", fmt_unknown());
    if (!status)
        return;
    if (column == 4)
        (void)snprintf(out, OUT_CELL_MAX, "%llu", (unsigned long long)status->tasks);
    else if (column == 8)
        (void)snprintf(out, OUT_CELL_MAX, "%s", fmt_duration(text, (double)status->process_up_ns));
    else if (column == 3 && loop)
        (void)snprintf(out, OUT_CELL_MAX, "%s", loop->kind);
    else if (column == 5 && loop && loop->lag_now_ns != STATUS_UNKNOWN)
        (void)snprintf(out, OUT_CELL_MAX, "%s", fmt_duration(text, (double)loop->lag_now_ns));
    else if (column == 6 && loop && !isnan(loop->busy_pct))
        (void)snprintf(out, OUT_CELL_MAX, "%s%s", loop->busy_exact ? "" : out_at_least(),
            fmt_pct(text, loop->busy_pct));
}

static void
cell(const void *data, size_t row, size_t column, char out[OUT_CELL_MAX])
{
    const struct ls_process *process = &((const struct ls_list *)data)->items[row];
    char text[FMT_SIZE];
    uint64_t rss;

    switch (column) {
    case 0:
        (void)snprintf(out, OUT_CELL_MAX, "%d", (int)process->pid);
        break;
    case 1:
        put_user(out, process->uid);
        break;
    case 2:
        (void)snprintf(out, OUT_CELL_MAX, "%s",
            process->refused     ? "(refused)"
            : process->python[0] ? process->python
                                 : "(no answer)");
        break;
    case 7:
        (void)snprintf(out, OUT_CELL_MAX, "%s",
            proc_rss(NULL, process->pid, &rss) == 0 ? fmt_bytes(text, (double)rss) : fmt_unknown());
        break;
    case 9:
        process_command(process->pid, out, OUT_CELL_MAX);
        if (!out[0])
            (void)snprintf(out, OUT_CELL_MAX, "%s", fmt_unknown());
        break;
    default:
        put_figure(process->status, column, out);
        break;
    }
}

static void
put_table(struct buf *buf, const struct ls_list *list)
{
    static const struct out_column columns[] = {
        {"PID", true, false, 0, 0},
        {"USER", false, false, 0, 2},
        {"PYTHON", false, false, 0, 5},
        {"LOOP", false, false, 0, 6},
        {"TASKS", true, false, 0, 1},
        {"LAG", true, false, 0, 3},
        {"BUSY%", true, false, 0, 4},
        {"RSS", true, false, 0, 7},
        {"UP", true, false, 0, 8},
        {"COMMAND", false, false, 24, 0},
    };
    struct out_table table = {
        .columns = columns,
        .columns_count = sizeof(columns) / sizeof(columns[0]),
        .rows_count = list->count,
        .cell = cell,
        .data = list,
    };

    (void)out_table(buf, &table, out_width());
}

static void
json_figures(struct json_out *out, const struct status *status)
{
    const struct loop_status *loop = worst_loop(status);

    json_out_kv_string(out, "loop", loop ? loop->kind : NULL);
    if (status)
        json_out_kv_uint(out, "tasks", status->tasks);
    else
        json_out_kv_null(out, "tasks");
    if (loop && loop->lag_now_ns != STATUS_UNKNOWN)
        json_out_kv_fixed(out, "lag_ms", (double)loop->lag_now_ns / 1e6, 3);
    else
        json_out_kv_null(out, "lag_ms");
    json_out_kv_fixed(out, "busy_pct", loop ? loop->busy_pct : (double)NAN, 2);
    if (loop)
        json_out_kv_bool(out, "busy_exact", loop->busy_exact);
    else
        json_out_kv_null(out, "busy_exact");
}

static void
json_process(struct json_out *out, const struct ls_process *process)
{
    char cmdline[4096];
    uint64_t value;
    size_t len;

    json_out_object(out);
    json_out_kv_int(out, "pid", process->pid);
    json_out_kv_uint(out, "uid", process->uid);
    json_out_kv_string(out, "python", process->python[0] ? process->python : NULL);
    json_out_kv_string(out, "agent", process->agent[0] ? process->agent : NULL);
    json_figures(out, process->status);
    if (proc_rss(NULL, process->pid, &value) == 0)
        json_out_kv_uint(out, "rss_bytes", value);
    else
        json_out_kv_null(out, "rss_bytes");
    if (proc_uptime_ns(NULL, process->pid, &value) == 0)
        json_out_kv_fixed(out, "uptime_s", (double)value / 1e9, 2);
    else
        json_out_kv_null(out, "uptime_s");
    json_out_kv_string(out, "cmdline",
        proc_cmdline(NULL, process->pid, cmdline, sizeof(cmdline), &len) == 0 ? cmdline : NULL);
    json_out_object_end(out);
}

static void
put_json(struct buf *buf, const struct ls_list *list)
{
    struct json_out out;

    json_out_init(&out, buf);
    json_out_object(&out);
    json_out_key(&out, "processes");
    json_out_array(&out);
    for (size_t i = 0; i < list->count; i++)
        json_process(&out, &list->items[i]);
    json_out_array_end(&out);
    json_out_object_end(&out);
    (void)buf_puts(buf, "\n");
}

static int
show(bool json)
{
    CLEANUP(ls_list_done) struct ls_list list = {0};
    struct buf buf;
    int r = find_all(&list);

    if (r < 0)
        return verb_fail(VERB_NOT_SO, "cannot list processes: %s", strerror(-r));
    sweep();
    drop_ended(&list);
    if (list.count > 0)
        qsort(list.items, list.count, sizeof(*list.items), by_pid);
    buf_init(&buf, OUT_MAX);
    if (json)
        put_json(&buf, &list);
    else if (list.count > 0)
        put_table(&buf, &list);
    else
        (void)verb_fail(0,
            "no process with an agent: start one with `looptop run python app.py`, or "
            "try `looptop demo`");
    return out_finish(&buf, VERB_DONE);
}

static int
run(const struct verb *verb, int argc, char **argv)
{
    bool json = false;
    int c, status = VERB_DONE;

    while ((c = verb_option(verb, argc, argv, ":jh", options_long, &status)) > 0) {
        if (c == 'A')
            out_force_ascii();
        else
            json = true;
    }
    if (c == 0)
        return status;
    if (optind < argc)
        return verb_misused(verb, "'%s' is one argument too many", argv[optind]);
    return show(json);
}

const struct verb verb_ls = {
    .name = "ls",
    .arguments = "[OPTION]...",
    .summary = "List the processes that have an agent",
    .options = "      --ascii  no characters beyond ASCII\n"
               "  -j, --json   one JSON document: see looptop-json(5)\n",
    .run = run,
};
