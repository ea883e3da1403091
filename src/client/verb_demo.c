/* SPDX-License-Identifier: MIT */
/*
 * looptop demo: starts the demo service with an interpreter that there is an agent for, looks at
 * it, and stops it. The service dies with us whatever happens (PR_SET_PDEATHSIG); its output goes
 * to a file that has no name any more, so that nothing is left behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/conn.h"
#include "client/interpreter.h"
#include "client/libdir.h"
#include "client/out.h"
#include "client/top.h"
#include "client/tui.h"
#include "client/verb.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fmt.h"

#define START_MS 20000 /* for the service to come up, on a machine under load */
#define STOP_MS 3000   /* for it to go by itself, before it is killed */
#define LOG_SHOWN 4096
#define BATCH_FRAMES 3
#define BATCH_LIMIT 20

static const struct option options_long[] = {
    {"python", required_argument, NULL, 'p'},
    {"ascii", no_argument, NULL, 'A'},
    VERB_OPTION_HELP,
    VERB_OPTION_END,
};

static int
open_log(void)
{
    const char *dir = getenv("TMPDIR");
    char path[PATH_MAX];
    int fd, n = snprintf(path, sizeof(path), "%s/looptop-demo-XXXXXX", dir && *dir ? dir : "/tmp");

    if (n < 0 || n >= PATH_MAX)
        return -ENAMETOOLONG;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    (void)unlink(path);
    return fd;
}

static void
show_log(int fd)
{
    char raw[LOG_SHOWN + 1], line[512], *next = raw;
    off_t end = lseek(fd, 0, SEEK_END);
    ssize_t n = pread(fd, raw, LOG_SHOWN, end > LOG_SHOWN ? end - LOG_SHOWN : 0);

    raw[n > 0 ? n : 0] = '\0';
    while (next && *next) {
        char *text = strsep(&next, "\n");

        (void)fprintf(stderr, "    %s\n", out_clean(line, sizeof(line), text));
    }
}

static void __attribute__((noreturn))
become_service(const char *python, const char *script, int log, pid_t parent)
{
    int null = open("/dev/null", O_RDONLY);

    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    /* Its own group: the terminal's Ctrl-C is for us, who stop it afterwards. */
    (void)setpgid(0, 0);
    if (getppid() == parent && null >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
        dup2(log, STDOUT_FILENO) >= 0 && dup2(log, STDERR_FILENO) >= 0 &&
        libdir_set_environment(false) == 0) {
        (void)execlp(python, python, script, (char *)NULL);
        (void)fprintf(stderr, "cannot run %s: %s\n", python, strerror(errno));
    }
    _exit(127);
}

static void
nap(int ms)
{
    (void)poll(NULL, 0, ms);
}

/* Stops and reaps it. */
static void
stop_service(pid_t pid)
{
    uint64_t deadline = clock_monotonic_ns() + STOP_MS * 1000000ull;

    (void)kill(pid, SIGTERM);
    while (waitpid(pid, NULL, WNOHANG) == 0) {
        if (clock_monotonic_ns() > deadline)
            (void)kill(pid, SIGKILL);
        nap(10);
    }
}

/* Does the service run its loop yet? The agent answers before. */
static bool
has_tasks(struct conn *conn)
{
    CLEANUP_FREE struct status *status = NULL;
    struct conn_error error;

    return ps_status(conn, &status, &error) == 0 && status->tasks > 0;
}

/* Waits until the service is up. On failure it is gone and the reason has been said. */
static int
wait_for_service(pid_t pid, int log, struct conn **ret_conn)
{
    uint64_t deadline = clock_monotonic_ns() + START_MS * 1000000ull;
    struct conn *conn = NULL;
    struct conn_error error = {.text = "it ran no event loop"};

    for (;;) {
        if (conn || conn_open(pid, CONN_PRESENT, 1000, &conn, &error) == 0) {
            if (has_tasks(conn))
                break;
        }
        if (waitpid(pid, NULL, WNOHANG) == pid) {
            (void)verb_fail(0, "the demo service ended at once; it said:");
        } else if (clock_monotonic_ns() > deadline) {
            stop_service(pid);
            (void)verb_fail(0, "the demo service did not come up: %s; it said:", error.text);
        } else {
            nap(20);
            continue;
        }
        show_log(log);
        (void)conn_close(conn);
        return VERB_CONNECT;
    }
    *ret_conn = conn;
    return VERB_DONE;
}

