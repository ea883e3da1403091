/* SPDX-License-Identifier: MIT */
/*
 * Has a thread of another process load the agent, or call it, by ptrace(2). The thread is chosen so
 * that it is missed least, stopped for a millisecond or two, at a point where it holds no lock of
 * malloc's or the linker's, and goes on as if nothing had been.
 */
#ifndef LOOPTOP_ATTACH_INJECT_H
#define LOOPTOP_ATTACH_INJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "attach/carry.h"
#include "attach/target.h"

#define INJECT_WHY 160

struct inject_report {
    pid_t tid;            /* the thread that was borrowed */
    uint64_t pause_ns;    /* how long threads stood still, all together */
    unsigned tries;       /* stops, until one was at a safe point */
    bool as_file;         /* no memfd could be used */
    int memfd;            /* the agent was in this descriptor of the process's; below 0: in none */
    char why[INJECT_WHY]; /* of a failure, words for what came in between */
};

/*
 * Loads the agent's file. It starts by itself when it is loaded: whether it was, target_refresh
 * shows. listen: it is to listen at a path.
 *
 * 0; -EPERM: not ours to trace; -ESRCH it has ended; -ENOTSUP: its threads use shadow stacks, or
 * run 32-bit code; -EAGAIN: no thread came to a safe point in time; -ENOSPC: neither a memfd nor a
 * file could be made; -ETIMEDOUT, -EFAULT: the call did not end, or badly.
 */
int inject_load(
    struct target *target, struct carry *carry, bool listen, struct inject_report *ret_report);

/* Calls the start function of the agent inside. Errors as above. */
int inject_start(struct target *target, bool listen, struct inject_report *ret_report);

/* Closes a descriptor of the process's. Errors as above. */
int inject_close(struct target *target, int fd, struct inject_report *ret_report);

#endif
