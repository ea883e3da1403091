/* SPDX-License-Identifier: MIT */
/*
 * A record as the io thread sees it: copied field by field, consistent because its id was the same
 * before and after. Texts are borrowed from names.h or stand in the view. No GIL.
 */
#ifndef LOOPTOP_AGENT_RECORD_VIEW_H
#define LOOPTOP_AGENT_RECORD_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/table.h"
#include "looptop/protocol.h"

struct record_view {
    uint64_t now; /* ticks: what it is as of */
    uint64_t id, parent, steps;
    uint64_t age_ns, idle_ns, busy_ns, max_step_ns;
    int64_t ended_ns;  /* -1: lives */
    int64_t queued_ns; /* -1: it is not queued to run */
    uint32_t index, created_at, at, coroutine, waiting_on, exception;
    uint32_t loop;    /* its entry; 0: not known, or it serves another loop by now */
    uint32_t loop_id; /* 0: not known */
    enum looptop_state state;
    bool age_exact, at_stale;
};

/*
 * Copies the record at an index as of `now` (ticks). False where there is none, it changed hands
 * while it was read, or it ended longer ago than finished tasks are shown.
 */
bool record_view_read(uint32_t index, uint64_t now, struct record_view *ret_view);

/* Its name, as of now: out has LOOPTOP_NAME_MAX bytes. Apart, because it costs more than the rest.
 */
void record_view_name(uint32_t index, char *out);

/* Only id, state and the loop's entry, for counting. */
bool record_view_state(uint32_t index, uint64_t now, uint64_t *ret_id,
    enum looptop_state *ret_state, uint32_t *ret_loop);

#endif
