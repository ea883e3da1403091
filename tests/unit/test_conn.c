/* SPDX-License-Identifier: MIT */
/* A connection over a socketpair whose other end the test holds: what it reads and says is exact.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/conn.h"
#include "client/conn_impl.h"
#include "looptop/limits.h"
#include "looptop/protocol.h"
#include "vendor/cjson/cJSON.h"

struct pair {
    struct conn *conn;
    int peer;
    pid_t writer; /* 0: none */
};

static int
setup(void **state)
{
    struct pair *pair = calloc(1, sizeof(*pair));
    int fds[2];

    if (!pair || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
        return -1;
    pair->conn = conn_new(fds[0], getpid());
    pair->peer = fds[1];
    *state = pair;
    return pair->conn ? 0 : -1;
}

static int
teardown(void **state)
{
    struct pair *pair = *state;

    (void)conn_close(pair->conn);
    if (pair->writer > 0) {
        (void)kill(pair->writer, SIGKILL);
        (void)waitpid(pair->writer, NULL, 0);
    }
    if (pair->peer >= 0)
        (void)close(pair->peer);
    free(pair);
    return 0;
}

static void
say(const struct pair *pair, const char *text)
{
    assert_int_equal(write(pair->peer, text, strlen(text)), strlen(text));
}

static void
hang_up(struct pair *pair)
{
    (void)close(pair->peer);
    pair->peer = -1;
}

/* What the connection wrote so far. */
static const char *
heard(const struct pair *pair)
{
    static char text[65536];
    ssize_t n = read(pair->peer, text, sizeof(text) - 1);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void
test_sends_requests(void **state)
{
    struct pair *pair = *state;
    uint64_t id;

    assert_false(conn_wants_write(pair->conn));
    assert_int_equal(conn_send(pair->conn, "status", NULL, &id), 0);
    assert_int_equal(id, 1);
    assert_true(conn_wants_write(pair->conn));
    assert_int_equal(conn_send(pair->conn, "stack", "{\"id\":7}", &id), 0);
    assert_int_equal(id, 2);
    assert_int_equal(conn_pump(pair->conn), 0);
    assert_false(conn_wants_write(pair->conn));
    assert_string_equal(heard(pair),
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"stack\",\"params\":{\"id\":7}}\n");
}

#define HEAD "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":\"\"}"

/* Reads until nothing more is queued: n bytes, then this text at the end. */
static void
assert_all_heard(const struct pair *pair, size_t n, const char *end)
{
    size_t got = 0, len = strlen(end);
    char last[256] = "";

    do {
        const char *piece;
        size_t size;

        assert_int_equal(conn_pump(pair->conn), 0);
        piece = heard(pair);
        size = strlen(piece);
        if (size >= len)
            (void)snprintf(last, sizeof(last), "%s", piece + size - len);
        got += size;
    } while (conn_wants_write(pair->conn) || got < n + len);
    assert_int_equal(got, n + len);
    assert_string_equal(last, end);
}

static void
test_bounds_what_is_queued(void **state)
{
    struct pair *pair = *state;
    size_t n = 300000;
    char *params = malloc(n + 3);
    uint64_t id, last = 0;
    int r;

    assert_non_null(params);
    params[0] = '"';
    memset(params + 1, 'x', n);
    (void)strcpy(params + 1 + n, "\"");
    while ((r = conn_send(pair->conn, "m", params, &id)) == 0) {
        assert_int_equal(id, last + 1);
        last = id;
        assert_true(last < 10);
    }
    assert_int_equal(r, -ENOBUFS);
    assert_int_equal(last, 3);
    /* What was refused left nothing behind, and the connection goes on. */
    assert_int_equal(conn_send(pair->conn, "last", NULL, &id), 0);
    assert_int_equal(id, last + 1);
    assert_all_heard(
        pair, 3 * (n + sizeof(HEAD)), "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"last\"}\n");
    free(params);
}

static void
test_hands_out_messages(void **state)
{
    struct pair *pair = *state;
    uint64_t id = 99;
    cJSON *message;

    say(pair, "{\"jsonrpc\":\"2.0\",\"id\":5,\"res");
    assert_int_equal(conn_pump(pair->conn), 0);
    assert_null(conn_next(pair->conn, &id));
    say(pair, "ult\":{}}\n{\"jsonrpc\":\"2.0\",\"method\":\"update\",\"params\":{}}\n"
              "{\"jsonrpc\":\"2.0\",\"id\":6,\"error\":{\"code\":-1}}\n{\"jsonrpc\"");
    assert_int_equal(conn_pump(pair->conn), 0);
    message = conn_next(pair->conn, &id);
    assert_non_null(cJSON_GetObjectItem(message, "result"));
    assert_int_equal(id, 5);
    cJSON_Delete(message);
    message = conn_next(pair->conn, &id);
    assert_non_null(cJSON_GetObjectItem(message, "method"));
    assert_int_equal(id, 0);
    cJSON_Delete(message);
    message = conn_next(pair->conn, &id);
    assert_int_equal(id, 6);
    cJSON_Delete(message);
    assert_null(conn_next(pair->conn, &id));
}

static void
test_counts_what_is_no_message(void **state)
{
    static const char *const lines[] = {
        "garbage\n",
        "\n",
        "7\n",
        "[]\n",
        "{}\n",
        "{\"jsonrpc\":\"1.0\",\"id\":1,\"result\":1}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":1}\n",
        "{\"jsonrpc\":\"2.0\",\"result\":1}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":1}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":1}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"result\":1}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":1}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":7}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1,\"error\":{}}\n",
        "{\"jsonrpc\":\"2.0\",\"method\":7}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1} x\n",
    };
    struct pair *pair = *state;
    uint64_t id;
    cJSON *message;

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        say(pair, lines[i]);
        say(pair, "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":1}\n");
        assert_int_equal(conn_pump(pair->conn), 0);
        if (conn_next(pair->conn, &id))
            fail_msg("taken: %s", lines[i]);
        assert_int_equal(conn_pump(pair->conn), -EPROTO);
        /* Said once; the next line is fine. */
        assert_int_equal(conn_pump(pair->conn), 0);
        message = conn_next(pair->conn, &id);
        assert_non_null(message);
        assert_int_equal(id, 5);
        cJSON_Delete(message);
    }
}

