/* SPDX-License-Identifier: MIT */
/* `top` in frames of plain text, as `top --batch` and the demo without a terminal print them. */
#ifndef LOOPTOP_CLIENT_TOP_H
#define LOOPTOP_CLIENT_TOP_H

#include <sys/types.h>

#include "client/conn.h"
#include "client/ps.h"

/* Prints frames (0: without end), delay_s apart. Returns the exit status of the verb. */
int top_batch(pid_t pid, struct conn *conn, const struct ps_options *options, unsigned frames,
    double delay_s);

#endif
