/* SPDX-License-Identifier: MIT */
/*
 * The list of processes as it is shown: the rows of the last look, which of them the filter leaves,
 * in which order, and which one is selected. The selection holds on to the process, not to the
 * place. Owns its rows; one thread; no input or output.
 */
#ifndef LOOPTOP_CLIENT_MODEL_PROCESSES_H
#define LOOPTOP_CLIENT_MODEL_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum process_column {
    PROCESS_PID,
    PROCESS_USER,
    PROCESS_PYTHON,
    PROCESS_LOOP,
    PROCESS_TASKS,
    PROCESS_LAG,
    PROCESS_BUSY,
    PROCESS_CPU,
    PROCESS_RSS,
    PROCESS_UP,
    PROCESS_COMMAND,
    PROCESS_COLUMNS
};

enum process_agent {
    PROCESS_NO_AGENT,
    PROCESS_ANSWERED,
    PROCESS_SILENT,  /* there is one, which has not answered in time */
    PROCESS_REFUSED, /* it answered that it does not talk to us, or in no protocol of ours */
};

#define PROCESS_COMMAND_MAX 512

/* One process. Figures that are not known are below 0 or not-a-number, texts are empty. */
struct process_row {
    pid_t pid;
    uid_t uid;
    uint64_t start_ns; /* since boot: with the pid it names the process for good */
    char user[33];
    char python[32];
    char loop[64];  /* "asyncio", "uvloop", or what the agent calls it */
    char agent[32]; /* its version */
    char command[PROCESS_COMMAND_MAX];
    enum process_agent state;
    bool busy_exact;
    int64_t tasks, lag_ns, rss, up_ns;
    double busy_pct, cpu_pct;
};

struct processes {
    struct process_row *rows; /* owned: of the last look */
    size_t count;
    size_t *shown; /* owned: indexes of rows, in order */
    size_t shown_count;
    bool looked; /* there was a look */

    enum process_column sort;
    bool reverse;
    char filter[256]; /* "": all; a pattern of match.h on the command */

    pid_t selected; /* 0: none */
    uint64_t selected_start_ns;
    size_t cursor, top; /* places in shown */
    int height;         /* lines that show rows */
};

void processes_done(struct processes *list);

/* Takes a copy of the rows of a new look. 0, -ENOMEM (the former ones stay). */
int processes_take(struct processes *list, const struct process_row *rows, size_t count);

/* The row at a place of those that are shown, NULL: none. */
const struct process_row *processes_at(const struct processes *list, size_t place);

/* The selected row, NULL: there is none. */
const struct process_row *processes_selected(const struct processes *list);

void processes_move(struct processes *list, int64_t step);
void processes_set_height(struct processes *list, int height);

/* By this column, its natural order first. */
void processes_sort(struct processes *list, enum process_column column, bool reverse);

/* Whether a column stands largest first unless reversed. */
bool processes_largest_first(enum process_column column);

/* Shows only rows whose command matches; cut to the room there is. */
void processes_set_filter(struct processes *list, const char *pattern);

/* What a cell says; at_least is the sign before a lower bound. Returns out. */
const char *processes_cell(const struct process_row *row, enum process_column column,
    const char *at_least, char *out, size_t size);

#endif
