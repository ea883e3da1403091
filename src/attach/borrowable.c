/* SPDX-License-Identifier: MIT */
/* See borrowable.h. */
#include "attach/borrowable.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach/safe_point.h"
#include "common/cleanup.h"
#include "platform/proc.h"

static int
by_rank(const void *a, const void *b)
{
    const struct borrowable *x = a, *y = b;

    return x->rank != y->rank ? (x->rank < y->rank) - (x->rank > y->rank)
                              : (x->tid > y->tid) - (x->tid < y->tid);
}

/* "202 0x7f… 0x189 …" of /proc/PID/task/TID/syscall; "running" of one that is in no syscall. */
static int
rank_of(pid_t pid, pid_t tid)
{
    char path[64], text[128] = "";
    long number;
    unsigned long long first, second;

    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", (int)pid, (int)tid);
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0 ||
        sscanf(text, "%ld %llx %llx", &number, &first, &second) != 3)
        return 0;
    return safe_point_rank(number, second);
}

/* A thread of the agent's, which may be in the middle of what it would be called for. */
static bool
is_agents(pid_t pid, pid_t tid)
{
    char name[PROC_NAME_MAX];

    return proc_thread_name(NULL, pid, tid, name, sizeof(name)) == 0 &&
           strncmp(name, "looptop-", strlen("looptop-")) == 0;
}

/* One that no signal wakes cannot be stopped, and would be stopped by us when it wakes. */
static bool
is_asleep_for_good(pid_t tid)
{
    struct proc_status status;

    return proc_status(NULL, tid, &status) == 0 && status.state == 'D';
}

size_t
borrowable_list(pid_t pid, struct borrowable threads[BORROWABLE_MAX])
{
    char path[64];
    size_t count = 0;
    const struct dirent *entry;

    (void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    DIR *dir = opendir(path);
    while (dir && count < BORROWABLE_MAX && (entry = readdir(dir))) {
        pid_t tid = atoi(entry->d_name);
        if (tid > 0 && !is_agents(pid, tid) && !is_asleep_for_good(tid))
            threads[count++] = (struct borrowable){.tid = tid, .rank = rank_of(pid, tid)};
    }
    if (dir)
        (void)closedir(dir);
    qsort(threads, count, sizeof(threads[0]), by_rank);
    return count;
}

bool
borrowable_filtered(pid_t pid)
{
    char path[64];
    const struct dirent *entry;
    struct proc_status status;
    bool filtered = false;

    (void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    DIR *dir = opendir(path);
    for (unsigned i = 0; dir && !filtered && i < BORROWABLE_MAX && (entry = readdir(dir)); i++) {
        pid_t tid = atoi(entry->d_name);
        /* a thread's id names it in /proc, too, though it is not listed there */
        filtered = tid > 0 && proc_status(NULL, tid, &status) == 0 && status.seccomp != 0;
    }
    if (dir)
        (void)closedir(dir);
    return filtered;
}
