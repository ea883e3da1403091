/* SPDX-License-Identifier: MIT */
/*
 * Bytes in, messages out. Lines are parsed when they are asked for, not when they arrive, so that
 * what a fast agent sends waits as text in one bounded buffer; no more is read while a whole line
 * waits. Before parsing, a line's values are counted: a tree takes some hundred bytes for each, and
 * a hostile line of 16 MiB could hold eight million.
 */
#include "client/conn.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/conn_fail.h"
#include "client/conn_impl.h"
#include "client/model/json_in.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/fmt.h"
#include "looptop/limits.h"
#include "looptop/protocol.h"
#include "proto/json_check.h"
#include "proto/json_out.h"
#include "vendor/cjson/cJSON.h"

#define CONN_SEND_MAX (1024 * 1024)
#define CONN_READ_SIZE (256 * 1024)
#define CONN_VALUES_MAX 1000000 /* JSON values in one line */
#define CONN_DEPTH_MAX 32       /* nesting of a line */
#define CONN_KEPT_MAX 64        /* messages set aside by conn_call */

struct kept {
    cJSON *message;
    uint64_t id;
};

struct conn {
    int fd;
    pid_t pid;
    struct buf in, out;
    size_t scanned;  /* bytes of `in` known to hold no newline */
    size_t line_len; /* length of the first whole line with its newline, 0: none yet */
    uint64_t last_id;
    bool closed;   /* the agent closed, or writing failed */
    bool overlong; /* a line over LOOPTOP_RESPONSE_MAX: where the next begins is not known */
    bool bad;      /* a message that was no JSON-RPC, not yet reported */
    struct kept kept[CONN_KEPT_MAX];
    size_t kept_count;
    struct conn_hello hello;
};

struct conn *
conn_close(struct conn *conn)
{
    if (!conn)
        return NULL;
    for (size_t i = 0; i < conn->kept_count; i++)
        cJSON_Delete(conn->kept[i].message);
    if (conn->fd >= 0)
        (void)close(conn->fd);
    buf_done(&conn->in);
    buf_done(&conn->out);
    free(conn);
    return NULL;
}

int
conn_fd(const struct conn *conn)
{
    return conn->fd;
}

bool
conn_wants_write(const struct conn *conn)
{
    return conn->out.len > 0 && !conn->closed;
}

int
conn_send(struct conn *conn, const char *method, const char *params, uint64_t *ret_id)
{
    size_t before = conn->out.len;
    struct json_out out;

    if (conn->closed)
        return -EPIPE;
    json_out_init(&out, &conn->out);
    json_out_object(&out);
    json_out_kv_string(&out, "jsonrpc", "2.0");
    json_out_kv_uint(&out, "id", conn->last_id + 1);
    json_out_kv_string(&out, "method", method);
    if (params) {
        json_out_key(&out, "params");
        json_out_raw(&out, params, strlen(params));
    }
    json_out_object_end(&out);
    if (buf_puts(&conn->out, "\n") < 0) {
        int error = conn->out.error;

        conn->out.error = 0;
        conn->out.len = before;
        return error == -E2BIG ? -ENOBUFS : error;
    }
    *ret_id = ++conn->last_id;
    return 0;
}

static void
pump_out(struct conn *conn)
{
    while (conn->out.len > 0) {
        ssize_t n = send(conn->fd, conn->out.data, conn->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            /* What the agent said before it closed is still to be read; the read finds the end. */
            if (errno != EAGAIN)
                buf_clear(&conn->out);
            return;
        }
        buf_consume(&conn->out, (size_t)n);
    }
}

static bool
find_line(struct conn *conn)
{
    const char *newline;

    if (conn->line_len > 0)
        return true;
    if (conn->in.len == conn->scanned)
        return false;
    newline = memchr(conn->in.data + conn->scanned, '\n', conn->in.len - conn->scanned);
    if (newline)
        conn->line_len = (size_t)(newline - conn->in.data) + 1;
    conn->scanned = conn->in.len;
    return newline != NULL;
}

