/* SPDX-License-Identifier: MIT */
/*
 * The program finds its parts by where it stands, not by where it was meant to stand: a build tree
 * runs uninstalled, and an installed tree may be moved.
 */
#include "client/libdir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef LOOPTOP_LIBDIR
#define LOOPTOP_LIBDIR "/usr/local/lib/looptop"
#endif
#define SITE "python/sitecustomize"

/* Is this the directory? Its absolute path goes to out. */
static bool
try_dir(const char *base, const char *below, char out[PATH_MAX])
{
    char path[PATH_MAX], site[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s%s", base, below);

    if (n < 0 || n >= PATH_MAX || !realpath(path, out))
        return false;
    n = snprintf(site, sizeof(site), "%s/" SITE, out);
    return n > 0 && n < PATH_MAX && access(site, R_OK | X_OK) == 0;
}

int
libdir_find(char out[PATH_MAX])
{
    const char *set = getenv("LOOPTOP_LIBDIR");
    char exe[PATH_MAX], *slash;
    ssize_t n;

    if (set && *set)
        return try_dir(set, "", out) ? 0 : -ENOENT;
    n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    if (n > 0) {
        exe[n] = '\0';
        slash = strrchr(exe, '/');
        if (slash)
            *slash = '\0';
        if (try_dir(exe, "", out) || try_dir(exe, "/../lib/looptop", out))
            return 0;
    }
    return try_dir(LOOPTOP_LIBDIR, "", out) ? 0 : -ENOENT;
}

/* Puts dir in front of PYTHONPATH, unless it stands there already (`looptop run` below another). */
static int
prepend_pythonpath(const char *dir)
{
    const char *old = getenv("PYTHONPATH");
    size_t n = strlen(dir), size;
    char *value;
    int r;

    if (old && strncmp(old, dir, n) == 0 && (old[n] == ':' || old[n] == '\0'))
        return 0;
    size = n + (old ? strlen(old) : 0) + 2;
    value = malloc(size);
    if (!value)
        return -ENOMEM;
    /* An empty PYTHONPATH is none; a trailing colon would put the working directory on the path. */
    (void)snprintf(value, size, "%s%s%s", dir, old && *old ? ":" : "", old ? old : "");
    r = setenv("PYTHONPATH", value, 1);
    free(value);
    return r < 0 ? -errno : 0;
}

int
libdir_set_environment(bool readonly)
{
    char dir[PATH_MAX], path[PATH_MAX + 32], pid[16];
    int r = libdir_find(dir);

    if (r < 0)
        return r;
    (void)snprintf(path, sizeof(path), "%s/" SITE, dir);
    r = prepend_pythonpath(path);
    if (r < 0)
        return r;
    (void)snprintf(path, sizeof(path), "%s/agent", dir);
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    if (setenv("LOOPTOP_AGENT_DIR", path, 1) < 0 || setenv("LOOPTOP_RUN_PID", pid, 1) < 0 ||
        (readonly && setenv("LOOPTOP_READONLY", "1", 1) < 0))
        return -errno;
    return 0;
}
