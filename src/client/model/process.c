/* SPDX-License-Identifier: MIT */
/* `python -X dev -m uvicorn app:app` is "uvicorn", `python /srv/app.py` is "app.py". */
#include "client/model/process.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "common/fmt.h"
#include "platform/proc.h"

#define ARGS_MAX 4096
#define DEPTH_MAX 4 /* workers of workers of.. */

static const char *
base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* The next argument, NULL: none. */
static const char *
next_arg(const char *arg, const char *end)
{
    arg += strlen(arg) + 1;
    return arg < end ? arg : NULL;
}

void
process_name_of(const char *args, size_t n, char *out, size_t size)
{
    const char *end = args + n, *program = args, *arg;

    if (n == 0) {
        fmt_clean(out, size, "");
        return;
    }
    bool python = strncmp(base_name(program), "python", 6) == 0;
    for (arg = next_arg(program, end); python && arg; arg = next_arg(arg, end)) {
        const char *value = next_arg(arg, end);
        if (strcmp(arg, "-m") == 0 && value) {
            fmt_clean(out, size, value);
            return;
        }
        if (strcmp(arg, "-c") == 0)
            break;
        if ((strcmp(arg, "-X") == 0 || strcmp(arg, "-W") == 0) && value)
            arg = value;
        else if (arg[0] != '-' && arg[0] != '\0') {
            fmt_clean(out, size, base_name(arg));
            return;
        }
    }
    fmt_clean(out, size, base_name(program));
}

/* What multiprocessing starts, by the code that it is started with. */
enum { HELPER_NONE, HELPER_WORKER, HELPER_FORK_SERVER, HELPER_TRACKER };

static const struct {
    const char *code, *what;
} helpers[] = {
    [HELPER_WORKER] = {"from multiprocessing.spawn import spawn_main", "worker"},
    [HELPER_FORK_SERVER] = {"from multiprocessing.forkserver import main", "fork server"},
    [HELPER_TRACKER] = {"from multiprocessing.resource_tracker import main", "resource tracker"},
};

static unsigned
helper_of(pid_t pid)
{
    char args[ARGS_MAX];
    const char *arg = args;
    size_t n = 0;

    if (proc_args(NULL, pid, args, sizeof args, &n) < 0 || n == 0)
        return HELPER_NONE;
    while (arg && strcmp(arg, "-c") != 0)
        arg = next_arg(arg, args + n);
    arg = arg ? next_arg(arg, args + n) : NULL;
    if (arg && strncmp(arg, "import sys; ", 12) == 0) /* the fork server's, from 3.15 on */
        arg += 12;
    for (unsigned i = HELPER_WORKER; arg && i < sizeof helpers / sizeof *helpers; i++)
        if (strncmp(arg, helpers[i].code, strlen(helpers[i].code)) == 0)
            return i;
    return HELPER_NONE;
}

/* The parent where it runs the same interpreter: one that adopted an orphan does not. 0: none. */
static pid_t
python_parent(pid_t pid)
{
    char own[PATH_MAX], others[PATH_MAX];
    struct proc_status status;

    if (proc_status(NULL, pid, &status) < 0 || proc_exe(NULL, pid, own, sizeof own) < 0 ||
        proc_exe(NULL, status.parent, others, sizeof others) < 0 || strcmp(own, others) != 0)
        return 0;
    return status.parent;
}

/* Who a helper works for, and as what; 0: it is none, or that cannot be said. */
static pid_t
owner_of(pid_t pid, const char **ret_what)
{
    unsigned helper = helper_of(pid);
    pid_t parent = helper != HELPER_NONE ? python_parent(pid) : 0;

    /* what a fork server starts is called as it is itself */
    if (helper == HELPER_FORK_SERVER && parent && helper_of(parent) == HELPER_FORK_SERVER) {
        helper = HELPER_WORKER;
        parent = python_parent(parent);
    }
    *ret_what = helpers[helper].what;
    return parent;
}

/* Takes the directories of the program off its command line; a title that it gave itself stays. */
static void
skip_directories(pid_t pid, char *command)
{
    char program[ARGS_MAX];
    size_t n;

    if (proc_args(NULL, pid, program, sizeof program, &n) < 0 || n == 0 || program[0] != '/' ||
        strchr(program, ' '))
        return;
    size_t directories = (size_t)(base_name(program) - program), len = strlen(command);
    if (directories < len)
        memmove(command, command + directories, len - directories + 1);
}

void
process_command(pid_t pid, char *out, size_t size)
{
    const char *what;
    pid_t owner;
    size_t n = 0;

    for (int depth = 0; depth < DEPTH_MAX && (owner = owner_of(pid, &what)) > 0; depth++) {
        int more = snprintf(out + n, size - n, "%s of %d: ", what, (int)owner);
        if (more < 0 || (size_t)more >= size - n)
            return;
        n += (size_t)more;
        pid = owner;
    }
    if (proc_cmdline(NULL, pid, out + n, size - n, &(size_t){0}) < 0)
        out[n] = '\0';
    skip_directories(pid, out + n);
}

void
process_describe(pid_t pid, char *name, size_t name_size, char *command, size_t command_size)
{
    const char *what, *own = NULL;
    char args[ARGS_MAX];
    pid_t owner;
    size_t n = 0;

    name[0] = '\0';
    process_command(pid, command, command_size);
    for (int depth = 0; depth < DEPTH_MAX && (owner = owner_of(pid, &what)) > 0; depth++) {
        own = own ? own : what;
        pid = owner;
    }
    if (proc_args(NULL, pid, args, sizeof args, &n) == 0)
        process_name_of(args, n, name, name_size);
    n = strlen(name);
    if (own && n > 0)
        snprintf(name + n, name_size - n, " %s", own);
}

bool
process_stopped(pid_t pid)
{
    struct proc_status status;

    return proc_status(NULL, pid, &status) == 0 && (status.state == 'T' || status.state == 't');
}

bool
process_ended(pid_t pid, uint64_t start_ns)
{
    struct proc_status status;
    uint64_t now_ns;
    int error = proc_status(NULL, pid, &status);

    if (error < 0)
        return error == -ESRCH;
    if (status.state == 'Z' || status.state == 'X')
        return true;
    return start_ns != 0 && proc_start_ns(NULL, pid, &now_ns) == 0 && now_ns != start_ns;
}
