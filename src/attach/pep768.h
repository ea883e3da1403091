/* SPDX-License-Identifier: MIT */
/*
 * CPython's own remote debugging interface, PEP 768, of 3.14 and later: a thread is told to run a
 * script at the next moment at which it runs Python code. It serves where ptrace(2) cannot be used,
 * and is asked whether the process's owner has switched attaching off. A thread that only waits
 * never runs the script, which is why it is the second choice.
 */
#ifndef LOOPTOP_ATTACH_PEP768_H
#define LOOPTOP_ATTACH_PEP768_H

#include <stdbool.h>

#include "attach/carry.h"
#include "attach/refusal.h"
#include "attach/target.h"

/* Whether it is there, and switched off: -X disable-remote-debug. */
bool pep768_is_off(const struct target *target);

/* Whether it is there, and can be used from here. */
bool pep768_is_possible(const struct target *target);

/*
 * Has the agent loaded, by a file in the process's root that is removed with carry; waits until it
 * is. 0, or -errno with the reason said: -EAGAIN, no thread of it ran Python code in 10 s.
 */
int pep768_load(struct target *target, struct carry *carry, bool listen, struct refusal *refusal);

#endif