/* Reads until a whole line waits or nothing more is there. */
static int
pump_in(struct conn *conn)
{
    while (!find_line(conn)) {
        ssize_t n;
        int r = buf_reserve(&conn->in, CONN_READ_SIZE);

        if (r == -E2BIG) {
            conn->overlong = true;
            return -EPROTO;
        }
        if (r < 0)
            return r;
        n = recv(conn->fd, conn->in.data + conn->in.len, CONN_READ_SIZE, MSG_DONTWAIT);
        if (n > 0) {
            conn->in.len += (size_t)n;
        } else if (n == 0) {
            conn->closed = true;
            return -EPIPE;
        } else if (errno == EAGAIN) {
            return 0;
        } else if (errno != EINTR) {
            conn->closed = true;
            return -EPIPE;
        }
    }
    return 0;
}

int
conn_pump(struct conn *conn)
{
    if (conn->overlong)
        return -EPROTO;
    if (conn->bad) {
        conn->bad = false;
        return -EPROTO;
    }
    if (conn->closed)
        return find_line(conn) ? 0 : -EPIPE;
    pump_out(conn);
    return pump_in(conn);
}

static bool
too_many_values(const char *line, size_t n)
{
    size_t values = 0;

    for (size_t i = 0; i < n; i++)
        values += line[i] == ',' || line[i] == '[' || line[i] == '{';
    return values > CONN_VALUES_MAX;
}

/* Checks the frame of a message. 0 and the id answered, 0 for a notification and for errors
 * without. */
static int
check_message(const cJSON *message, uint64_t *ret_id)
{
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(message, "jsonrpc");
    const cJSON *method = cJSON_GetObjectItemCaseSensitive(message, "method");
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(message, "id");
    const cJSON *result = cJSON_GetObjectItemCaseSensitive(message, "result");
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(message, "error");

    if (!cJSON_IsString(version) || strcmp(version->valuestring, "2.0") != 0)
        return -EPROTO;
    if (method) {
        *ret_id = 0;
        return cJSON_IsString(method) && !id ? 0 : -EPROTO;
    }
    if ((!result && !cJSON_IsObject(error)) || (result && error))
        return -EPROTO;
    if (error && cJSON_IsNull(id)) {
        *ret_id = 0;
        return 0;
    }
    return id && json_in_whole(id, ret_id) == 0 && *ret_id > 0 ? 0 : -EPROTO;
}

static cJSON *
parse_line(const char *line, size_t n)
{
    if (too_many_values(line, n) || json_check(line, n - 1, CONN_DEPTH_MAX, NULL, NULL) < 0)
        return NULL;
    return cJSON_ParseWithLength(line, n);
}

/* Takes the first line out of the buffer and parses it; NULL where it is no message. */
static cJSON *
take_line(struct conn *conn, uint64_t *ret_id)
{
    cJSON *message = parse_line(conn->in.data, conn->line_len);
    uint64_t id = 0;

    buf_consume(&conn->in, conn->line_len);
    conn->line_len = 0;
    conn->scanned = 0;
    if (!message || check_message(message, &id) < 0) {
        cJSON_Delete(message);
        conn->bad = true;
        return NULL;
    }
    *ret_id = id;
    return message;
}

static cJSON *
take_kept(struct conn *conn, uint64_t *ret_id)
{
    cJSON *message = conn->kept[0].message;

    *ret_id = conn->kept[0].id;
    conn->kept_count--;
    memmove(conn->kept, conn->kept + 1, conn->kept_count * sizeof(conn->kept[0]));
    return message;
}

cJSON *
conn_next(struct conn *conn, uint64_t *ret_id)
{
    if (conn->kept_count > 0)
        return take_kept(conn, ret_id);
    while (!conn->bad && find_line(conn)) {
        cJSON *message = take_line(conn, ret_id);

        if (message)
            return message;
    }
    return NULL;
}

/* Sets a message aside for conn_next; of too many the oldest goes. */
static void
keep(struct conn *conn, cJSON *message, uint64_t id)
{
    uint64_t unused;

    if (conn->kept_count == CONN_KEPT_MAX)
        cJSON_Delete(take_kept(conn, &unused));
    conn->kept[conn->kept_count++] = (struct kept){message, id};
}

