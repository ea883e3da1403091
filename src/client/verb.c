/* SPDX-License-Identifier: MIT */
/* What the verbs of the command line share. */
#include "client/verb.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/model/status.h"
#include "client/name.h"
#include "client/out.h"
#include "client/ps.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fmt.h"
#include "common/parse.h"
#include "looptop/protocol.h"

#define OPTIONS_MAX 24
/* no letters of any verb */
#define OPTION_NAME 0x100
#define OPTION_FORCE 0x101
#define FRESH_S 2
#define TABLES_NS (CLOCK_NS_PER_S / 2)
#define TABLES_LOOK_NS 500000
#define TABLES_LOOK_MAX_NS 10000000
#define GIL_LONG_NS 200000000

static bool forced; /* --force was said */

static void __attribute__((format(printf, 1, 0))) say(const char *format, va_list ap)
{
    char text[1024], clean[1024];

    (void)vsnprintf(text, sizeof(text), format, ap);
    (void)fprintf(stderr, "looptop: %s\n", out_clean(clean, sizeof(clean), text));
}

int
verb_fail(int status, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    say(format, ap);
    va_end(ap);
    return status;
}

int
verb_misused(const struct verb *verb, const char *format, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    return verb_fail(VERB_USAGE, "%s: %s: see `looptop %s --help`", verb->name, text, verb->name);
}

int
verb_help(const struct verb *verb)
{
    (void)printf("usage: looptop %s %s\n\n%s.\n", verb->name, verb->arguments, verb->summary);
    if (verb->options)
        (void)printf("\n%s", verb->options);
    if (verb->takes_pid)
        (void)printf("%sInstead of PID, --name PATTERN takes the process whose command line "
                     "contains PATTERN,\nor matches it as a whole where it has one of *?[.\n",
            verb->options ? "\n" : "");
    return VERB_DONE;
}

/* The verb's options, and --name. */
static void
add_common(const struct verb *verb, const struct option *longs, struct option all[OPTIONS_MAX])
{
    size_t n = 0;

    for (; longs[n].name && n < OPTIONS_MAX - 3; n++)
        all[n] = longs[n];
    if (verb->takes_pid)
        all[n++] = (struct option){"name", required_argument, NULL, OPTION_NAME};
    if (verb->attach != CONN_PRESENT)
        all[n++] = (struct option){"force", no_argument, NULL, OPTION_FORCE};
    all[n] = (struct option){0};
}

/* The next option that is the verb's own; --name is kept in *name. */
static int
next_own(int argc, char **argv, const char *shorts, const struct option *all, const char **name,
    const char **ret_at)
{
    for (;;) {
        *ret_at = argv[optind ? optind : 1];
        int c = getopt_long(argc, argv, shorts, all, NULL);

        if (c == OPTION_NAME)
            *name = optarg;
        else if (c == OPTION_FORCE)
            forced = true;
        else
            return c;
    }
}

/*
 * The process that was named takes the place of its PID among the arguments: at the end of the
 * options, which are read by now, so that there is room for it.
 */
static int
put_named(const struct verb *verb, const char *pattern, char **argv, int *ret_status)
{
    static char text[16];
    pid_t pid;

    *ret_status = *pattern ? name_find(pattern, &pid)
                           : verb_misused(verb, "--name needs a part of a command line");
    if (*ret_status != VERB_DONE)
        return 0;
    (void)snprintf(text, sizeof(text), "%d", (int)pid);
    argv[--optind] = text;
    return -1;
}

int
verb_option(const struct verb *verb, int argc, char **argv, const char *shorts,
    const struct option *longs, int *ret_status)
{
    static const char *name; /* read across calls, until the last option */
    const char *at;
    struct option all[OPTIONS_MAX];

    opterr = 0;
    add_common(verb, longs, all);
    int c = next_own(argc, argv, shorts, all, &name, &at);
    switch (c) {
    case -1:
        return name ? put_named(verb, name, argv, ret_status) : -1;
    case 'h':
        *ret_status = verb_help(verb);
        return 0;
    case ':':
        *ret_status = verb_misused(verb, "option '%s' needs a value", argv[optind - 1]);
        return 0;
    case '?':
        if (optopt > 0 && optopt < 128 && !(at && strncmp(at, "--", 2) == 0))
            *ret_status = verb_misused(verb, "unknown option '-%c'", optopt);
        else
            *ret_status = verb_misused(verb, "unknown option '%s'", argv[optind - 1]);
        return 0;
    default:
        return c;
    }
}

