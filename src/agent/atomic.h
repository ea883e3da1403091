/* SPDX-License-Identifier: MIT */
/*
 * Words that one side writes under the GIL and the io thread reads without it: relaxed loads and
 * stores, which on every machine of ours are plain moves. Whoever needs an order says so with
 * ATOMIC_RELEASE and ATOMIC_ACQUIRE.
 */
#ifndef LOOPTOP_AGENT_ATOMIC_H
#define LOOPTOP_AGENT_ATOMIC_H

#define LOAD(word) __atomic_load_n(&(word), __ATOMIC_RELAXED)
#define STORE(word, value) __atomic_store_n(&(word), (value), __ATOMIC_RELAXED)
/* a single writer adds without a locked instruction */
#define ADD(word, value) STORE(word, LOAD(word) + (value))
#define LOAD_ACQUIRE(word) __atomic_load_n(&(word), __ATOMIC_ACQUIRE)
#define STORE_RELEASE(word, value) __atomic_store_n(&(word), (value), __ATOMIC_RELEASE)

#endif
