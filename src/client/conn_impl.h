/* SPDX-License-Identifier: MIT */
/* What conn_open.c and the tests need of conn.c beyond conn.h. */
#ifndef LOOPTOP_CLIENT_CONN_IMPL_H
#define LOOPTOP_CLIENT_CONN_IMPL_H

#include <sys/types.h>

#include "client/conn.h"

/* A connection over a connected, non-blocking socket, which it takes. NULL without memory. */
struct conn *conn_new(int fd, pid_t pid);

/* Sends `hello`, checks the answer, keeps it for conn_hello. 0, or negative with error filled. */
int conn_greet(struct conn *conn, pid_t target, int timeout_ms, struct conn_error *error);

void conn_set_hello(struct conn *conn, const struct conn_hello *hello);

#endif
