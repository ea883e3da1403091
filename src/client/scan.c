/* SPDX-License-Identifier: MIT */
/*
 * A process that is known costs one stat(2) a look. It is known by its program's file: one that
 * took the number of another runs another program, or comes to be looked at again soon enough.
 */
#include "client/scan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "platform/proc.h"

#define PIDS_MAX 65536
#define AGAIN_NS 3000000000ull
#define YOUNG_NS 10000000000ull

static int
by_number(const void *a, const void *b)
{
    pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

    return (x > y) - (x < y);
}

/* Whether it is still what it was; fills in what it runs now. */
static bool
same_program(pid_t pid, const struct scan_process *former, struct scan_process *now)
{
    char path[64];
    struct stat st;

    now->pid = pid;
    (void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
    if (stat(path, &st) == 0) {
        now->device = st.st_dev;
        now->inode = st.st_ino;
    } else if (errno == EACCES || errno == EPERM) {
        now->closed = true;
    }
    return former && former->device == now->device && former->inode == now->inode;
}

static void
check(struct scan_process *process, uint64_t now_ns)
{
    uint64_t up_ns;

    if (discover(process->pid, &process->found) == -EACCES)
        process->closed = true;
    process->checked = true;
    process->checked_ns = now_ns;
    if (process->young_ns == 0)
        process->young_ns = proc_uptime_ns(NULL, process->pid, &up_ns) == 0 && up_ns < YOUNG_NS
                                ? now_ns + YOUNG_NS - up_ns
                                : now_ns;
}

static void
look_at(pid_t pid, const struct scan_process *former, uint64_t now_ns, struct scan_process *now)
{
    if (same_program(pid, former, now)) {
        *now = *former;
        now->checked = false;
        /* what is new changes: nothing of it is certain for a while */
        bool young = !now->found.loop && now->found.python && now_ns < now->young_ns;
        if (!young && now_ns < now->checked_ns + AGAIN_NS)
            return;
    }
    check(now, now_ns);
}

int
scan_look(struct scan *scan, uint64_t now_ns)
{
    CLEANUP_FREE pid_t *pids = calloc(PIDS_MAX, sizeof(*pids));
    struct scan next = {0};
    size_t count, old = 0;
    int r = pids ? proc_list(NULL, pids, PIDS_MAX, &count) : -ENOMEM;

    if (r < 0)
        return r;
    count = count < PIDS_MAX ? count : PIDS_MAX;
    next.items = calloc(count + 1, sizeof(*next.items));
    if (!next.items)
        return -ENOMEM;
    if (count > 0)
        qsort(pids, count, sizeof(*pids), by_number);
    for (size_t i = 0; i < count; i++) {
        while (old < scan->count && scan->items[old].pid < pids[i])
            old++;
        bool known = old < scan->count && scan->items[old].pid == pids[i];
        look_at(pids[i], known ? &scan->items[old] : NULL, now_ns, &next.items[next.count++]);
    }
    scan_done(scan);
    *scan = next;
    return 0;
}

void
scan_done(struct scan *scan)
{
    free(scan->items);
    *scan = (struct scan){0};
}
