/* SPDX-License-Identifier: MIT */
/*
 * Another process's memory, read and written as a whole or not at all. Stops nothing. Needs what
 * ptrace(2) calls PTRACE_MODE_ATTACH. What is read may change under the reader's hands, and is
 * the process's to choose.
 */
#ifndef LOOPTOP_ATTACH_MEMORY_H
#define LOOPTOP_ATTACH_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Where bytes come from: a process, or a copy that a test or a fuzzer made. read: 0 and all of
 * size, or -errno (-EFAULT: there is none).
 */
struct memory {
    int (*read)(const struct memory *memory, uint64_t address, void *out, size_t size);
    pid_t pid;
};

/* A process's. Needs no closing. */
struct memory memory_of(pid_t pid);

/* 0; -EFAULT: nothing is there; -ESRCH; -EPERM. */
int memory_read(const struct memory *memory, uint64_t address, void *out, size_t size);

/* Into pages that the process may write itself. Errors as memory_read. */
int memory_write(pid_t pid, uint64_t address, const void *data, size_t size);

#endif
