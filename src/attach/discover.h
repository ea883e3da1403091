/* SPDX-License-Identifier: MIT */
/*
 * What a process is, found without touching it: nothing is stopped, sent or loaded. Needs what
 * ptrace(2) calls PTRACE_MODE_READ; where the kernel lets memory be read too the answer is exact,
 * elsewhere it comes from the names of what is mapped. All that is read is the process's to choose:
 * every walk is bounded. No state, any thread.
 */
#ifndef LOOPTOP_ATTACH_DISCOVER_H
#define LOOPTOP_ATTACH_DISCOVER_H

#include <stdbool.h>
#include <sys/types.h>

struct maps;

struct discovery {
    bool python;      /* it runs CPython 3 */
    bool loop;        /* with an event loop, as far as that is to be seen from outside */
    bool uvloop;      /* which is uvloop's, or can be */
    bool agent;       /* an agent is mapped; whether it listens is not said */
    char version[16]; /* "3.13.5", "3.15.0b1", where memory cannot be read "3.13"; "" not known */
};

/*
 * 0: *ret_found says what was found, all false where it is none of ours. -ESRCH: it is gone, or a
 * kernel thread; -EACCES: not ours to look into.
 */
int discover(pid_t pid, struct discovery *ret_found);

/*
 * The parts of it, for the tests. Whether the process has the descriptors of an event loop: an
 * epoll and what wakes it, at least two sockets or an eventfd. root as in platform/proc.h. 1, 0, or
 * -errno.
 */
int discover_descriptors(const char *root, pid_t pid);

/* What the names of the mappings tell; exe is the path of the executable. */
void discover_names(const struct maps *maps, const char *exe, struct discovery *ret_found,
    bool *ret_asyncio, bool *ret_ssl);

/* Writes a version as sys.version does, out of Py_Version; "" where it is none of CPython 3's. */
void discover_version(unsigned long hex, char out[16]);

#endif