int
verb_pid(const struct verb *verb, const char *text, pid_t *ret_pid)
{
    uint64_t pid;

    if (parse_uint_text(text, 1, INT32_MAX, &pid) < 0)
        return verb_misused(verb, "'%s' is not a process id", text);
    *ret_pid = (pid_t)pid;
    return VERB_DONE;
}

/* Whether the tables of an agent that was just brought in hold what there is; *ret_status is what
 * it says of itself, owned. */
static bool
has_tables(struct conn *conn, struct status **ret_status)
{
    struct conn_error error;

    if (ps_status(conn, ret_status, &error) < 0)
        return true; /* what is asked next says what is wrong */
    return strcmp((*ret_status)->hooks_state, "refused") == 0 ||
           (strcmp((*ret_status)->hooks_state, "active") == 0 && !(*ret_status)->walking);
}

/* What a list that is empty, or not whole, has to be read with. */
static void
say_waiting(pid_t pid, const struct status *status)
{
    char text[FMT_SIZE];

    if (status->gil_waiting_ns > GIL_LONG_NS)
        (void)verb_fail(0,
            "connected: a thread of process %d has held the GIL for %s, and nothing can be read "
            "before it comes free",
            (int)pid, fmt_duration(text, (double)status->gil_waiting_ns));
    else if (strcmp(status->hooks_state, "waiting") == 0)
        (void)verb_fail(0, "connected: process %d has not imported asyncio", (int)pid);
}

void
verb_await_tables(pid_t pid, struct conn *conn)
{
    struct timespec pause = {.tv_nsec = TABLES_LOOK_NS};
    uint64_t until_ns = clock_monotonic_ns() + TABLES_NS;
    CLEANUP_FREE struct status *status = NULL;

    while (!has_tables(conn, &status) && clock_monotonic_ns() < until_ns) {
        free(TAKE(status));
        (void)nanosleep(&pause, NULL);
        if (pause.tv_nsec < TABLES_LOOK_MAX_NS)
            pause.tv_nsec *= 2;
    }
    if (status)
        say_waiting(pid, status);
}

/* Whether the agent was brought in just now, by whomever. */
static bool
is_fresh(const struct conn *conn)
{
    return clock_realtime_s() - conn_hello(conn)->started_s < FRESH_S;
}

int
verb_open_only(
    const struct verb *verb, int argc, char **argv, pid_t *ret_pid, struct conn **ret_conn)
{
    struct conn_error error;
    int status;

    if (optind == argc)
        return verb_misused(verb, "which process? Give its PID, or --name");
    status = verb_pid(verb, argv[optind], ret_pid);
    if (status != VERB_DONE)
        return status;
    if (optind + 1 < argc)
        return verb_misused(verb, "'%s' is one argument too many", argv[optind + 1]);
    int r = conn_open(*ret_pid, verb_attach(verb), VERB_TIMEOUT_MS, ret_conn, &error);
    if (r < 0)
        return verb_fail(VERB_CONNECT, "%s", error.text);
    if (is_fresh(*ret_conn) && !verb->at_once)
        verb_await_tables(*ret_pid, *ret_conn);
    return VERB_DONE;
}

enum conn_attach
verb_attach(const struct verb *verb)
{
    return forced && verb->attach ? CONN_FORCE : verb->attach;
}

int
verb_call_failed(const struct conn_error *error)
{
    bool refused = error->code <= LOOPTOP_ERR_READONLY && error->code >= LOOPTOP_ERR_INACTIVE;

    return verb_fail(refused ? VERB_NOT_SO : VERB_CONNECT, "%s", error->text);
}

int
verb_misread(const char *method, int r)
{
    return verb_fail(VERB_CONNECT, "%s: %s", method,
        r == -EPROTO ? "the agent's answer does not read as documented" : strerror(-r));
}

void
verb_conn_done(struct conn **conn)
{
    *conn = conn_close(*conn);
}
