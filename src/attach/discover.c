/* SPDX-License-Identifier: MIT */
/*
 * Cheap questions come first, so that a list of hundreds of processes takes some milliseconds: what
 * is neither called Python nor has an event loop's descriptors is not looked at any further. Then
 * the names of what is mapped are read, and what they promise is confirmed in memory: CPython
 * exports _PyRuntime and, from 3.11 on, its version. An interpreter with _asyncio built in maps no
 * library of that name whether or not it was imported: then the descriptors alone decide.
 */
#include "attach/discover.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach/image.h"
#include "attach/memory.h"
#include "common/cleanup.h"
#include "platform/maps_client.h"

#define FDS_MAX 4096    /* descriptors that are looked at */
#define LIBRARIES_MAX 4 /* called libpython, of which one is the interpreter */
#define LINK_SIZE 64

static void
close_dir(DIR **dir)
{
    if (*dir)
        (void)closedir(*dir);
}

static bool
starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

int
discover_descriptors(const char *root, pid_t pid)
{
    char path[PATH_MAX], link[LINK_SIZE];
    unsigned sockets = 0, polls = 0, events = 0;
    const struct dirent *entry;

    (void)snprintf(path, sizeof(path), "%s/%d/fd", root ? root : "/proc", (int)pid);
    CLEANUP(close_dir) DIR *dir = opendir(path);
    if (!dir)
        return errno == ENOENT ? -ESRCH : -errno;
    for (int i = 0; i < FDS_MAX && (entry = readdir(dir)); i++) {
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);

        if (n <= 0)
            continue;
        link[n] = '\0';
        sockets += starts_with(link, "socket:[");
        polls += strcmp(link, "anon_inode:[eventpoll]") == 0;
        events += strcmp(link, "anon_inode:[eventfd]") == 0;
        if (polls > 0 && (sockets >= 2 || events > 0))
            return 1;
    }
    return 0;
}

void
discover_version(unsigned long hex, char out[16])
{
    static const char *const levels[16] = {[0xA] = "a", [0xB] = "b", [0xC] = "rc", [0xF] = ""};
    unsigned major = hex >> 24 & 0xFF, minor = hex >> 16 & 0xFF, micro = hex >> 8 & 0xFF;
    const char *level = levels[hex >> 4 & 0xF];

    out[0] = '\0';
    if (major != 3 || !level || hex >> 31 > 1)
        return;
    if (*level)
        (void)snprintf(out, 16, "3.%u.%u%s%u", minor, micro, level, (unsigned)(hex & 0xF));
    else
        (void)snprintf(out, 16, "3.%u.%u", minor, micro);
}

/* "3.13" out of "3.13.so.1.0", "313-x86_64-linux-gnu.so", "3.13" or "313t". */
static void
version_of_name(const char *digits, char out[16])
{
    unsigned minor = 0;
    int n = 0;

    if (*digits++ != '3' || out[0])
        return;
    digits += *digits == '.';
    for (; n < 2 && digits[n] >= '0' && digits[n] <= '9'; n++)
        minor = minor * 10 + (unsigned)(digits[n] - '0');
    if (n > 0)
        (void)snprintf(out, 16, "3.%u", minor);
}

static const char *
base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static void
take_name(const char *path, struct discovery *found, bool *asyncio, bool *ssl)
{
    const char *name = base_name(path), *tag = strstr(name, ".cpython-3");

    if (strstr(path, "memfd:looptop-agent") || starts_with(name, "looptop_agent."))
        found->agent = true;
    else if (starts_with(name, "_asyncio."))
        *asyncio = true;
    else if (starts_with(name, "_ssl."))
        *ssl = true;
    else if (starts_with(name, "loop.") && strstr(path, "/uvloop/"))
        found->uvloop = true;
    if (starts_with(name, "libpython3")) {
        found->python = true;
        version_of_name(name + strlen("libpython"), found->version);
    } else if (tag) {
        version_of_name(tag + strlen(".cpython-"), found->version);
    }
}

