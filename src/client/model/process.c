/* SPDX-License-Identifier: MIT */
/* `python -X dev -m uvicorn app:app` is "uvicorn", `python /srv/app.py` is "app.py". */
#include "client/model/process.h"

#include <errno.h>
#include <string.h>

#include "common/fmt.h"
#include "platform/proc.h"

#define ARGS_MAX 4096

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

void
process_describe(pid_t pid, char *name, size_t name_size, char *command, size_t command_size)
{
    char args[ARGS_MAX];
    size_t n = 0;

    name[0] = command[0] = '\0';
    if (proc_args(NULL, pid, args, sizeof args, &n) == 0)
        process_name_of(args, n, name, name_size);
    if (proc_cmdline(NULL, pid, command, command_size, &n) < 0)
        command[0] = '\0';
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
