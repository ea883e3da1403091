/* SPDX-License-Identifier: MIT */
/* The full-screen program. */
#ifndef LOOPTOP_CLIENT_TUI_H
#define LOOPTOP_CLIENT_TUI_H

#include <stdbool.h>
#include <sys/types.h>

#include "client/conn.h"
#include "client/model/tasks.h"
#include "client/theme/theme.h"

struct tui_options {
    pid_t pid;
    double delay_s;          /* between updates */
    enum conn_attach attach; /* of processes that are opened from the list */
    struct task_query query;
    enum color_mode color;
    bool ascii;
    bool readonly;     /* no cancelling from here */
    const char *theme; /* name or path; NULL: the built-in */
};

/*
 * Runs until the user leaves. Takes conn over and closes it; reconnects by pid when it breaks.
 * Returns the exit status of looptop(1).
 */
int tui_run(struct conn *conn, const struct tui_options *options);

/* The same for a program that goes on afterwards, unless *ret_over: a signal, or the end of the
 * terminal, asked for the end. */
int tui_show(struct conn *conn, const struct tui_options *options, bool *ret_over);

#endif
