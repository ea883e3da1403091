/* SPDX-License-Identifier: MIT */
/*
 * /proc, read with one open, one buffer and one close per question. Nothing is cached: a pid can
 * belong to another process a moment later, so what must not be mixed up is read from one file.
 */
#include "platform/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"

#define STATUS_SIZE 4096 /* of status, of which only the first half matters here */
#define STAT_SIZE 1024
#define ENVIRON_SIZE (256 * 1024)
/* field 22 of stat(5), counted from the state, which follows the name */
#define STAT_STARTTIME 19

static void
close_dir(DIR **dir)
{
    if (*dir)
        (void)closedir(*dir);
}

/* A file or directory of a process that is not there means that the process is not there. */
static int
gone(int error)
{
    return error == ENOENT ? -ESRCH : -error;
}

__attribute__((format(printf, 3, 4))) static int
make_path(char out[PATH_MAX], const char *root, const char *format, ...)
{
    int start = snprintf(out, PATH_MAX, "%s/", root ? root : "/proc");
    if (start < 0 || start >= PATH_MAX)
        return -ENAMETOOLONG;

    size_t room = (size_t)(PATH_MAX - start);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(out + start, room, format, args);
    va_end(args);
    return n < 0 || (size_t)n >= room ? -ENAMETOOLONG : 0;
}

/* Reads at most size-1 bytes of a file and ends them with NUL. */
static int
read_file(const char *path, char *out, size_t size, size_t *ret_len)
{
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return gone(errno);

    size_t len = 0;
    while (len < size - 1) {
        ssize_t n = read(fd, out + len, size - 1 - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return gone(errno);
        if (n == 0)
            break;
        len += (size_t)n;
    }
    out[len] = '\0';
    *ret_len = len;
    return 0;
}

static int
read_of(const char *root, pid_t pid, const char *name, char *out, size_t size, size_t *ret_len)
{
    char path[PATH_MAX];
    int r = pid > 0 ? make_path(path, root, "%d/%s", (int)pid, name)
                    : make_path(path, root, "self/%s", name);
    return r < 0 ? r : read_file(path, out, size, ret_len);
}

/* The value of a line `Key:\tvalue` of status, or NULL. The value goes on to the end of its line.
 */
static const char *
status_value(const char *text, const char *key)
{
    size_t n = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        if (*line == '\n')
            line++;
        if (strncmp(line, key, n) == 0 && line[n] == ':')
            return line + n + 1 + strspn(line + n + 1, "\t ");
    }
    return NULL;
}

/* A decimal number of at most max at *text, which moves behind it and the blanks that follow. */
static bool
take_number(const char **text, uint64_t max, uint64_t *ret_value)
{
    if (**text < '0' || **text > '9')
        return false;
    char *end;
    errno = 0;
    unsigned long long value = strtoull(*text, &end, 10);
    if (errno || value > max)
        return false;
    *text = end + strspn(end, "\t ");
    *ret_value = value;
    return true;
}

/* Skips nth numbers of a status line and reads the next. */
static bool
status_number(const char *text, const char *key, unsigned nth, uint64_t max, uint64_t *ret_value)
{
    const char *value = status_value(text, key);
    if (!value)
        return false;
    for (unsigned i = 0; i < nth; i++) {
        if (!take_number(&value, UINT64_MAX, ret_value))
            return false;
    }
    return take_number(&value, max, ret_value);
}

/* NSpid names the process from the outermost namespace to its own: the last number counts. */
static pid_t
inner_pid(const char *text, pid_t pid)
{
    uint64_t number = (uint64_t)pid;
    const char *value = status_value(text, "NSpid");
    while (value && take_number(&value, INT_MAX, &number))
        ;
    return (pid_t)number;
}

/* Of the fields that a zombie, a kernel thread or an old kernel lacks, what stands for "none". */
static void
parse_more(const char *text, struct proc_status *out)
{
    uint64_t tracer = 0, seccomp = 0, size;
    const char *caught = status_value(text, "SigCgt");

    out->has_memory = status_number(text, "VmSize", 0, UINT64_MAX, &size);
    out->tracer = status_number(text, "TracerPid", 0, INT_MAX, &tracer) ? (pid_t)tracer : 0;
    out->seccomp = status_number(text, "Seccomp", 0, UINT_MAX, &seccomp) ? (unsigned)seccomp : 0;
    out->caught = caught ? strtoull(caught, NULL, 16) : 0;
}

