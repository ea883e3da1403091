/* SPDX-License-Identifier: MIT */
/* A descriptor of another process's, copied by pidfd_getfd(2): what it may be used for is what the
 * process may use it for. */
#ifndef LOOPTOP_ATTACH_FOREIGN_FD_H
#define LOOPTOP_ATTACH_FOREIGN_FD_H

#include <stdbool.h>
#include <sys/types.h>

/* A descriptor of ours, or -errno: -EBADF it has none of that number. */
int foreign_fd(pid_t pid, int fd);

/* Whether any can be had: a kernel before 5.6 and seccomp filters say no. */
bool foreign_fd_possible(pid_t pid);

#endif
