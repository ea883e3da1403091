/* SPDX-License-Identifier: MIT */
/* Words for what goes wrong between us and an agent. Each function fills error and returns its
 * code. */
#ifndef LOOPTOP_CLIENT_CONN_FAIL_H
#define LOOPTOP_CLIENT_CONN_FAIL_H

#include <sys/types.h>

#include "client/conn.h"

int conn_fail(struct conn_error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* No connection could be made, for the reason code. */
int conn_fail_open(pid_t pid, int code, int timeout_ms, struct conn_error *error);

/* Connected, but nothing came back. */
int conn_fail_silent(pid_t pid, int timeout_ms, struct conn_error *error);

#endif