static void
copy_line(char *out, size_t size, const char *text)
{
    size_t n = strcspn(text, "\n");
    if (n > size - 1)
        n = size - 1;
    memcpy(out, text, n);
    out[n] = '\0';
}

static bool
parse_status(const char *text, pid_t pid, struct proc_status *out)
{
    const char *name = status_value(text, "Name");
    const char *state = status_value(text, "State");
    uint64_t parent, uid, euid, threads;
    if (!name || !state || !*state || !status_number(text, "PPid", 0, INT_MAX, &parent) ||
        !status_number(text, "Uid", 0, UINT32_MAX, &uid) ||
        !status_number(text, "Uid", 1, UINT32_MAX, &euid))
        return false;
    /* a zombie's status has no Threads on some kernels */
    if (!status_number(text, "Threads", 0, UINT_MAX, &threads) || threads == 0)
        threads = 1;

    copy_line(out->name, sizeof(out->name), name);
    out->state = *state;
    out->pid = pid;
    out->parent = (pid_t)parent;
    out->inner_pid = inner_pid(text, pid);
    out->uid = (uid_t)uid;
    out->euid = (uid_t)euid;
    out->threads = (unsigned)threads;
    parse_more(text, out);
    return true;
}

int
proc_status(const char *root, pid_t pid, struct proc_status *ret_status)
{
    char text[STATUS_SIZE];
    size_t len;
    int r = read_of(root, pid, "status", text, sizeof(text), &len);
    if (r < 0)
        return r;
    struct proc_status status;
    if (!parse_status(text, pid, &status))
        return -EBADMSG;
    *ret_status = status;
    return 0;
}

int
proc_args(const char *root, pid_t pid, char *out, size_t size, size_t *ret_len)
{
    if (size == 0)
        return -EINVAL;
    size_t len;
    int r = read_of(root, pid, "cmdline", out, size, &len);
    if (r < 0)
        return r;
    while (len > 0 && out[len - 1] == '\0')
        len--;
    *ret_len = len;
    return 0;
}

int
proc_cmdline(const char *root, pid_t pid, char *out, size_t size, size_t *ret_len)
{
    int r = proc_args(root, pid, out, size, ret_len);
    if (r < 0)
        return r;
    for (size_t i = 0; i < *ret_len; i++) {
        unsigned char byte = (unsigned char)out[i];
        if (byte == '\0')
            out[i] = ' ';
        else if (byte < ' ' || byte == 0x7f)
            out[i] = '?';
    }
    return 0;
}

const char *
proc_describe(pid_t pid, char out[PROC_DESCRIBE_SIZE])
{
    char command[80];
    size_t len;

    if (proc_cmdline(NULL, pid, command, sizeof(command), &len) == 0 && len > 0)
        (void)snprintf(out, PROC_DESCRIBE_SIZE, "process %d (%s)", (int)pid, command);
    else
        (void)snprintf(out, PROC_DESCRIBE_SIZE, "process %d", (int)pid);
    return out;
}

int
proc_environ(const char *root, pid_t pid, const char *name, char *out, size_t size)
{
    CLEANUP_FREE char *text = malloc(ENVIRON_SIZE);
    if (!text || size == 0)
        return text ? -EINVAL : -ENOMEM;
    size_t len, n = strlen(name);
    int r = read_of(root, pid, "environ", text, ENVIRON_SIZE, &len);
    if (r < 0)
        return r;
    for (const char *entry = text; entry < text + len; entry += strlen(entry) + 1) {
        if (strncmp(entry, name, n) == 0 && entry[n] == '=') {
            (void)snprintf(out, size, "%s", entry + n + 1);
            return 0;
        }
    }
    return -ENOENT;
}

int
proc_exe(const char *root, pid_t pid, char *out, size_t size)
{
    static const char deleted[] = " (deleted)";
    char path[PATH_MAX], target[PATH_MAX];
    int r = make_path(path, root, "%d/exe", (int)pid);
    if (r < 0)
        return r;
    ssize_t n = readlink(path, target, sizeof(target));
    if (n < 0)
        return gone(errno);

    size_t len = (size_t)n;
    size_t tail = sizeof(deleted) - 1;
    if (len > tail && memcmp(target + len - tail, deleted, tail) == 0)
        len -= tail;
    if (len >= size || len == sizeof(target))
        return -ENAMETOOLONG;
    memcpy(out, target, len);
    out[len] = '\0';
    return 0;
}

