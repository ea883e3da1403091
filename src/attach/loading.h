/* SPDX-License-Identifier: MIT */
/*
 * Whether another thread of a process is within the dynamic linker, whose lock a borrowed thread
 * would wait for: for as long as a constructor of a library runs, and for ever where that one waits
 * for the GIL and the borrowed thread holds it.
 */
#ifndef LOOPTOP_ATTACH_LOADING_H
#define LOOPTOP_ATTACH_LOADING_H

#include <stdbool.h>
#include <sys/types.h>

#include "attach/target.h"

/*
 * Looks at the stacks of all threads but one, for an address within the linker's code: one that is
 * left over from before is taken for one, too. running: threads that run are stopped for it, a few
 * of them; otherwise they are left out. trace_begin has to have been called.
 */
bool loading_elsewhere(const struct target *target, pid_t tid, bool running);

#endif