/* Writes n bytes of filler from a child, since no socket holds that much. */
static void
fill(struct pair *pair, const char *head, const char *unit, size_t n, const char *tail)
{
    pid_t pid = fork();

    if (pid == 0) {
        size_t len = strlen(unit), size = 64 * 1024 / len * len, left = n;
        char *chunk = malloc(size);

        (void)signal(SIGPIPE, SIG_DFL);
        (void)close(conn_fd(pair->conn)); /* or nobody would be told that the reader went */
        (void)fcntl(pair->peer, F_SETFL, 0);
        for (size_t i = 0; i < size; i += len)
            memcpy(chunk + i, unit, len);
        if (write(pair->peer, head, strlen(head)) < 0)
            _exit(1);
        while (left > 0) {
            size_t piece = left < size ? left : size;

            if (write(pair->peer, chunk, piece) != (ssize_t)piece)
                _exit(1);
            left -= piece;
        }
        _exit(write(pair->peer, tail, strlen(tail)) < 0);
    }
    assert_true(pid > 0);
    pair->writer = pid;
}

static void
test_bounds_a_line(void **state)
{
    struct pair *pair = *state;
    struct conn_error error;
    cJSON *result = NULL;

    fill(pair, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"", "x", 40 * 1024 * 1024, "\"}\n");
    assert_int_equal(conn_call(pair->conn, "m", NULL, 20000, &result, &error), -EPROTO);
    assert_null(result);
    assert_true(strlen(error.text) > 10);
    /* Where the next line begins is not known: it stays broken. */
    assert_int_equal(conn_pump(pair->conn), -EPROTO);
}

static void
test_bounds_values_of_a_line(void **state)
{
    struct pair *pair = *state;
    struct conn_error error;
    cJSON *result = NULL;

    fill(pair, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[1", ",1", 8 * 1024 * 1024, "]}\n");
    assert_int_equal(conn_call(pair->conn, "m", NULL, 20000, &result, &error), -EPROTO);
    assert_null(result);
}

static void
test_calls(void **state)
{
    struct pair *pair = *state;
    struct conn_error error;
    cJSON *result = NULL, *kept;
    uint64_t id;

    say(pair, "{\"jsonrpc\":\"2.0\",\"method\":\"update\",\"params\":{}}\n"
              "{\"jsonrpc\":\"2.0\",\"id\":8,\"result\":1}\n"
              "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":1}}\n");
    assert_int_equal(conn_call(pair->conn, "m", NULL, 5000, &result, &error), 0);
    assert_non_null(cJSON_GetObjectItem(result, "a"));
    cJSON_Delete(result);
    kept = conn_next(pair->conn, &id);
    assert_int_equal(id, 0);
    cJSON_Delete(kept);
    kept = conn_next(pair->conn, &id);
    assert_int_equal(id, 8);
    cJSON_Delete(kept);
    assert_null(conn_next(pair->conn, &id));
}

