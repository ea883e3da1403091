/* SPDX-License-Identifier: MIT */
/*
 * A connection to one agent: finds its socket, sends requests, hands out answers. Not thread-safe.
 * Reading is bounded by LOOPTOP_RESPONSE_MAX; whatever the other side sends is hostile.
 */
#ifndef LOOPTOP_CLIENT_CONN_H
#define LOOPTOP_CLIENT_CONN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct cJSON;
struct conn;

/* Why something failed, as a person reads it: what, why, what to do. One line. */
struct conn_error {
    int code; /* negative errno, or an error code of the protocol */
    char text[512];
};

/* What is done where no agent is inside. */
enum conn_attach {
    CONN_PRESENT, /* nothing: there has to be one */
    CONN_ATTACH,  /* it is brought in */
    CONN_FORCE, /* … also where the program's owner has said no, by LOOPTOP=0 or Python's switch */
};

/*
 * Connects to the agent inside a process and checks its protocol version (sends `hello`). 0:
 * *ret_conn is owned. Errors, with error filled: -ESRCH no such process, -ENOENT no agent inside,
 * -EACCES not ours to connect to, -EPROTO another protocol version, -EBUSY too many clients,
 * -ETIMEDOUT, other -errno.
 */
int conn_open(pid_t pid, enum conn_attach attach, int timeout_ms, struct conn **ret_conn,
    struct conn_error *error);

/* Closes and frees; NULL-safe; returns NULL. */
struct conn *conn_close(struct conn *conn);

/* For poll(2); conn_wants_write says whether POLLOUT matters now. */
int conn_fd(const struct conn *conn);
bool conn_wants_write(const struct conn *conn);

/*
 * Queues a request; params is JSON text or NULL. Never blocks. 0 and the request's id, or -errno
 * (-ENOBUFS: more than 1 MiB is queued already).
 */
int conn_send(struct conn *conn, const char *method, const char *params, uint64_t *ret_id);

/* Writes what can be written and reads what is there, without blocking. 0, -EPIPE: the agent is
 * gone. */
int conn_pump(struct conn *conn);

/*
 * The next whole message, or NULL: owned by the caller. *ret_id is the request it answers, 0 for a
 * notification; of messages that are not JSON-RPC nothing is handed out, they count as -EPROTO in
 * pump.
 */
struct cJSON *conn_next(struct conn *conn, uint64_t *ret_id);

/*
 * Sends and waits for the answer, handing over `result`, owned. Notifications in between are kept
 * for conn_next. Errors: -errno, -ETIMEDOUT, or the protocol's (negative, below -32000) with error
 * filled.
 */
int conn_call(struct conn *conn, const char *method, const char *params, int timeout_ms,
    struct cJSON **ret_result, struct conn_error *error);

/* From the agent's answer to `hello`. Valid as long as conn. */
struct conn_hello {
    pid_t pid;
    uid_t uid;
    bool readonly;
    char agent[32];
    char python[32];
    double started_s;
};
const struct conn_hello *conn_hello(const struct conn *conn);

#endif
