/* SPDX-License-Identifier: MIT */
/*
 * For code that runs a few times between two long stretches of somebody else's, who leaves none of
 * it in the caches: what it costs is less its instructions than the cache lines and pages that it
 * fetches. So its functions stand side by side, its words too, and what is seldom done stands
 * elsewhere.
 */
#ifndef LOOPTOP_COMMON_HOT_H
#define LOOPTOP_COMMON_HOT_H

#define HOT_TEXT __attribute__((hot))
#define HOT_DATA __attribute__((section("looptop_hot")))
#define HOT_INLINE inline __attribute__((always_inline))
#define COLD __attribute__((cold, noinline))

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

#endif
