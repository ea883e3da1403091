/* SPDX-License-Identifier: MIT */
/*
 * Brings the agent into a process that is already running, and gets a connection to it: nothing in
 * the process was prepared for it, and nothing there notices. Which way is chosen here: ptrace(2),
 * or where that cannot be, CPython's own remote debugging (PEP 768, 3.14 and later).
 */
#ifndef LOOPTOP_ATTACH_ATTACH_H
#define LOOPTOP_ATTACH_ATTACH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "attach/refusal.h"

struct attach_report {
    bool reused;       /* a sleeping agent was woken */
    bool by_pep768;    /* … and not by ptrace */
    pid_t tid;         /* the thread that was borrowed; 0 none */
    unsigned tries;    /* stops, until a thread stood at a safe point */
    uint64_t pause_ns; /* how long threads stood still, all together */
};

/*
 * Sees to it that an agent of ours runs in the process; agent_dir is where the agents' files are.
 * force: also where the process's owner has switched remote debugging off. Returns 0 when it
 * listens, or holds out a channel; 1 when it did so before already; or -errno, with the reason
 * said.
 */
int attach_start(pid_t pid, const char *agent_dir, bool force, struct attach_report *ret_report,
    struct refusal *refusal);

/*
 * A connection by the channel that the agent in a process holds out. Nothing is injected. 0;
 * -ENOENT: no agent, or none that holds out a channel; -ETIMEDOUT: others took it, time after time;
 * -errno: not ours to take.
 */
int attach_channel(pid_t pid, int timeout_ms, int *ret_fd);

#endif