static int
look(pid_t pid, struct conn *conn)
{
    struct ps_options list = PS_OPTIONS_DEFAULT;
    struct tui_options tui = {.pid = pid, .delay_s = 1, .ascii = !out_utf8()};
    int status;

    if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) {
        tui.query = (struct task_query){.sort = list.sort, .finished = true};
        return tui_run(conn, &tui);
    }
    list.limit = BATCH_LIMIT;
    status = top_batch(pid, conn, &list, BATCH_FRAMES, 1);
    (void)conn_close(conn);
    return status;
}

static int
serve_and_look(const char *python, const char *script)
{
    CLEANUP_CLOSE int log = open_log();
    struct conn *conn;
    pid_t self = getpid(), pid;
    int status;

    if (log < 0)
        return verb_fail(VERB_NOT_SO, "no file for the demo's output: %s", strerror(-log));
    pid = fork();
    if (pid < 0)
        return verb_fail(VERB_NOT_SO, "cannot start the demo service: %s", strerror(errno));
    if (pid == 0)
        become_service(python, script, log, self);
    status = wait_for_service(pid, log, &conn);
    if (status != VERB_DONE)
        return status;
    status = look(pid, conn);
    stop_service(pid);
    return status;
}

/* VERB_DONE, or VERB_NOT_SO and it has been said. */
static int
find_python(const char *libdir, const char *wanted, const char **ret_python)
{
    unsigned minor = 0;

    switch (interpreter_find(libdir, wanted, ret_python, &minor)) {
    case 0:
        return VERB_DONE;
    case -ENOENT:
        return verb_fail(VERB_NOT_SO, "%s: not found", wanted);
    case -ENOTSUP:
        return verb_fail(VERB_NOT_SO,
            "%s is Python 3.%u: 3.11 is the first that looptop has an agent for", wanted, minor);
    default:
        return verb_fail(VERB_NOT_SO,
            "no agent in %s/agent for %s: build looptop with the headers of the interpreter there",
            libdir, wanted ? wanted : "any python3 on PATH");
    }
}

static int
run(const struct verb *verb, int argc, char **argv)
{
    char dir[PATH_MAX], script[PATH_MAX + 16];
    const char *wanted = NULL, *python;
    int c, status = VERB_DONE;

    while ((c = verb_option(verb, argc, argv, ":h", options_long, &status)) > 0) {
        if (c == 'p')
            wanted = optarg;
        else
            out_force_ascii();
    }
    if (c == 0)
        return status;
    if (optind < argc)
        return verb_misused(verb, "'%s' is one argument too many", argv[optind]);
    if (libdir_find(dir) < 0)
        return verb_fail(VERB_NOT_SO, "the demo is not where looptop is, nor where it was to be "
                                      "installed: set LOOPTOP_LIBDIR to "
                                      "the directory that holds agent/ and demo/");
    (void)snprintf(script, sizeof(script), "%s/demo/demo.py", dir);
    if (access(script, R_OK) < 0)
        return verb_fail(VERB_NOT_SO, "%s: %s", script, strerror(errno));
    status = find_python(dir, wanted, &python);
    if (status != VERB_DONE)
        return status;
    return serve_and_look(python, script);
}

const struct verb verb_demo = {
    .name = "demo",
    .arguments = "[--python PYTHON]",
    .summary = "Start a demo service and look at it; without a terminal print three frames",
    .options = "      --python PYTHON  interpreter (default: the first on PATH with an agent)\n"
               "      --ascii          no characters beyond ASCII\n",
    .run = run,
};
