/* SPDX-License-Identifier: MIT */
/*
 * Whether a stopped thread may be made to call dlopen(3) where it stands: not while it holds, or
 * is about to take, a lock of the allocator or of the dynamic linker, and not within a signal
 * handler. Pure but for reading memory; errs on the side of no.
 */
#ifndef LOOPTOP_ATTACH_SAFE_POINT_H
#define LOOPTOP_ATTACH_SAFE_POINT_H

#include <stdbool.h>
#include <stddef.h>

#include "attach/arch.h"
#include "attach/target.h"

#define SAFE_POINT_WHY 96

/* False: why says where it stands instead. */
bool safe_point(const struct target *target, const struct arch_state *state,
    const struct arch_point *point, char why[SAFE_POINT_WHY]);

/* Whether the linker's code is on a stack near this address, or nothing can be read there. */
bool safe_point_linker_above(const struct target *target, uint64_t sp);

/*
 * How little calling in a thread that waits in a syscall disturbs: the more the better, 0 of one
 * that is not in such. second is the syscall's second argument.
 */
int safe_point_rank(long number, uint64_t second);

#endif
