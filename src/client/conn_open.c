/* SPDX-License-Identifier: MIT */
/* From a pid to a connection: find the socket, see who serves it, agree on the protocol. */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "attach/attach.h"
#include "client/conn.h"
#include "client/conn_attach.h"
#include "client/conn_fail.h"
#include "client/conn_impl.h"
#include "client/model/json_in.h"
#include "client/model/process.h"
#include "looptop/limits.h"
#include "looptop/protocol.h"
#include "looptop/version.h"
#include "platform/find_client.h"
#include "platform/proc.h"
#include "platform/sock.h"
#include "vendor/cjson/cJSON.h"

#define STOPPED_MS 400
#define FRESH_TRIES 100
#define FRESH_PAUSE_NS 10000000

static int
read_hello(pid_t target, const cJSON *result, struct conn_hello *hello, struct conn_error *error)
{
    uint64_t protocol, pid, uid;

    if (!cJSON_IsObject(result) || json_in_uint(result, "protocol", 0, &protocol) < 0 ||
        json_in_text(result, "agent", hello->agent, sizeof(hello->agent)) < 0 ||
        json_in_text(result, "python", hello->python, sizeof(hello->python)) < 0 ||
        json_in_uint(result, "pid", 0, &pid) < 0 || pid > INT32_MAX ||
        json_in_uint(result, "uid", 0, &uid) < 0 || uid > UINT32_MAX ||
        json_in_bool(result, "readonly", false, &hello->readonly) < 0 ||
        json_in_double(result, "started_s", 0, &hello->started_s) < 0)
        return conn_fail(
            error, -EPROTO, "what answers in process %d is not a looptop agent", (int)target);
    hello->pid = (pid_t)pid;
    hello->uid = (uid_t)uid;
    if (protocol != LOOPTOP_PROTOCOL)
        return conn_fail(error, -EPROTO,
            "the agent in process %d is %s and speaks protocol %llu, this is looptop %s with "
            "protocol "
            "%d: use the looptop it was started with",
            (int)target, hello->agent, (unsigned long long)protocol, LOOPTOP_VERSION,
            LOOPTOP_PROTOCOL);
    return 0;
}

int
conn_accept_hello(struct conn *conn, pid_t target, const cJSON *result, struct conn_error *error)
{
    struct conn_hello hello = {0};
    int r = read_hello(target, result, &hello, error);

    if (r == 0)
        conn_set_hello(conn, &hello);
    return r;
}

int
conn_greet(struct conn *conn, pid_t target, int timeout_ms, struct conn_error *error)
{
    char who[PROC_DESCRIBE_SIZE];
    cJSON *result = NULL;
    int first_ms = timeout_ms < STOPPED_MS ? timeout_ms : STOPPED_MS;
    uint64_t id;
    int r = conn_send(conn, "hello", CONN_HELLO_PARAMS, &id);

    /* nobody answers in a process that is stopped; one that is looked at by a debugger, or gets its
     * share of the processor by being stopped, goes on soon */
    if (r < 0)
        return conn_fail_open(target, r, timeout_ms, error);
    r = conn_await(conn, id, "hello", first_ms, &result, error);
    if (r == -ETIMEDOUT && timeout_ms > first_ms && !process_stopped(target))
        r = conn_await(conn, id, "hello", timeout_ms - first_ms, &result, error);

    if (r == LOOPTOP_ERR_PROTOCOL)
        return conn_fail(error, -EPROTO,
            "the agent in %s speaks another protocol than looptop %s: use the looptop it was "
            "started with",
            proc_describe(target, who), LOOPTOP_VERSION);
    if (r == LOOPTOP_ERR_CLIENTS)
        return conn_fail(error, -EBUSY, "%d clients are connected to %s already: leave one of them",
            LOOPTOP_CLIENTS_MAX, proc_describe(target, who));
    if (r == -ETIMEDOUT)
        return conn_fail_silent(target, timeout_ms, error);
    if (r == 0)
        r = conn_accept_hello(conn, target, result, error);
    cJSON_Delete(result);
    return r;
}

/*
 * The socket's path may be the target's to choose: whoever listens has to be the process meant, or,
 * where that is not to be seen from here, at least its owner.
 */
static int
check_peer(int fd, pid_t pid, struct conn_error *error)
{
    struct proc_status status;
    pid_t peer;
    uid_t uid;
    int r = sock_peer(fd, &peer, &uid);

    if (r == 0)
        r = proc_status(NULL, pid, &status);
    if (r < 0)
        return conn_fail_open(pid, r, 0, error);
    if ((peer != 0 && peer != pid) || (uid != status.uid && uid != status.euid && uid != 0))
        return conn_fail(error, -EACCES,
            "the socket of process %d is served by process %d of user %u: not connecting", (int)pid,
            (int)peer, (unsigned)uid);
    return 0;
}

int
conn_dial(pid_t pid, int timeout_ms, struct conn **ret_conn, struct conn_error *error)
{
    char path[SOCK_PATH_SIZE];
    struct conn *conn;
    int fd, r = sock_find_agent(pid, path, sizeof(path));

    if (r == 0)
        r = sock_connect(path, timeout_ms, &fd);
    /* what was brought in has no path, but a channel for whoever may trace */
    if ((r == -ENOENT || r == -ECONNREFUSED) && attach_channel(pid, timeout_ms, &fd) == 0)
        r = 0;
    if (r < 0)
        return conn_fail_open(pid, r, timeout_ms, error);
    r = check_peer(fd, pid, error);
    conn = r == 0 ? conn_new(fd, pid) : NULL;
    if (!conn) {
        (void)close(fd);
        return r < 0 ? r : conn_fail_open(pid, -ENOMEM, timeout_ms, error);
    }
    *ret_conn = conn;
    return 0;
}

/* One that has just been taken out of service may be found on its way out. */
static int
dial_fresh(pid_t pid, int timeout_ms, struct conn **ret_conn, struct conn_error *error)
{
    const struct timespec pause = {.tv_nsec = FRESH_PAUSE_NS};
    int r = conn_dial(pid, timeout_ms, ret_conn, error);

    for (int i = 0; i < FRESH_TRIES && (r == -ENOENT || r == -ECONNREFUSED); i++) {
        (void)nanosleep(&pause, NULL);
        r = conn_dial(pid, timeout_ms, ret_conn, error);
    }
    return r;
}

int
conn_open(pid_t pid, enum conn_attach attach, int timeout_ms, struct conn **ret_conn,
    struct conn_error *error)
{
    struct conn *conn;
    int r = conn_dial(pid, timeout_ms, &conn, error);

    /* where it may not be looked into, attaching finds out what forbids it */
    bool absent = r == -ENOENT || r == -ECONNREFUSED || r == -EACCES || r == -ESRCH;
    if (absent && attach != CONN_PRESENT) {
        r = conn_attach(pid, attach == CONN_FORCE, error);
        if (r >= 0)
            r = dial_fresh(pid, timeout_ms, &conn, error);
    }
    if (r < 0)
        return r;
    r = conn_greet(conn, pid, timeout_ms, error);
    if (r < 0)
        conn = conn_close(conn);
    else
        *ret_conn = conn;
    return r;
}
