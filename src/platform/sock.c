/* SPDX-License-Identifier: MIT */
/*
 * Unix sockets by path. The directory is the guard: it is opened without following links and
 * checked through its descriptor, and once it is 0700 and ours nobody else can put anything in it.
 */
#include "platform/sock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "platform/own_fd.h"

#define BACKLOG 16
#define SUFFIX ".sock"
#define NAME_ROOM 20      /* "/4194304.sock" and some */
#define SWEEP_YOUNG_S 10  /* a socket this young may be between its bind and its listen */
#define CONNECT_STEP_MS 5 /* pause between tries while the listener's queue is full */

static int
check_fd_dir(int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISDIR(st.st_mode))
        return -ENOTDIR;
    if (st.st_uid != geteuid())
        return -EPERM;
    if ((st.st_mode & 07777) != 0700 && fchmod(fd, 0700) < 0)
        return -errno;
    return 0;
}

/* Makes the directory where it is missing, and makes sure that it is ours alone. */
static int
own_directory(const char *path)
{
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return -errno;
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EACCES) {
        /* somebody else's, or one that the umask took the owner's own rights from */
        struct stat st;
        if (lstat(path, &st) < 0)
            return -errno;
        if (!S_ISDIR(st.st_mode))
            return -ENOTDIR;
        return st.st_uid == geteuid() && chmod(path, 0700) == 0 ? 0 : -EPERM;
    }
    if (fd < 0)
        return errno == ELOOP ? -ENOTDIR : -errno;
    return check_fd_dir(fd);
}

/* $XDG_RUNTIME_DIR where it is an absolute path of ours, as it is not after sudo or su. */
static const char *
runtime_dir(void)
{
    const char *dir = secure_getenv("XDG_RUNTIME_DIR");
    struct stat st;
    if (!dir || dir[0] != '/' || stat(dir, &st) < 0)
        return NULL;
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid())
        return NULL;
    /* the sockets' names must fit into an address, or nobody could type them */
    size_t room = sizeof(((struct sockaddr_un *)0)->sun_path);
    return strlen(dir) + sizeof("/looptop") + NAME_ROOM <= room ? dir : NULL;
}

int
sock_dir(char *out, size_t size, bool create)
{
    const char *runtime = runtime_dir();
    int n = runtime ? snprintf(out, size, "%s/looptop", runtime)
                    : snprintf(out, size, "/tmp/looptop-%u", (unsigned)geteuid());
    if (n < 0 || (size_t)n >= size)
        return -ENAMETOOLONG;
    return create ? own_directory(out) : 0;
}

int
sock_path(char *out, size_t size, const char *dir, pid_t pid)
{
    int n = snprintf(out, size, "%s/%d" SUFFIX, dir, (int)pid);
    return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/*
 * The address of a path. One that is too long goes through a descriptor of its directory, which the
 * caller closes (-1: none) once the address has been used.
 */
static int
make_address(const char *path, struct sockaddr_un *address, int *ret_dir_fd)
{
    memset(address, 0, sizeof(*address));
    address->sun_family = AF_UNIX;
    size_t len = strlen(path);
    if (len < sizeof(address->sun_path)) {
        memcpy(address->sun_path, path, len + 1);
        *ret_dir_fd = -1;
        return 0;
    }

    const char *slash = strrchr(path, '/');
    char dir[PATH_MAX];
    if (!slash || slash == path || (size_t)(slash - path) >= sizeof(dir))
        return -ENAMETOOLONG;
    memcpy(dir, path, (size_t)(slash - path));
    dir[slash - path] = '\0';
    CLEANUP_CLOSE int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int n = snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d%s", fd, slash);
    if (n < 0 || (size_t)n >= sizeof(address->sun_path))
        return -ENAMETOOLONG;
    *ret_dir_fd = fd;
    fd = -1;
    return 0;
}

static int
new_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd < 0 ? -errno : own_fd_high(fd);
}

/* One try. 0, -EAGAIN: the listener's queue is full, or another errno. */
static int
connect_once(int fd, const struct sockaddr_un *address)
{
    int r;
    do
        r = connect(fd, (const struct sockaddr *)address, sizeof(*address));
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : 0;
}

