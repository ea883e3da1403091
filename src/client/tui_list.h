/* SPDX-License-Identifier: MIT */
/* The full-screen list of processes, from which one is opened and returned from. */
#ifndef LOOPTOP_CLIENT_TUI_LIST_H
#define LOOPTOP_CLIENT_TUI_LIST_H

#include "client/tui.h"

/*
 * Runs until the user leaves. options are those of the processes that are opened; their pid does
 * not matter, delay_s is also the list's. Returns the exit status of looptop(1).
 */
int tui_list_run(const struct tui_options *options);

#endif
