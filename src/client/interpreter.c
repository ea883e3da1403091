/* SPDX-License-Identifier: MIT */
/*
 * An interpreter is asked which extension modules it loads, as the Python package does when it
 * looks for the agent; names such as python3.13 may be wrappers for something else, or for nothing.
 */
#include "client/interpreter.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SUFFIX_SIZE 128

static const char question[] = "import _imp; print(_imp.extension_suffixes()[0])";

static void __attribute__((noreturn)) ask_child(const char *python, int out)
{
    /* A process of our own making, with nobody's agent in it. */
    (void)unsetenv("PYTHONPATH");
    if (dup2(out, STDOUT_FILENO) >= 0 && freopen("/dev/null", "w", stderr))
        (void)execlp(python, python, "-I", "-S", "-c", question, (char *)NULL);
    _exit(127);
}

/* ".cpython-313-x86_64-linux-gnu.so" for such an interpreter. 0, -ENOENT. */
static int
ask_suffix(const char *python, char suffix[SUFFIX_SIZE])
{
    size_t len = 0;
    ssize_t n = 0;
    int fds[2], status;
    pid_t pid;

    if (pipe(fds) < 0)
        return -errno;
    pid = fork();
    if (pid == 0)
        ask_child(python, fds[1]);
    (void)close(fds[1]);
    while (
        pid > 0 && len < SUFFIX_SIZE - 1 &&
        ((n = read(fds[0], suffix + len, SUFFIX_SIZE - 1 - len)) > 0 || (n < 0 && errno == EINTR)))
        len += n > 0 ? (size_t)n : 0;
    (void)close(fds[0]);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        return -ENOENT;
    suffix[len] = '\0';
    suffix[strcspn(suffix, "\n")] = '\0';
    return suffix[0] == '.' && !strchr(suffix, '/') ? 0 : -ENOENT;
}

static bool
has_agent(const char *libdir, const char *python)
{
    char suffix[SUFFIX_SIZE], agent[PATH_MAX + SUFFIX_SIZE + 32];

    if (ask_suffix(python, suffix) < 0)
        return false;
    (void)snprintf(agent, sizeof(agent), "%s/agent/looptop_agent%s", libdir, suffix);
    return access(agent, R_OK) == 0;
}

int
interpreter_find(const char *libdir, const char *wanted, const char **ret_python)
{
    static const char *const names[] = {
        "python3", "python3.15", "python3.14", "python3.13", "python3.12", "python3.11"};
    size_t count = wanted ? 1 : sizeof(names) / sizeof(names[0]);

    for (size_t i = 0; i < count; i++) {
        const char *python = wanted ? wanted : names[i];

        if (has_agent(libdir, python)) {
            *ret_python = python;
            return 0;
        }
    }
    return -ENOENT;
}
