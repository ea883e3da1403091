/* SPDX-License-Identifier: MIT */
/* See refusal.h. The rules of access are in ptrace(2), "Ptrace access mode checking"; the order
 * here is theirs. */
#include "attach/refusal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/fmt.h"
#include "platform/proc.h"

#define CAP_SYS_PTRACE_BIT 19
#define YAMA "/proc/sys/kernel/yama/ptrace_scope"

int
refuse(struct refusal *refusal, int code, pid_t pid, const char *format, ...)
{
    char who[PROC_DESCRIBE_SIZE], what[384], text[sizeof(refusal->text)];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(what, sizeof(what), format, ap);
    va_end(ap);
    (void)snprintf(text, sizeof(text), "%s %s", proc_describe(pid, who), what);
    (void)fmt_clean(refusal->text, sizeof(refusal->text), text);
    refusal->code = code;
    return code;
}

int
refuse_state(struct refusal *refusal, pid_t pid, const struct proc_status *status)
{
    char name[PROC_NAME_MAX] = "?";

    if (status->state == 'Z' || status->state == 'X')
        return refuse(refusal, -ESRCH, pid,
            "has ended: only its parent, process %d, has not taken note of it yet",
            (int)status->parent);
    if (!status->has_memory)
        return refuse(refusal, -ENOEXEC, pid, "is a part of the kernel, no program");
    if (status->tracer != 0) {
        (void)proc_thread_name(NULL, status->tracer, status->tracer, name, sizeof(name));
        return refuse(refusal, -EBUSY, pid,
            "is traced by process %d (%s) already: end that, or have it detach",
            (int)status->tracer, name);
    }
    if (status->state == 'T' || status->state == 't')
        return refuse(
            refusal, -EAGAIN, pid, "is stopped: continue it with `kill -CONT %d`", (int)pid);
    return 0;
}

/* The effective capabilities of this process. */
static bool
may_trace_any(void)
{
    char line[256];
    uint64_t capabilities = 0;
    FILE *file = fopen("/proc/self/status", "re");

    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "CapEff: %" SCNx64, &capabilities) == 1)
            break;
    if (file)
        (void)fclose(file);
    return capabilities >> CAP_SYS_PTRACE_BIT & 1;
}

/* -1: the kernel has no Yama. */
static int
yama_scope(void)
{
    char text[8] = "";
    CLEANUP_CLOSE int fd = open(YAMA, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
        return -1;
    return atoi(text);
}

/* Files in /proc of a process that may not be looked into are root's. */
static bool
is_undumpable(pid_t pid, const struct proc_status *status)
{
    char path[64];
    struct stat st;

    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    return stat(path, &st) == 0 && st.st_uid != status->euid;
}

static int
refuse_owner(struct refusal *refusal, pid_t pid, const struct proc_status *status)
{
    int scope = yama_scope();

    if (is_undumpable(pid, status))
        return refuse(refusal, -EPERM, pid,
            "does not let its own user look into it (it changed its user, or called "
            "prctl(PR_SET_DUMPABLE)): run looptop as root");
    if (scope == 3)
        return refuse(refusal, -EPERM, pid,
            "cannot be traced: kernel.yama.ptrace_scope is 3, which forbids it to everybody until "
            "the next boot; start the program with `looptop run` instead");
    if (scope > 0)
        return refuse(refusal, -EPERM, pid,
            "cannot be traced: kernel.yama.ptrace_scope is %d: run looptop with sudo, or "
            "`sysctl kernel.yama.ptrace_scope=0`, or start the program with `looptop run`",
            scope);
    return refuse(refusal, -EPERM, pid,
        "cannot be traced from here: looptop is confined (seccomp, or a container's limits): run "
        "it "
        "outside, or start the program with `looptop run`");
}

int
refuse_access(struct refusal *refusal, int error, pid_t pid, const struct proc_status *status)
{
    struct proc_status now;

    if (error == -ESRCH)
        return refuse(refusal, error, pid, "has ended meanwhile");
    /* it may have come to be so since */
    if (proc_status(NULL, pid, &now) == 0 && refuse_state(refusal, pid, &now) < 0)
        return refusal->code;
    if (error != -EPERM && error != -EACCES)
        return refuse(refusal, error, pid, "cannot be looked into: %s", strerror(-error));
    if (may_trace_any() && geteuid() == 0)
        return refuse(refusal, -EPERM, pid,
            "cannot be traced from here: it belongs to an outer user namespace, or looptop is "
            "confined: run looptop outside the container, or start the program with `looptop "
            "run`");
    if (geteuid() == 0)
        return refuse(refusal, -EPERM, pid,
            "cannot be traced: root needs the capability CAP_SYS_PTRACE for it (docker: "
            "--cap-add SYS_PTRACE)");
    if (status->uid != geteuid() || status->euid != geteuid())
        return refuse(refusal, -EPERM, pid,
            "belongs to user %u: run looptop as that user or as root", (unsigned)status->uid);
    return refuse_owner(refusal, pid, status);
}
