/* SPDX-License-Identifier: MIT */
/* The list of tasks as `ps`, `cancel --match` and `top --batch` share it: options, fetching,
 * printing. */
#ifndef LOOPTOP_CLIENT_PS_H
#define LOOPTOP_CLIENT_PS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "client/conn.h"
#include "client/model/status.h"
#include "client/model/task_list.h"
#include "client/verb.h"
#include "common/buf.h"
#include "proto/json_out.h"

#define PS_COLUMNS_MAX 20

struct ps_options {
    enum looptop_column sort;
    bool reverse;
    const char *filter; /* borrowed; NULL: none */
    size_t limit;       /* 0: all */
    bool finished;
    bool no_header;
    unsigned char columns[PS_COLUMNS_MAX]; /* indexes into ps_columns */
    size_t columns_count;                  /* 0: the usual ones */
};

#define PS_OPTIONS_DEFAULT                                                                         \
    {                                                                                              \
        .sort = LOOPTOP_COL_IDLE, .finished = true                                                 \
    }

/* Every live task, by id. */
#define PS_OPTIONS_LIVE                                                                            \
    {                                                                                              \
        .sort = LOOPTOP_COL_ID, .reverse = true                                                    \
    }

/* Read the value of an option. VERB_DONE, or VERB_USAGE and it has been said. */
int ps_option_sort(const struct verb *verb, const char *text, struct ps_options *options);
int ps_option_columns(const struct verb *verb, const char *text, struct ps_options *options);
int ps_option_limit(const struct verb *verb, const char *text, struct ps_options *options);
/* Checks the expression and points at the column that is wrong. */
int ps_option_filter(const struct verb *verb, const char *text, struct ps_options *options);

/*
 * Fetches what the options ask for, in their order. 0, or negative with error filled; the list is
 * the caller's to task_list_done in both cases.
 */
int ps_fetch(struct conn *conn, const struct ps_options *options, struct task_list *list,
    struct conn_error *error);

/*
 * The id of the only task in a list of the live ones that is called name. VERB_DONE; VERB_NOT_SO:
 * there is none, or more than one, which has been said.
 */
int ps_id_by_name(pid_t pid, const struct task_list *list, const char *name, uint64_t *ret_id);

/* Fetches `status` into *ret_status, to be freed by the caller. 0, or negative with error filled.
 */
int ps_status(struct conn *conn, struct status **ret_status, struct conn_error *error);

/* Prints the table. 0 or -errno. */
int ps_table(struct buf *buf, const struct task_list *list, const struct ps_options *options,
    unsigned width);

/* Prints the document of `ps --json`. 0 or -errno. */
int ps_json(struct buf *buf, pid_t pid, const struct conn_hello *hello, const struct status *status,
    const struct task_list *list);

/* Parts of it that other documents have too. */
void ps_json_process(struct json_out *out, pid_t pid, const struct conn_hello *hello);
/* Opens the loop's object and leaves it open for further fields. */
void ps_json_loop_open(struct json_out *out, const struct loop_status *loop);

/* An array of numbers, each times scale; not-a-number as null. */
void ps_json_numbers(struct json_out *out, const char *key, const double *values, size_t count,
    int decimals, double scale);

/* A figure in nanoseconds as seconds, STATUS_UNKNOWN as null. */
void ps_json_seconds(struct json_out *out, const char *key, int64_t ns);

#endif
