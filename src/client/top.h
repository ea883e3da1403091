/* SPDX-License-Identifier: MIT */
/*
 * What the full screen and its frames of plain text share: `top`, `top --batch`, and the demo with
 * and without a terminal.
 */
#ifndef LOOPTOP_CLIENT_TOP_H
#define LOOPTOP_CLIENT_TOP_H

#include <sys/types.h>

#include "client/conn.h"
#include "client/ps.h"
#include "client/theme/load.h"

/*
 * Loads a theme and says on stderr what is wrong with it. 0, -errno: there is none; lines that are
 * wrong do not fail.
 */
int top_theme(const char *name, struct theme *ret_theme, struct theme_faults *ret_faults);

/* Prints frames (0: without end), delay_s apart. Returns the exit status of the verb. */
int top_batch(pid_t pid, struct conn *conn, const struct ps_options *options, unsigned frames,
    double delay_s);

#endif