/* An answer's `error` as ours; always negative. */
static int
protocol_error(const cJSON *message, const char *method, struct conn_error *error)
{
    const cJSON *inner = cJSON_GetObjectItemCaseSensitive(message, "error");
    char text[256];
    int64_t code;

    if (json_in_int(inner, "code", LOOPTOP_ERR_INTERNAL, &code) < 0 || code >= 0 ||
        code < INT32_MIN || json_in_text(inner, "message", text, sizeof(text)) < 0)
        return conn_fail(error, -EPROTO, "the agent's answer to `%s` is not understood", method);
    return conn_fail(error, (int)code, "%s", *text ? text : "the agent gave no reason");
}

static int
take_answer(cJSON *message, const char *method, cJSON **ret_result, struct conn_error *error)
{
    cJSON *result = cJSON_DetachItemFromObjectCaseSensitive(message, "result");
    int r = 0;

    if (result)
        *ret_result = result;
    else
        r = protocol_error(message, method, error);
    cJSON_Delete(message);
    return r;
}

static int
fail_broken(const struct conn *conn, int code, const char *method, struct conn_error *error)
{
    if (code == -EPIPE)
        return conn_fail(error, code,
            "the connection to process %d closed: it ended, or its agent was detached",
            (int)conn->pid);
    if (code == -EPROTO)
        return conn_fail(error, code,
            "process %d sent something that is not the protocol, in place of an answer to `%s`",
            (int)conn->pid, method);
    return conn_fail(error, code, "`%s`: %s", method, strerror(-code));
}

/* Waits until the socket can be read (or written, where something is queued). 0, -ETIMEDOUT,
 * -errno. */
static int
wait_ready(struct conn *conn, uint64_t deadline)
{
    uint64_t now = clock_monotonic_ns();
    struct pollfd p = {.fd = conn->fd, .events = POLLIN};
    int n;

    if (now >= deadline)
        return -ETIMEDOUT;
    if (conn_wants_write(conn))
        p.events |= POLLOUT;
    n = poll(&p, 1, (int)((deadline - now) / 1000000 + 1));
    return n < 0 && errno != EINTR ? -errno : 0;
}

/* Looks for the answer among the lines that are there. 1: found, and *ret_message is the caller's.
 */
static int
search_lines(struct conn *conn, uint64_t id, cJSON **ret_message)
{
    while (find_line(conn)) {
        uint64_t got;
        cJSON *message = take_line(conn, &got);

        if (!message) {
            conn->bad = false;
            return -EPROTO;
        }
        if (got == id || (got == 0 && cJSON_HasObjectItem(message, "error"))) {
            *ret_message = message;
            return 1;
        }
        keep(conn, message, got);
    }
    return 0;
}

int
conn_await(struct conn *conn, uint64_t id, const char *method, int timeout_ms, cJSON **ret_result,
    struct conn_error *error)
{
    uint64_t deadline = clock_monotonic_ns() + (uint64_t)timeout_ms * 1000000;
    cJSON *message;
    int r = 0;

    while (r == 0) {
        int broken = conn_pump(conn);

        r = search_lines(conn, id, &message);
        if (r > 0)
            return take_answer(message, method, ret_result, error);
        if (r == 0)
            r = broken;
        if (r == 0)
            r = wait_ready(conn, deadline);
    }
    if (r == -ETIMEDOUT)
        return conn_fail(error, r, "process %d gave no answer to `%s` within %g s", (int)conn->pid,
            method, timeout_ms / 1000.0);
    return fail_broken(conn, r, method, error);
}

int
conn_call(struct conn *conn, const char *method, const char *params, int timeout_ms,
    cJSON **ret_result, struct conn_error *error)
{
    uint64_t id;
    int r = conn_send(conn, method, params, &id);

    return r < 0 ? fail_broken(conn, r, method, error)
                 : conn_await(conn, id, method, timeout_ms, ret_result, error);
}

struct conn *
conn_new(int fd, pid_t pid)
{
    struct conn *conn = calloc(1, sizeof(*conn));

    if (!conn)
        return NULL;
    conn->fd = fd;
    conn->pid = pid;
    buf_init(&conn->in, LOOPTOP_RESPONSE_MAX + CONN_READ_SIZE);
    buf_init(&conn->out, CONN_SEND_MAX);
    return conn;
}

void
conn_set_hello(struct conn *conn, const struct conn_hello *hello)
{
    conn->hello = *hello;
}

const struct conn_hello *
conn_hello(const struct conn *conn)
{
    return &conn->hello;
}
