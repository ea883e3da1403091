/* SPDX-License-Identifier: MIT */
/*
 * Where an agent listens is the agent's choice, made with an environment we do not share. The
 * kernel knows: /proc/PID/net/unix names the listening sockets of the process's network namespace,
 * and /proc/PID/fd says which of them the process holds. Where that does not answer, the names that
 * the agent would choose by default are tried. Files are reached through /proc/PID/root, unless the
 * process sees the same files as we do; then the plain path reads better.
 */
#include "platform/find_client.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "platform/proc.h"
#include "platform/sock.h"

#define CANDIDATES_MAX 32 /* listening sockets of the right name */
#define FDS_MAX 65536     /* descriptors of a process that are looked at */
#define FLAG_LISTENING 0x10000u
#define UNIX_PATH_MAX 108
#define NAME_ROOM 20   /* "/4194304.sock" and some */
#define PREFIX_SIZE 32 /* "/proc/4194304/root" */

struct candidate {
    uint64_t inode;
    char path[UNIX_PATH_MAX + 1];
};

struct search {
    pid_t pid;
    struct proc_status status;
    char prefix[PREFIX_SIZE];
    struct candidate candidates[CANDIDATES_MAX];
    size_t count;
};

static void
close_file(FILE **file)
{
    if (*file)
        (void)fclose(*file);
}

static void
close_dir(DIR **dir)
{
    if (*dir)
        (void)closedir(*dir);
}

/* Is path DIR/PID.sock, where DIR is called looptop or looptop-UID? */
static bool
is_ours(const char *path, pid_t inner_pid)
{
    const char *name = strrchr(path, '/');
    if (path[0] != '/' || !name || name == path)
        return false;
    char expected[32];
    (void)snprintf(expected, sizeof(expected), "/%d.sock", (int)inner_pid);
    if (strcmp(name, expected) != 0)
        return false;

    const char *dir = name;
    while (dir > path && dir[-1] != '/')
        dir--;
    size_t n = (size_t)(name - dir);
    size_t base = sizeof("looptop") - 1;
    return n >= base && memcmp(dir, "looptop", base) == 0 && (n == base || dir[base] == '-');
}

/* "0000000000000000: 00000002 00000000 00010000 0001 01 48125 /tmp/looptop-0/7.sock" */
static bool
parse_line(char *line, pid_t inner_pid, struct candidate *out)
{
    line[strcspn(line, "\n")] = '\0';
    unsigned flags;
    int path_at = 0;
    if (sscanf(line, "%*s %*x %*x %x %*x %*x %" SCNu64 " %n", &flags, &out->inode, &path_at) != 2 ||
        path_at == 0 || !(flags & FLAG_LISTENING))
        return false;
    const char *path = line + path_at;
    if (strlen(path) >= sizeof(out->path) || !is_ours(path, inner_pid))
        return false;
    memcpy(out->path, path, strlen(path) + 1);
    return true;
}

static void
read_candidates(struct search *search)
{
    char path[64], line[512];
    (void)snprintf(path, sizeof(path), "/proc/%d/net/unix", (int)search->pid);
    CLEANUP(close_file) FILE *file = fopen(path, "re");
    while (file && search->count < CANDIDATES_MAX && fgets(line, sizeof(line), file)) {
        if (parse_line(line, search->status.inner_pid, &search->candidates[search->count]))
            search->count++;
    }
}

/* The candidate that the descriptor called name is of, or NULL. */
static const struct candidate *
match_descriptor(const struct search *search, int dir_fd, const char *name)
{
    char target[64];
    ssize_t n = readlinkat(dir_fd, name, target, sizeof(target) - 1);
    if (n <= 0)
        return NULL;
    target[n] = '\0';
    uint64_t inode;
    if (sscanf(target, "socket:[%" SCNu64 "]", &inode) != 1)
        return NULL;
    for (size_t i = 0; i < search->count; i++) {
        if (search->candidates[i].inode == inode)
            return &search->candidates[i];
    }
    return NULL;
}

