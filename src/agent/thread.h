/* SPDX-License-Identifier: MIT */
/* The agent's threads, as the application sees them: not at all, but for their names. */
#ifndef LOOPTOP_AGENT_THREAD_H
#define LOOPTOP_AGENT_THREAD_H

#include <pthread.h>
#include <stddef.h>
#include <sys/types.h>

#define THREAD_STACK_BYTES (512 * 1024) /* for a thread that runs no Python */

/* A thread of ours: all signals blocked, named; stack_bytes 0: as large as any. 0, -errno. */
int thread_start(
    pthread_t *ret_thread, const char *name, size_t stack_bytes, void *(*run)(void *), void *arg);

/*
 * Waits for its end, and until the kernel does not count it any longer, which is a moment later:
 * CPython 3.12 and later count threads right after fork() and warn. tid 0: not known.
 */
void thread_join(pthread_t thread, pid_t tid);

#endif
