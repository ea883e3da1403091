/* SPDX-License-Identifier: MIT */
/* Where themes are looked for, and reading them with a bound. */
#include "client/theme/load.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/theme/parse.h"

#define THEME_BYTES_MAX (64 * 1024)
#define INHERIT_MAX 4
#define THEME_DIRS 3

struct loading {
    unsigned depth;
    const char *file;
    struct theme_faults faults;
};

static int load_named(struct loading *loading, const char *name, struct theme *theme);

static void
on_report(void *arg, unsigned line, const char *text)
{
    struct loading *loading = arg;
    struct theme_faults *faults = &loading->faults;

    if (faults->count < THEME_FAULTS_MAX)
        snprintf(faults->text[faults->count], sizeof *faults->text, "%s:%u: %s", loading->file,
            line, text);
    faults->count++;
}

static int
on_inherit(void *arg, const char *name, struct theme *theme)
{
    struct loading *loading = arg;
    const char *file = loading->file;

    if (loading->depth == INHERIT_MAX)
        return -ELOOP;
    loading->depth++;
    int error = load_named(loading, name, theme);
    loading->depth--;
    loading->file = file;
    return error;
}

static void
load_text(
    struct loading *loading, const char *file, const char *text, size_t n, struct theme *theme)
{
    struct theme_source source = {on_report, on_inherit, loading};

    loading->file = file;
    theme_parse(text, n, &source, theme);
}

static int
load_file(struct loading *loading, const char *path, struct theme *theme)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return -errno;
    char *text = malloc(THEME_BYTES_MAX);
    ssize_t n = -1;
    int error = text ? 0 : -ENOMEM;
    if (!error && (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)))
        error = -EINVAL;
    if (!error && (n = read(fd, text, THEME_BYTES_MAX)) < 0)
        error = -errno;
    if (!error)
        load_text(loading, path, text, (size_t)n, theme);
    free(text);
    close(fd);
    return error;
}

/* The directories themes are looked for in: the user's, the installed, beside the program. */
static bool
theme_dir(unsigned which, char *out, size_t size)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

    if (which == 0) {
        if (config && config[0] == '/')
            return snprintf(out, size, "%s/looptop/themes", config) < (int)size;
        return home && snprintf(out, size, "%s/.config/looptop/themes", home) < (int)size;
    }
    if (which == 1)
        return snprintf(out, size, "%s/themes", LOOPTOP_DATADIR) < (int)size;
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n <= 0)
        return false;
    exe[n] = '\0';
    char *slash = strrchr(exe, '/');
    if (!slash)
        return false;
    *slash = '\0';
    return snprintf(out, size, "%s/themes", exe) < (int)size;
}

static int
load_named(struct loading *loading, const char *name, struct theme *theme)
{
    char dir[PATH_MAX], path[PATH_MAX + 64];
    const char *builtin = theme_builtin(name);

    if (strchr(name, '/'))
        return load_file(loading, name, theme);
    if (*name == '\0' || *name == '.' || strlen(name) > 40)
        return -EINVAL;
    for (unsigned i = 0; i < THEME_DIRS; i++) {
        if (!theme_dir(i, dir, sizeof dir))
            continue;
        snprintf(path, sizeof path, "%s/%s.theme", dir, name);
        int error = load_file(loading, path, theme);
        if (error != -ENOENT && error != -ENOTDIR && error != -EACCES)
            return error;
    }
    if (!builtin)
        return -ENOENT;
    load_text(loading, name, builtin, strlen(builtin), theme);
    return 0;
}

int
theme_load(const char *name, struct theme *ret_theme, struct theme_faults *ret_faults)
{
    struct theme theme = {0};
    struct loading loading = {0};

    int error = load_named(&loading, name, &theme);
    if (error < 0)
        return error;
    *ret_theme = theme;
    *ret_faults = loading.faults;
    return 0;
}
