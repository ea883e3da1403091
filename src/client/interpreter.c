/* SPDX-License-Identifier: MIT */
/*
 * An interpreter is asked its version and which extension modules it loads, as the Python package
 * does when it looks for the agent; names such as python3.13 may be wrappers for something else, or
 * for nothing.
 */
#include "client/interpreter.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_SIZE 160
#define FIRST_MINOR 11   /* of Python 3, that there are agents for */
#define EXIT_MISSING 127 /* as of a shell: no such program */

static const char question[] = "import sys, _imp; print(*sys.version_info[:2], "
                               "_imp.extension_suffixes()[0])";

struct answer {
    unsigned minor;           /* of Python 3 */
    char suffix[ANSWER_SIZE]; /* ".cpython-313-x86_64-linux-gnu.so" */
};

static void __attribute__((noreturn)) ask_child(const char *python, int out)
{
    /* A process of our own making, with nobody's agent in it. */
    (void)unsetenv("PYTHONPATH");
    if (dup2(out, STDOUT_FILENO) >= 0 && freopen("/dev/null", "w", stderr))
        (void)execlp(python, python, "-I", "-S", "-c", question, (char *)NULL);
    _exit(errno == ENOENT ? EXIT_MISSING : 1);
}

static int
parse_answer(char *text, struct answer *ret_answer)
{
    struct answer answer;
    int end = 0;

    text[strcspn(text, "\n")] = '\0';
    if (sscanf(text, "3 %3u %n", &answer.minor, &end) != 1 || end == 0)
        return -ENODATA;
    if (text[end] != '.' || strchr(text, '/'))
        return -ENODATA;
    (void)snprintf(answer.suffix, sizeof(answer.suffix), "%s", text + end);
    *ret_answer = answer;
    return 0;
}

/* 0; -ENOENT: no such program; -ENODATA: it does not answer as an interpreter does. */
static int
ask(const char *python, struct answer *ret_answer)
{
    char text[ANSWER_SIZE];
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
        pid > 0 && len < sizeof(text) - 1 &&
        ((n = read(fds[0], text + len, sizeof(text) - 1 - len)) > 0 || (n < 0 && errno == EINTR)))
        len += n > 0 ? (size_t)n : 0;
    (void)close(fds[0]);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -ENODATA;
    if (status != 0)
        return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_MISSING ? -ENOENT : -ENODATA;
    text[len] = '\0';
    return parse_answer(text, ret_answer);
}

/* 0, or what interpreter_find says of an interpreter that was asked for. */
static int
check(const char *libdir, const char *python, unsigned *ret_minor)
{
    char agent[PATH_MAX + ANSWER_SIZE + 32];
    struct answer answer;
    int r = ask(python, &answer);

    if (r < 0)
        return r;
    if (answer.minor < FIRST_MINOR) {
        *ret_minor = answer.minor;
        return -ENOTSUP;
    }
    (void)snprintf(agent, sizeof(agent), "%s/agent/looptop_agent%s", libdir, answer.suffix);
    return access(agent, R_OK) == 0 ? 0 : -ENODATA;
}

int
interpreter_find(
    const char *libdir, const char *wanted, const char **ret_python, unsigned *ret_minor)
{
    static const char *const names[] = {
        "python3", "python3.15", "python3.14", "python3.13", "python3.12", "python3.11"};
    size_t count = wanted ? 1 : sizeof(names) / sizeof(names[0]);
    int r = -ENODATA;

    for (size_t i = 0; i < count; i++) {
        const char *python = wanted ? wanted : names[i];

        r = check(libdir, python, ret_minor);
        if (r == 0) {
            *ret_python = python;
            return 0;
        }
    }
    return wanted ? r : -ENODATA;
}
