/* SPDX-License-Identifier: MIT */
/* Parts of a connection for those who take it apart: `ls` with many at once, and the tests. */
#ifndef LOOPTOP_CLIENT_CONN_IMPL_H
#define LOOPTOP_CLIENT_CONN_IMPL_H

#include <sys/types.h>

#include "client/conn.h"
#include "looptop/version.h"

struct cJSON;

#define CONN_TEXT(x) #x
#define CONN_TEXT_OF(x) CONN_TEXT(x)
#define CONN_HELLO_PARAMS                                                                          \
    "{\"client\":\"looptop " LOOPTOP_VERSION "\",\"protocol\":" CONN_TEXT_OF(LOOPTOP_PROTOCOL) "}"

/* A connection over a connected, non-blocking socket, which it takes. NULL without memory. */
struct conn *conn_new(int fd, pid_t pid);

/* conn_open without `hello`: never waits for the agent, but for room in its queue of connections.
 */
int conn_dial(pid_t pid, int timeout_ms, struct conn **ret_conn, struct conn_error *error);

/* The second half of conn_call: waits for the answer to a request that was sent. After -ETIMEDOUT
 * it may be waited for again. */
int conn_await(struct conn *conn, uint64_t id, const char *method, int timeout_ms,
    struct cJSON **ret_result, struct conn_error *error);

/* Sends `hello`, checks the answer, keeps it for conn_hello. 0, or negative with error filled. */
int conn_greet(struct conn *conn, pid_t target, int timeout_ms, struct conn_error *error);

/* The latter two, of an answer that came. */
int conn_accept_hello(
    struct conn *conn, pid_t target, const struct cJSON *result, struct conn_error *error);

void conn_set_hello(struct conn *conn, const struct conn_hello *hello);

#endif
