/* SPDX-License-Identifier: MIT */
/*
 * The state of the list of processes, shared by tui_list.c (loop, drawing, opening) and
 * tui_list_key.c (keys and what they do). Nobody else includes this.
 */
#ifndef LOOPTOP_CLIENT_TUI_LIST_IMPL_H
#define LOOPTOP_CLIENT_TUI_LIST_IMPL_H

#include "client/model/model.h"
#include "client/survey.h"
#include "client/tui_list.h"
#include "client/tui_screen.h"
#include "client/view/list_screen.h"

struct tui_list {
    const struct tui_options *options;
    struct model model; /* with no process */
    struct survey survey;
    struct tui_screen screen;
    struct list_screen parts;
    struct line_history filters, finds;
    enum action_kind prompt_for; /* ACTION_FILTER or ACTION_FIND */
    char prompt_former[LOOPTOP_FILTER_MAX];
    char find[LOOPTOP_FILTER_MAX];
    uint64_t look_ns; /* when the next look is due */
    int status;       /* to exit with */
    bool heard;       /* something has come from an agent */
    bool dirty, quit;
};

/* tui_list.c */
void tui_list_layout(struct tui_list *list);
/* Opens the selected process; where it cannot be, says why and stays. */
void tui_list_open(struct tui_list *list);

/* tui_list_key.c */
void tui_list_key(struct tui_list *list, int key);

#endif
