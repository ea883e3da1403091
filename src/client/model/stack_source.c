/* SPDX-License-Identifier: MIT */
/*
 * Source lines come from the file system as the target sees it. The file's name is the target's to
 * choose, so links are resolved inside its root, and nothing but a regular file is opened for
 * reading: a FIFO or a device could hang us or have effects.
 */
#include "client/model/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/fmt.h"

#define SOURCE_READ_MAX (4 * 1024 * 1024)
#define SOURCE_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/* Opens name below the directory; links that point elsewhere are followed inside it. */
static int
open_below(int dir, const char *name, bool in_root)
{
    struct open_how how = {.flags = SOURCE_FLAGS, .resolve = RESOLVE_NO_MAGICLINKS};
    long fd;

    if (in_root)
        how.resolve |= RESOLVE_IN_ROOT;
    fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));
    if (fd >= 0)
        return (int)fd;
    /* Kernels before 5.6, and sandboxes that do not know the call. */
    if (errno == ENOSYS || errno == EPERM) {
        fd = openat(dir, name + strspn(name, "/"), SOURCE_FLAGS);
        if (fd >= 0)
            return (int)fd;
    }
    return -errno;
}

static int
open_source(pid_t pid, const char *file)
{
    bool absolute = file[0] == '/';
    char path[64];
    struct stat st;
    int dir, fd;

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, absolute ? "root" : "cwd");
    dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return -errno;
    fd = open_below(dir, file, absolute);
    (void)close(dir);
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        (void)close(fd);
        return -ENOENT;
    }
    return fd;
}

/*
 * Copies line number `line` of fd into out as far as it fits, without its newline. 0 or -ENOENT
 * where the file has no such line within SOURCE_READ_MAX.
 */
static int
read_line(int fd, uint32_t line, char *out, size_t size)
{
    char chunk[8192];
    size_t total = 0, len = 0;
    uint32_t at = 1;
    ssize_t n = 0;
    bool any = false;

    while (at <= line && total < SOURCE_READ_MAX && (n = read(fd, chunk, sizeof(chunk))) > 0) {
        const char *p = chunk, *end = chunk + n;

        total += (size_t)n;
        while (p < end && at <= line) {
            const char *newline = memchr(p, '\n', (size_t)(end - p));
            size_t piece = (size_t)((newline ? newline : end) - p);

            if (at == line) {
                size_t take = piece < size - 1 - len ? piece : size - 1 - len;

                memcpy(out + len, p, take);
                len += take;
                any = true;
            }
            at += newline != NULL;
            p += piece + 1;
        }
    }
    out[len] = '\0';
    if (n < 0)
        return -errno;
    return any ? 0 : -ENOENT;
}

int
stack_source_line(pid_t pid, const char *file, uint32_t line, char *out, size_t size)
{
    char raw[4096];
    size_t n;
    int fd, r;

    if (line == 0 || size == 0 || file[0] == '\0' || file[0] == '<')
        return -ENOENT;
    fd = open_source(pid, file);
    if (fd < 0)
        return fd;
    r = read_line(fd, line, raw, sizeof(raw));
    (void)close(fd);
    if (r < 0)
        return r;
    n = strlen(raw);
    while (n > 0 && strchr(" \t\r\f", raw[n - 1]))
        raw[--n] = '\0';
    (void)fmt_clean(out, size, raw + strspn(raw, " \t\f"));
    return 0;
}
