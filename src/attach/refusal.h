/* SPDX-License-Identifier: MIT */
/*
 * Why a process cannot be attached to, in one line: what is so, and the way out. What the kernel
 * says is one word, EPERM, for a dozen reasons; which one it is, is found out in /proc.
 */
#ifndef LOOPTOP_ATTACH_REFUSAL_H
#define LOOPTOP_ATTACH_REFUSAL_H

#include <sys/types.h>

struct proc_status;

struct refusal {
    int code; /* negative errno */
    char text[512];
};

/* Fills it; returns code. The text begins with what the process is called: "process 7 (x.py)". */
int refuse(struct refusal *refusal, int code, pid_t pid, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Looking into the process, or tracing it, gave error. */
int refuse_access(struct refusal *refusal, int error, pid_t pid, const struct proc_status *status);

/* What its state alone forbids: it has ended, is the kernel's, is stopped or traced. 0: nothing. */
int refuse_state(struct refusal *refusal, pid_t pid, const struct proc_status *status);

#endif