static int64_t
now_ms(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int
sock_connect(const char *path, int timeout_ms, int *ret_fd)
{
    struct sockaddr_un address;
    CLEANUP_CLOSE int dir_fd = -1;
    int r = make_address(path, &address, &dir_fd);
    if (r < 0)
        return r;
    CLEANUP_CLOSE int fd = new_socket();
    if (fd < 0)
        return fd;

    /* a Unix socket connects at once or says EAGAIN; there is nothing to poll for */
    int64_t deadline = now_ms() + timeout_ms;
    while ((r = connect_once(fd, &address)) == -EAGAIN) {
        if (now_ms() >= deadline)
            return -ETIMEDOUT;
        (void)poll(NULL, 0, CONNECT_STEP_MS);
    }
    if (r < 0)
        return r;
    *ret_fd = fd;
    fd = -1;
    return 0;
}

/* Does anybody listen at a socket's path? A full queue is somebody's. */
static bool
is_deserted(const char *path)
{
    int fd;
    int r = sock_connect(path, 0, &fd);
    if (r == 0)
        (void)close(fd);
    return r == -ECONNREFUSED;
}

/* What stands at a path that could not be bound: 0, it was a deserted socket and is removed. */
static int
clear_the_way(const char *path)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode))
        return -EEXIST;
    if (!is_deserted(path))
        return -EADDRINUSE;
    return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

static int
bind_socket(int fd, const char *path)
{
    struct sockaddr_un address;
    CLEANUP_CLOSE int dir_fd = -1;
    int r = make_address(path, &address, &dir_fd);
    if (r < 0)
        return r;
    return bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

int
sock_listen(const char *path, int *ret_fd)
{
    CLEANUP_CLOSE int fd = new_socket();
    if (fd < 0)
        return fd;
    /* the file gets the mode that the socket has: no window with a wider one, no umask to change */
    if (fchmod(fd, 0600) < 0)
        return -errno;

    int r = bind_socket(fd, path);
    if (r == -EADDRINUSE) {
        r = clear_the_way(path);
        if (r == 0)
            r = bind_socket(fd, path);
    }
    if (r < 0)
        return r;
    if (listen(fd, BACKLOG) < 0) {
        r = -errno;
        (void)unlink(path);
        return r;
    }
    *ret_fd = fd;
    fd = -1;
    return 0;
}

int
sock_peer(int fd, pid_t *ret_pid, uid_t *ret_uid)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return -errno;
    if (len != sizeof(peer))
        return -EBADMSG;
    *ret_pid = peer.pid;
    *ret_uid = peer.uid;
    return 0;
}

/* The pid in a name PID.sock; 0: it is no such name. */
static pid_t
pid_of_name(const char *name)
{
    char *end;
    if (name[0] < '1' || name[0] > '9')
        return 0;
    errno = 0;
    unsigned long pid = strtoul(name, &end, 10);
    return errno || pid > INT_MAX || strcmp(end, SUFFIX) != 0 ? 0 : (pid_t)pid;
}

/* Removes one socket of a directory where its agent is dead. 1: it did. */
static int
sweep_one(int dir_fd, const char *dir, const char *name)
{
    struct stat st;
    pid_t pid = pid_of_name(name);
    if (pid == 0 || fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISSOCK(st.st_mode))
        return 0;
    bool young = time(NULL) - st.st_ctime < SWEEP_YOUNG_S;
    if (young && (kill(pid, 0) == 0 || errno != ESRCH))
        return 0;
    char path[SOCK_PATH_SIZE];
    if (sock_path(path, sizeof(path), dir, pid) < 0 || !is_deserted(path))
        return 0;
    return unlinkat(dir_fd, name, 0) == 0 ? 1 : 0;
}

static void
close_dir(DIR **dir)
{
    if (*dir)
        (void)closedir(*dir);
}

int
sock_sweep(const char *dir)
{
    CLEANUP(close_dir) DIR *stream = opendir(dir);
    if (!stream)
        return -errno;
    int removed = 0;
    const struct dirent *entry;
    while ((entry = readdir(stream)))
        removed += sweep_one(dirfd(stream), dir, entry->d_name);
    return removed;
}
