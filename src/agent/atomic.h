/* SPDX-License-Identifier: MIT */
/*
 * Words that one side writes under the GIL and the io thread reads without it: relaxed loads and
 * stores, which on every machine of ours are plain moves. Whoever needs an order says so with
 * ATOMIC_RELEASE and ATOMIC_ACQUIRE.
 */
#ifndef LOOPTOP_AGENT_ATOMIC_H
#define LOOPTOP_AGENT_ATOMIC_H

#include <stddef.h>

#define LOAD(word) __atomic_load_n(&(word), __ATOMIC_RELAXED)
#define STORE(word, value) __atomic_store_n(&(word), (value), __ATOMIC_RELAXED)
/* a single writer adds without a locked instruction */
#define ADD(word, value) STORE(word, LOAD(word) + (value))
#define LOAD_ACQUIRE(word) __atomic_load_n(&(word), __ATOMIC_ACQUIRE)
#define STORE_RELEASE(word, value) __atomic_store_n(&(word), (value), __ATOMIC_RELEASE)

/* Texts, byte by byte: who reads while one is written gets some of both, and an end always. The
 * size is that of the place it is kept in. */
static inline void
atomic_text_set(char *to, size_t size, const char *text)
{
    size_t i = 0;
    for (; i < size - 1 && text[i] != '\0'; i++)
        STORE(to[i], text[i]);
    STORE(to[i], '\0');
}

static inline void
atomic_text_get(char *out, size_t size, const char *from)
{
    size_t i = 0;
    for (; i < size - 1 && (out[i] = LOAD(from[i])) != '\0'; i++)
        ;
    out[i] = '\0';
}

#endif
