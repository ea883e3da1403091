/* SPDX-License-Identifier: MIT */
/*
 * The method `tasks`: filters, sorts and cuts a window out of the table, without the GIL. io
 * thread.
 */
#ifndef LOOPTOP_AGENT_LIST_H
#define LOOPTOP_AGENT_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/loops.h"
#include "looptop/protocol.h"
#include "proto/filter.h"
#include "proto/json_out.h"
#include "proto/rpc.h"

struct list_query {
    enum looptop_column sort;
    bool reverse;
    bool finished;
    uint64_t offset, limit, after, focus;
    uint64_t *ids; /* owned, sorted; NULL: all */
    size_t ids_count;
    struct filter filter;
};

/* Reads the params. 0 and *ret_query owned; -EINVAL with an error; -ENOMEM. */
int list_query_parse(
    const struct rpc_request *request, struct list_query **ret_query, struct rpc_error *ret_error);

/* Frees; NULL-safe; returns NULL. */
struct list_query *list_query_free(struct list_query *query);

/*
 * Writes the answer. 0, -ENOMEM; -EINTR, unless it is to be written to its end in any case: the
 * thread is to end, and what was written is of no use.
 */
int list_write(const struct list_query *query, bool to_the_end, struct json_out *out);

/* How many tasks there are in each state, and on each loop; looked through at most ten times a
 * second. */
struct list_census {
    uint64_t by_state[LOOPTOP_STATES];
    uint64_t live;
    uint32_t by_loop[LOOPS_MAX];
};
const struct list_census *list_census(void);

/* Gives back the memory kept from one answer to the next. */
void list_trim(void);

/* A second has passed and somebody watches: busy shares are of this second from now on. */
void list_rates_sample(void);

/* Nobody watches any more: shares are of the whole life again. */
void list_rates_stop(void);

#endif