/* The candidate that the process itself holds, or NULL. */
static const struct candidate *
held_candidate(const struct search *search)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)search->pid);
    CLEANUP(close_dir) DIR *dir = opendir(path);
    const struct dirent *entry;
    for (int i = 0; dir && i < FDS_MAX && (entry = readdir(dir)); i++) {
        const struct candidate *found = match_descriptor(search, dirfd(dir), entry->d_name);
        if (found)
            return found;
    }
    return NULL;
}

static bool
same_link(pid_t pid, const char *name)
{
    char theirs_path[64], ours_path[64], theirs[PATH_MAX], ours[PATH_MAX];
    (void)snprintf(theirs_path, sizeof(theirs_path), "/proc/%d/%s", (int)pid, name);
    (void)snprintf(ours_path, sizeof(ours_path), "/proc/self/%s", name);
    ssize_t n = readlink(theirs_path, theirs, sizeof(theirs));
    return n > 0 && n == readlink(ours_path, ours, sizeof(ours)) &&
           memcmp(theirs, ours, (size_t)n) == 0;
}

/* The path from our side, where it is a socket that the process's user owns. */
static int
reach(const struct search *search, const char *path, char *out, size_t size)
{
    char full[SOCK_PATH_SIZE];
    int n = snprintf(full, sizeof(full), "%s%s", search->prefix, path);
    if (n < 0 || (size_t)n >= sizeof(full) || (size_t)n >= size)
        return -ENAMETOOLONG;
    struct stat st;
    if (lstat(full, &st) < 0)
        return -errno;
    /* a process that has changed its user leaves the socket to the one it came from */
    if (!S_ISSOCK(st.st_mode) || (st.st_uid != search->status.euid && st.st_uid != geteuid()))
        return -ENOENT;
    memcpy(out, full, (size_t)n + 1);
    return 0;
}

/* The directories an agent chooses by default. False: there is no such one. */
static bool
default_dir(const struct search *search, int i, char *out, size_t size)
{
    unsigned uid = (unsigned)search->status.euid;
    const char *runtime = search->status.euid == geteuid() ? getenv("XDG_RUNTIME_DIR") : NULL;
    int n;
    if (i == 0 && !runtime)
        return false;
    if (i == 0)
        n = snprintf(out, size, "%s/looptop", runtime);
    else if (i == 1)
        n = snprintf(out, size, "/run/user/%u/looptop", uid);
    else
        n = snprintf(out, size, "/tmp/looptop-%u", uid);
    return n > 0 && (size_t)n < size;
}

static int
try_default_names(const struct search *search, char *out, size_t size)
{
    bool denied = false;
    for (int i = 0; i < 3; i++) {
        char dir[UNIX_PATH_MAX], path[UNIX_PATH_MAX + NAME_ROOM];
        if (!default_dir(search, i, dir, sizeof(dir)))
            continue;
        int r = sock_path(path, sizeof(path), dir, search->status.inner_pid);
        if (r == 0)
            r = reach(search, path, out, size);
        if (r == 0)
            return 0;
        denied = denied || r == -EACCES || r == -EPERM;
    }
    return denied ? -EACCES : -ENOENT;
}

int
sock_find_agent(pid_t pid, char *out, size_t size)
{
    struct search search = {.pid = pid};
    int r = proc_status(NULL, pid, &search.status);
    if (r < 0)
        return r;
    /* the agent talks to its owner and to root only */
    if (geteuid() != 0 && geteuid() != search.status.euid)
        return -EACCES;
    if (!same_link(pid, "ns/mnt") || !same_link(pid, "root"))
        (void)snprintf(search.prefix, sizeof(search.prefix), "/proc/%d/root", (int)pid);

    read_candidates(&search);
    const struct candidate *held = search.count > 0 ? held_candidate(&search) : NULL;
    if (held && reach(&search, held->path, out, size) == 0)
        return 0;
    return try_default_names(&search, out, size);
}
