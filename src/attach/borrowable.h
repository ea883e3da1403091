/* SPDX-License-Identifier: MIT */
/* The threads of a process, as far as one of them can be borrowed. Reads /proc only. */
#ifndef LOOPTOP_ATTACH_BORROWABLE_H
#define LOOPTOP_ATTACH_BORROWABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define BORROWABLE_MAX 4096 /* threads that are looked at */

struct borrowable {
    pid_t tid;
    int rank; /* how little it is missed: see safe_point.h */
};

/*
 * Lists them, those first that are missed least; without the agent's own, and without those that no
 * signal wakes. Returns how many there are, 0 also where the process has ended.
 */
size_t borrowable_list(pid_t pid, struct borrowable threads[BORROWABLE_MAX]);

/* Whether a seccomp filter is in force for any of the process's threads: each has its own. */
bool borrowable_filtered(pid_t pid);

#endif