static void
test_calls_that_fail(void **state)
{
    struct pair *pair = *state;
    struct conn_error error;
    cJSON *result = NULL;

    say(pair, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32003,\"message\":\"no \\u001b "
              "task\"}}\n");
    assert_int_equal(conn_call(pair->conn, "m", NULL, 5000, &result, &error), LOOPTOP_ERR_NO_TASK);
    assert_int_equal(error.code, LOOPTOP_ERR_NO_TASK);
    assert_string_equal(error.text, "no ? task");
    /* One without an id, as the agent sends to a client too many, ends what is waited for. */
    say(pair,
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32006,\"message\":\"many\"}}\n");
    assert_int_equal(conn_call(pair->conn, "m", NULL, 5000, &result, &error), LOOPTOP_ERR_CLIENTS);
    /* A code that is none. */
    say(pair, "{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":5}}\n");
    assert_int_equal(conn_call(pair->conn, "m", NULL, 5000, &result, &error), -EPROTO);
    assert_int_equal(conn_call(pair->conn, "m", NULL, 20, &result, &error), -ETIMEDOUT);
    assert_non_null(strstr(error.text, "`m`"));
    say(pair, "garbage\n");
    assert_int_equal(conn_call(pair->conn, "m", NULL, 5000, &result, &error), -EPROTO);
    assert_null(result);
}

static void
test_reads_on_after_the_end(void **state)
{
    struct pair *pair = *state;
    struct conn_error error;
    cJSON *result = NULL;
    uint64_t id;

    say(pair, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}\n{\"jsonrpc\":\"2.0\",\"id\":2,"
              "\"result\":2}\n");
    hang_up(pair);
    assert_int_equal(conn_call(pair->conn, "m", NULL, 5000, &result, &error), 0);
    cJSON_Delete(result);
    result = NULL;
    while (conn_pump(pair->conn) == 0) {
        cJSON *message = conn_next(pair->conn, &id);

        assert_non_null(message);
        assert_int_equal(id, 2);
        cJSON_Delete(message);
    }
    assert_int_equal(conn_call(pair->conn, "m", NULL, 5000, &result, &error), -EPIPE);
    assert_int_equal(conn_send(pair->conn, "m", NULL, &id), -EPIPE);
}

static void
test_greets(void **state)
{
    struct pair *pair = *state;
    struct conn_error error;

    say(pair,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocol\":1,\"agent\":\"0.1.0\",\"pid\":7,"
        "\"uid\":1000,\"readonly\":true,\"python\":\"3.13.5\",\"started_s\":2.5}}\n");
    assert_int_equal(conn_greet(pair->conn, 7, 5000, &error), 0);
    assert_string_equal(heard(pair),
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\",\"params\":{\"client\":\"looptop "
        "0.1.0\",\"protocol\":1}}\n");
    assert_int_equal(conn_hello(pair->conn)->pid, 7);
    assert_int_equal(conn_hello(pair->conn)->uid, 1000);
    assert_true(conn_hello(pair->conn)->readonly);
    assert_string_equal(conn_hello(pair->conn)->python, "3.13.5");
}

static void
test_refuses_other_greetings(void **state)
{
    static const struct {
        const char *answer;
        int code;
    } cases[] = {
        {"\"result\":{\"protocol\":2}", -EPROTO},
        {"\"result\":{}", -EPROTO},
        {"\"result\":7", -EPROTO},
        {"\"result\":{\"protocol\":1,\"pid\":\"x\"}", -EPROTO},
        {"\"error\":{\"code\":-32001,\"message\":\"m\"}", -EPROTO},
        {"\"error\":{\"code\":-32006,\"message\":\"m\"}", -EBUSY},
    };
    struct pair *pair = *state;
    struct conn_error error;
    char line[256];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void)snprintf(
            line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":%zu,%s}\n", i + 1, cases[i].answer);
        say(pair, line);
        assert_int_equal(conn_greet(pair->conn, getpid(), 5000, &error), cases[i].code);
        assert_true(strlen(error.text) > 10);
        assert_null(strchr(error.text, '\n'));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sends_requests, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bounds_what_is_queued, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hands_out_messages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_counts_what_is_no_message, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bounds_a_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bounds_values_of_a_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_calls, setup, teardown),
        cmocka_unit_test_setup_teardown(test_calls_that_fail, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reads_on_after_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_greets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses_other_greetings, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