void
discover_names(const struct maps *maps, const char *exe, struct discovery *ret_found,
    bool *ret_asyncio, bool *ret_ssl)
{
    struct discovery found = {.python = starts_with(base_name(exe), "python")};
    const char *former = "";

    *ret_asyncio = *ret_ssl = false;
    if (found.python)
        version_of_name(base_name(exe) + strlen("python"), found.version);
    for (size_t i = 0; i < maps->count; i++) {
        /* each file is mapped in some pieces, one behind the other */
        if (strcmp(maps->items[i].path, former) == 0)
            continue;
        former = maps->items[i].path;
        take_name(former, &found, ret_asyncio, ret_ssl);
    }
    *ret_found = found;
}

/*
 * Asks what is loaded at base whether it is the interpreter. 0: it is, and found is exact now;
 * -ENOENT: it is not; -EPERM: that is not to be read; other -errno.
 */
static int
confirm(pid_t pid, uint64_t base, struct discovery *found, bool *ret_builtin)
{
    struct memory memory = memory_of(pid);
    struct image image;
    uint64_t address;
    uint32_t hex;
    int r = image_open(&memory, base, &image);

    if (r == 0)
        r = image_symbol(&image, "_PyRuntime", &address);
    if (r < 0)
        return r;
    *ret_builtin = image_symbol(&image, "PyInit__asyncio", &address) == 0;
    if (image_symbol(&image, "Py_Version", &address) == 0 &&
        memory_read(&memory, address, &hex, sizeof(hex)) == 0)
        discover_version(hex, found->version);
    return 0;
}

/* The same of all that can be the interpreter: the executable, and libraries called libpython. */
static int
confirm_any(
    pid_t pid, const struct maps *maps, const char *exe, struct discovery *found, bool *ret_builtin)
{
    int r = -ENOENT, libraries = 0;

    for (size_t i = 0; i < maps->count && libraries < LIBRARIES_MAX; i++) {
        const struct map *map = &maps->items[i];
        bool library = starts_with(base_name(map->path), "libpython3");

        if (map->offset != 0 || (!library && strcmp(map->path, exe) != 0))
            continue;
        libraries += library;
        r = confirm(pid, map->start, found, ret_builtin);
        if (r == 0 || r == -EPERM)
            return r;
    }
    return r;
}

static int
look_closer(pid_t pid, const char *exe, bool descriptors, struct discovery *ret_found)
{
    CLEANUP(maps_done) struct maps maps = {0};
    struct discovery found;
    bool asyncio, ssl, builtin = false;
    int r = maps_read(pid, &maps);

    if (r < 0)
        return r == -EPERM ? -EACCES : r;
    discover_names(&maps, exe, &found, &asyncio, &ssl);
    r = confirm_any(pid, &maps, exe, &found, &builtin);
    if (r == 0)
        found.python = true;
    else if (r != -EPERM)
        found.python = false;
    else /* _ssl comes with asyncio, where that is built in too */
        builtin = ssl;
    found.loop = found.python && descriptors && (asyncio || found.uvloop || builtin);
    *ret_found = found;
    return 0;
}

int
discover(pid_t pid, struct discovery *ret_found)
{
    char path[64], exe[PATH_MAX];
    int descriptors;

    (void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
    ssize_t n = readlink(path, exe, sizeof(exe) - 1);
    if (n < 0)
        return errno == ENOENT ? -ESRCH : errno == EPERM ? -EACCES : -errno;
    exe[n] = '\0';
    descriptors = discover_descriptors(NULL, pid);
    if (descriptors < 0)
        return descriptors;
    if (descriptors > 0 || starts_with(base_name(exe), "python"))
        return look_closer(pid, exe, descriptors > 0, ret_found);
    *ret_found = (struct discovery){0};
    return 0;
}
