/* SPDX-License-Identifier: MIT */
/*
 * The agents' Unix sockets: where they are, how to listen and to connect. A directory is 0700 and
 * its owner's; one that belongs to somebody else, or a symbolic link, is refused. All descriptors
 * are close-on-exec and non-blocking. Errors are negative errno. Changes neither umask nor cwd; any
 * thread.
 */
#ifndef LOOPTOP_PLATFORM_SOCK_H
#define LOOPTOP_PLATFORM_SOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SOCK_PATH_SIZE 4096 /* room for any path below */

/*
 * The directory of the caller's agents: $XDG_RUNTIME_DIR/looptop where that is a directory of ours,
 * else /tmp/looptop-EUID. With create it is made, or made 0700, and checked: -EPERM owned by
 * someone else, -ENOTDIR a symbolic link or no directory. Without, it is named only.
 */
int sock_dir(char *out, size_t size, bool create);

/* DIR/PID.sock. -ENAMETOOLONG. */
int sock_path(char *out, size_t size, const char *dir, pid_t pid);

/*
 * Listens at path, mode 0600. A socket nobody listens at any more is replaced; -EADDRINUSE where
 * somebody does, -EEXIST where something else has the name.
 */
int sock_listen(const char *path, int *ret_fd);

/*
 * Connects within timeout_ms. The path may be longer than a sockaddr_un takes. -ECONNREFUSED:
 * nobody listens; -ETIMEDOUT: the listener does not accept. Who answers is not checked: see
 * sock_peer.
 */
int sock_connect(const char *path, int timeout_ms, int *ret_fd);

/*
 * Who is at the other end, as of its connect (for the listener) or its listen (for the client). The
 * pid is as seen from here, 0 where it cannot be (another pid namespace).
 */
int sock_peer(int fd, pid_t *ret_pid, uid_t *ret_uid);

/*
 * Removes from dir the sockets PID.sock that nobody listens at; everything else stays. Returns how
 * many were removed, or -errno.
 */
int sock_sweep(const char *dir);

#endif
