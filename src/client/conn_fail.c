/* SPDX-License-Identifier: MIT */
/*
 * Texts of failed connections. Each says what is not so, why, and what the user can do, as far as
 * /proc tells it.
 */
#include "client/conn_fail.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/model/process.h"
#include "common/fmt.h"
#include "platform/proc.h"

#define MAPS_LINES_MAX 65536

int
conn_fail(struct conn_error *error, int code, const char *format, ...)
{
    char text[sizeof(error->text)];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    error->code = code;
    (void)fmt_clean(error->text, sizeof(error->text), text);
    return code;
}

int
conn_fail_silent(pid_t pid, int timeout_ms, struct conn_error *error)
{
    char who[PROC_DESCRIBE_SIZE];

    if (process_stopped(pid))
        return conn_fail(error, -ETIMEDOUT, "%s is stopped: continue it with `kill -CONT %d`",
            proc_describe(pid, who), (int)pid);
    return conn_fail(error, -ETIMEDOUT,
        "the agent in %s did not answer within %g s: try again, or see whether the machine is "
        "overloaded",
        proc_describe(pid, who), timeout_ms / 1000.0);
}

static bool
maps_libpython(pid_t pid)
{
    char path[64], line[PATH_MAX + 128];
    bool found = false;

    (void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "re");
    if (!maps)
        return false;
    for (size_t i = 0; i < MAPS_LINES_MAX && !found && fgets(line, sizeof(line), maps); i++)
        found = strstr(line, "libpython") != NULL;
    (void)fclose(maps);
    return found;
}

/* Neither its program nor a library of it is called Python; false where that cannot be seen. */
static bool
is_other(pid_t pid)
{
    char exe[PATH_MAX];

    if (proc_exe(NULL, pid, exe, sizeof(exe)) < 0)
        return false;
    const char *name = strrchr(exe, '/');
    return !strstr(name ? name : exe, "python") && !maps_libpython(pid);
}

/* There is a process, but no agent in it. */
static int
fail_absent(pid_t pid, struct conn_error *error)
{
    char who[PROC_DESCRIBE_SIZE], value[4];

    if (is_other(pid))
        return conn_fail(error, -ENOENT,
            "%s is no CPython program: `looptop ls` lists those that run an event loop",
            proc_describe(pid, who));
    if (proc_environ(NULL, pid, "LOOPTOP", value, sizeof(value)) == 0 && strcmp(value, "0") == 0)
        return conn_fail(error, -ENOENT,
            "no agent in %s: it was disabled by LOOPTOP=0 in its environment",
            proc_describe(pid, who));
    return conn_fail(error, -ENOENT, "no agent in %s: none was brought in, or it was detached",
        proc_describe(pid, who));
}

int
conn_fail_open(pid_t pid, int code, int timeout_ms, struct conn_error *error)
{
    struct proc_status status;
    char who[PROC_DESCRIBE_SIZE];

    switch (code) {
    case -ESRCH:
        return conn_fail(error, code,
            "no process %d: `looptop ls` lists those that run an event loop", (int)pid);
    case -ENOENT:
    case -ECONNREFUSED:
        return fail_absent(pid, error);
    case -EACCES:
    case -EPERM:
        if (proc_status(NULL, pid, &status) == 0 && status.uid != geteuid())
            return conn_fail(error, -EACCES,
                "%s belongs to user %u: run looptop as that user or as root",
                proc_describe(pid, who), (unsigned)status.uid);
        if (geteuid() == 0)
            return conn_fail(error, -EACCES,
                "%s cannot be looked into: it, or looptop, is confined", proc_describe(pid, who));
        return conn_fail(error, -EACCES,
            "%s: permission denied: run looptop as its owner or as root", proc_describe(pid, who));
    case -ETIMEDOUT:
        return conn_fail_silent(pid, timeout_ms, error);
    default:
        return conn_fail(error, code, "cannot connect to the agent in %s: %s",
            proc_describe(pid, who), strerror(-code));
    }
}
