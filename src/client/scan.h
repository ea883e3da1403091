/* SPDX-License-Identifier: MIT */
/*
 * All processes there are, and what was discovered of each. What was found stays known between
 * looks, as long as the process runs the same program, and is looked for again from time to time:
 * an agent comes, a loop starts. One thread.
 */
#ifndef LOOPTOP_CLIENT_SCAN_H
#define LOOPTOP_CLIENT_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "attach/discover.h"

struct scan_process {
    pid_t pid;
    dev_t device; /* with inode: of the program it runs */
    ino_t inode;
    struct discovery found;
    uint64_t checked_ns; /* when it was discovered */
    uint64_t young_ns;   /* until then it is new, and likely to change */
    bool checked;        /* in the last look */
    bool closed;         /* ours, but not to be looked into */
};

struct scan {
    struct scan_process *items; /* owned, in the order of their pids */
    size_t count;
};

/* Looks at all processes. 0, -errno: they cannot be listed, and what was known stays. */
int scan_look(struct scan *scan, uint64_t now_ns);

void scan_done(struct scan *scan);

#endif
