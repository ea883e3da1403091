/* SPDX-License-Identifier: MIT */
/* See loading.h. A thread that waits tells its stack pointer in /proc/PID/task/TID/syscall. */
#include "attach/loading.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach/safe_point.h"
#include "attach/trace.h"
#include "common/cleanup.h"

#define THREADS_MAX 4096
#define STOPS_MAX 8 /* running threads that are stopped; a program that holds the GIL has few */

/* "202 0x7f… … SP PC", or "-1 SP PC"; false: it runs. */
static bool
waiting_at(pid_t pid, pid_t tid, uint64_t *ret_sp)
{
    char path[64], text[256] = "";

    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", (int)pid, (int)tid);
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
        return false;
    char *last = strrchr(text, ' ');
    if (!last)
        return false;
    *last = '\0';
    const char *sp = strrchr(text, ' ');
    *ret_sp = sp ? strtoull(sp + 1, NULL, 16) : 0;
    return *ret_sp != 0;
}

static bool
running_at(const struct target *target, pid_t tid, uint64_t *ret_sp)
{
    CLEANUP(trace_release) struct trace trace = {0};
    CLEANUP_FREE struct arch_state *state = calloc(1, sizeof(*state));
    struct arch_point point;

    if (!state || trace_seize(tid, &trace) < 0 || trace_stop(&trace) < 0 ||
        arch_get(tid, state) < 0)
        return false;
    arch_look(&target->memory, state, &point);
    *ret_sp = point.sp;
    return true;
}

bool
loading_elsewhere(const struct target *target, pid_t own_tid, bool running)
{
    char path[64];
    const struct dirent *entry;
    unsigned stops = 0;
    bool found = false;

    (void)snprintf(path, sizeof(path), "/proc/%d/task", (int)target->pid);
    DIR *dir = opendir(path);
    for (unsigned i = 0; dir && !found && i < THREADS_MAX && (entry = readdir(dir)); i++) {
        pid_t tid = atoi(entry->d_name);
        uint64_t sp;

        if (tid <= 0 || tid == own_tid)
            continue;
        if (waiting_at(target->pid, tid, &sp) ||
            (running && stops++ < STOPS_MAX && running_at(target, tid, &sp)))
            found = safe_point_linker_above(target, sp);
    }
    if (dir)
        (void)closedir(dir);
    return found;
}
