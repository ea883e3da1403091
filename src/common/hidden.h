/* SPDX-License-Identifier: MIT */
/*
 * For the declaration of a variable that other files of the same shared object read on a hot path:
 * it is reached directly. -fvisibility=hidden covers definitions only; without this a declared
 * variable is looked up through the global offset table each time.
 */
#ifndef LOOPTOP_COMMON_HIDDEN_H
#define LOOPTOP_COMMON_HIDDEN_H

#define HIDDEN __attribute__((visibility("hidden")))

#endif
