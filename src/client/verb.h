/* SPDX-License-Identifier: MIT */
/*
 * A verb of the command line: `looptop NAME ...`. What the verbs share: reading options, opening a
 * process, saying what went wrong in one line. All of it is for the main thread.
 */
#ifndef LOOPTOP_CLIENT_VERB_H
#define LOOPTOP_CLIENT_VERB_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "client/conn.h"

/* Exit status of looptop(1). */
enum verb_status {
    VERB_DONE = 0,
    VERB_NOT_SO = 1,  /* the thing asked for is not so */
    VERB_USAGE = 2,   /* the command line is wrong */
    VERB_CONNECT = 3, /* no connection to the agent, or it broke */
};

#define VERB_TIMEOUT_MS 5000 /* for an answer of a healthy agent, with the machine under load */

struct verb {
    const char *name;
    const char *arguments; /* after the name, in the usage line */
    const char *summary;   /* one line */
    const char *options;   /* text of --help below the usage line; NULL: none but --help */
    int (*run)(const struct verb *verb, int argc, char **argv); /* argv[0] is the name */
    bool takes_pid;          /* its first argument is a PID; with --name there is one too */
    enum conn_attach attach; /* what verb_open_only does where no agent is inside */
    bool at_once;            /* … and does not wait until that has read what there is */
};

extern const struct verb verb_run, verb_ls, verb_ps, verb_stack, verb_loops, verb_mem, verb_cancel,
    verb_top, verb_detach, verb_demo;

/* Options that several verbs have. */
#define VERB_OPTION_HELP                                                                           \
    {                                                                                              \
        "help", no_argument, NULL, 'h'                                                             \
    }
#define VERB_OPTION_JSON                                                                           \
    {                                                                                              \
        "json", no_argument, NULL, 'j'                                                             \
    }
#define VERB_OPTION_END                                                                            \
    {                                                                                              \
        NULL, 0, NULL, 0                                                                           \
    }

/*
 * The next option, as getopt_long does; -1 after the last. 0: leave the verb with *ret_status,
 * since help was asked for, the option is wrong or --name names no process (which has been said).
 * --name is dealt with here: the PID that it stands for is argv[optind] after the last option.
 */
int verb_option(const struct verb *verb, int argc, char **argv, const char *shorts,
    const struct option *longs, int *ret_status);

/* Prints "looptop: TEXT" to standard error in one line and returns status. */
int verb_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A usage error; adds where to find help. Returns VERB_USAGE. */
int verb_misused(const struct verb *verb, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Prints the verb's help to standard output; returns VERB_DONE. */
int verb_help(const struct verb *verb);

/* A process id out of text. VERB_DONE, or VERB_USAGE and it has been said. */
int verb_pid(const struct verb *verb, const char *text, pid_t *ret_pid);

/*
 * Opens the agent in the one process that argv[optind] names; with more or fewer arguments it is a
 * usage error. VERB_DONE, or a status and the reason has been said.
 */
int verb_open_only(
    const struct verb *verb, int argc, char **argv, pid_t *ret_pid, struct conn **ret_conn);

/*
 * Waits, half a second at the most, until an agent that was just brought in has read what there is;
 * says on stderr what holds it up. Most processes are read in a few milliseconds.
 */
void verb_await_tables(pid_t pid, struct conn *conn);

/* What the verb does where no agent is inside, once its options have been read. */
enum conn_attach verb_attach(const struct verb *verb);

/* Says why a conn_call failed; returns the status that goes with it. */
int verb_call_failed(const struct conn_error *error);

/* Says that an answer could not be decoded, for the reason r; returns VERB_CONNECT. */
int verb_misread(const char *method, int r);

/* For CLEANUP. */
void verb_conn_done(struct conn **conn);

#endif