/* Clock ticks to nanoseconds, without overflow for any uptime there can be. */
static uint64_t
ticks_to_ns(uint64_t ticks)
{
    long hz = sysconf(_SC_CLK_TCK);
    return hz > 0 ? ticks * (1000000000ull / (uint64_t)hz) : 0;
}

int
proc_start_ns(const char *root, pid_t pid, uint64_t *ret_ns)
{
    char text[STAT_SIZE];
    size_t len;
    int r = read_of(root, pid, "stat", text, sizeof(text), &len);
    if (r < 0)
        return r;

    /* the name may hold blanks and parentheses; it ends at the last one */
    const char *at = strrchr(text, ')');
    for (int i = 0; at && i <= STAT_STARTTIME; i++) {
        at = strchr(at, ' ');
        at = at ? at + 1 : NULL;
    }
    uint64_t ticks;
    if (!at || !take_number(&at, UINT64_MAX / 1000000000ull, &ticks))
        return -EBADMSG;
    *ret_ns = ticks_to_ns(ticks);
    return 0;
}

/* Seconds since boot, from /proc/uptime: "8123.45 16002.11". */
static int
boot_age_ns(const char *root, uint64_t *ret_ns)
{
    char path[PATH_MAX], text[128];
    size_t len;
    int r = make_path(path, root, "uptime");
    if (r == 0)
        r = read_file(path, text, sizeof(text), &len);
    if (r < 0)
        return r;
    const char *at = text;
    uint64_t seconds, hundredths;
    if (!take_number(&at, UINT64_MAX / 1000000000ull - 1, &seconds) || *at != '.')
        return -EBADMSG;
    at++;
    if (!take_number(&at, 99, &hundredths))
        return -EBADMSG;
    *ret_ns = seconds * 1000000000ull + hundredths * 10000000ull;
    return 0;
}

int
proc_uptime_ns(const char *root, pid_t pid, uint64_t *ret_ns)
{
    uint64_t start, now;
    int r = proc_start_ns(root, pid, &start);
    if (r == 0)
        r = boot_age_ns(root, &now);
    if (r < 0)
        return r;
    *ret_ns = now > start ? now - start : 0;
    return 0;
}

int
proc_thread_name(const char *root, pid_t pid, pid_t tid, char *out, size_t size)
{
    char path[PATH_MAX], text[PROC_NAME_MAX];
    size_t len;
    if (size == 0)
        return -EINVAL;
    int r = make_path(path, root, "%d/task/%d/comm", (int)pid, (int)tid);
    if (r == 0)
        r = read_file(path, text, sizeof(text), &len);
    if (r < 0)
        return r;
    copy_line(out, size, text);
    return 0;
}

int
proc_rss(const char *root, pid_t pid, uint64_t *ret_bytes)
{
    char text[256];
    size_t len;
    int r = read_of(root, pid, "statm", text, sizeof(text), &len);
    if (r < 0)
        return r;
    const char *at = text;
    uint64_t pages;
    if (!take_number(&at, UINT64_MAX, &pages) || !take_number(&at, UINT64_MAX >> 16, &pages))
        return -EBADMSG;
    long page = sysconf(_SC_PAGESIZE);
    *ret_bytes = pages * (uint64_t)(page > 0 ? page : 4096);
    return 0;
}

int
proc_list(const char *root, pid_t *pids, size_t max, size_t *ret_count)
{
    CLEANUP(close_dir) DIR *dir = opendir(root ? root : "/proc");
    if (!dir)
        return -errno;

    size_t count = 0;
    const struct dirent *entry;
    while ((entry = readdir(dir))) {
        const char *at = entry->d_name;
        uint64_t pid;
        if (!take_number(&at, INT_MAX, &pid) || *at != '\0' || pid == 0)
            continue;
        if (count < max)
            pids[count] = (pid_t)pid;
        count++;
    }
    *ret_count = count;
    return 0;
}
