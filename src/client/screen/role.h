/* SPDX-License-Identifier: MIT */
/*
 * What a cell of the screen means. Views draw with roles, never with colours; a theme says how each
 * looks. A role whose name has dots falls back to the name before the last dot, in the end to
 * "default". The letter stands for the role in the style map of surface_dump. See looptop-theme(5).
 */
#ifndef LOOPTOP_SCREEN_ROLE_H
#define LOOPTOP_SCREEN_ROLE_H

/* X(constant, name in themes, letter in dumps) */
#define ROLE_LIST(X)                                                                               \
    X(ROLE_DEFAULT, "default", '.')                                                                \
    X(ROLE_DIM, "dim", 'd')                                                                        \
    X(ROLE_STRONG, "strong", 'b')                                                                  \
    X(ROLE_ACCENT, "accent", 'a')                                                                  \
    X(ROLE_GOOD, "good", 'g')                                                                      \
    X(ROLE_WARNING, "warning", 'w')                                                                \
    X(ROLE_ERROR, "error", 'e')                                                                    \
    X(ROLE_ALARM, "alarm", 'A')                                                                    \
    X(ROLE_NOTICE, "notice", 'N')                                                                  \
    X(ROLE_HEADER_NAME, "header.name", 't')                                                        \
    X(ROLE_HEADER_LABEL, "header.label", 'l')                                                      \
    X(ROLE_TAB, "tab", 'T')                                                                        \
    X(ROLE_TAB_ACTIVE, "tab.active", 'X')                                                          \
    X(ROLE_TABLE_HEAD, "table.head", 'h')                                                          \
    X(ROLE_TABLE_SORT, "table.head.sort", 's')                                                     \
    X(ROLE_SELECTED, "table.selected", 'S')                                                        \
    X(ROLE_TAGGED, "table.tagged", 'm')                                                            \
    X(ROLE_TASK, "task", 'q')                                                                      \
    X(ROLE_TASK_NEW, "task.new", 'n')                                                              \
    X(ROLE_TASK_READY, "task.ready", 'r')                                                          \
    X(ROLE_TASK_RUN, "task.run", 'R')                                                              \
    X(ROLE_TASK_WAIT, "task.wait", 'W')                                                            \
    X(ROLE_TASK_CANCELLING, "task.cancelling", 'c')                                                \
    X(ROLE_TASK_DONE, "task.done", 'D')                                                            \
    X(ROLE_TASK_FAILED, "task.failed", 'F')                                                        \
    X(ROLE_TASK_CANCELLED, "task.cancelled", 'C')                                                  \
    X(ROLE_GRAPH_LOW, "graph.low", '1')                                                            \
    X(ROLE_GRAPH_MID, "graph.mid", '2')                                                            \
    X(ROLE_GRAPH_HIGH, "graph.high", '3')                                                          \
    X(ROLE_SOURCE, "source", 'i')                                                                  \
    X(ROLE_BOX, "box", 'x')                                                                        \
    X(ROLE_BOX_TITLE, "box.title", 'Y')                                                            \
    X(ROLE_KEY, "key", 'k')                                                                        \
    X(ROLE_KEY_LABEL, "key.label", 'K')                                                            \
    X(ROLE_PROMPT, "prompt", 'p')                                                                  \
    X(ROLE_BUTTON, "button", 'u')                                                                  \
    X(ROLE_BUTTON_ACTIVE, "button.active", 'U')

enum role {
#define ROLE_ENUM(constant, name, letter) constant,
    ROLE_LIST(ROLE_ENUM)
#undef ROLE_ENUM
        ROLES
};

/* Name in themes. */
const char *role_name(enum role role);

/* Letter in dumps. */
char role_letter(enum role role);

/* The role a name stands for, -1: none. */
int role_find(const char *name);

/* The role that serves where a theme says nothing of this one; ROLE_DEFAULT has itself. */
enum role role_parent(enum role role);

#endif
