// SPDX-License-Identifier: MIT
/* See record_view.h. */
#include "agent/record_view.h"

#include <string.h>

#include "agent/loops.h"
#include "agent/ticks.h"

static enum looptop_state
state_of(const struct record *record, uint32_t index, unsigned flags, bool running)
{
    if (flags & RECORD_DONE)
        return LOOPTOP_DONE;
    if (flags & RECORD_FAILED)
        return LOOPTOP_FAILED;
    if (flags & RECORD_CANCELLED)
        return LOOPTOP_CANCELLED;
    if (running && index != 0)
        return LOOPTOP_RUN;
    if (flags & RECORD_CANCELLING)
        return LOOPTOP_CANCELLING;
    /* taken in while it lived: whether it had stepped before is told by its path */
    if (LOAD(record->steps) == 0 && !(flags & RECORD_STARTED))
        return LOOPTOP_NEW;
    return LOAD(record->woken) != 0 ? LOOPTOP_READY : LOOPTOP_WAIT;
}

/* Whether what was read is still the record of id: reads before it are done before. */
static bool
still(const struct record *record, uint64_t id)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return LOAD(record->id) == id;
}

/* The entry of its loop; 0 where that is not known, or serves another loop by now. */
static uint32_t
loop_of(const struct record *record)
{
    uint32_t index = LOAD(record->loop) % LOOPS_MAX;
    return (uint32_t)LOAD(loops[index].id) == LOAD(record->loop_id) ? index : 0;
}

static bool
is_running(const struct record *record, uint32_t index)
{
    return LOAD(loops[LOAD(record->loop) % LOOPS_MAX].running) == index;
}

bool
record_view_state(uint32_t index, uint64_t now, uint64_t *ret_id, enum looptop_state *ret_state,
    uint32_t *ret_loop)
{
    const struct record *record = &table_records[index];
    __builtin_prefetch(record + 12); /* most callers go through the whole table */
    uint64_t id = LOAD_ACQUIRE(record->id);
    unsigned flags = LOAD(record->flags);
    if (id == 0)
        return false;
    /* a pass over all records is bound by memory: of one that lives its first line is enough, for
     * its loop lives too, and as a rule has its entry */
    bool lives = (flags & RECORD_ENDED) == 0;
    if (!lives) {
        uint64_t ended = LOAD(record->ended);
        if (ended != 0 && now > ended && ticks_to_ns(now - ended) > TABLE_KEEP_NS)
            return false;
    }
    *ret_id = id;
    *ret_loop = lives && !LOAD(loops_given_up) ? LOAD(record->loop) % LOOPS_MAX : loop_of(record);
    *ret_state = state_of(record, index, flags, is_running(record, index));
    return still(record, id);
}

void
record_view_name(uint32_t index, char *out)
{
    const struct record *record = &table_records[index];
    uint64_t number = LOAD(record->name_number);
    if (number != 0) {
        static const char prefix[] = "Task-";
        char digits[24];
        size_t n = 0, at = sizeof prefix - 1;
        memcpy(out, prefix, at);
        for (; number != 0; number /= 10)
            digits[n++] = (char)('0' + number % 10);
        while (n > 0)
            out[at++] = digits[--n];
        out[at] = '\0';
        return;
    }
    /* it may be written just now: whatever comes, it ends */
    size_t i = 0;
    do
        out[i] = LOAD(record->name[i]);
    while (out[i] != '\0' && ++i < LOOPTOP_NAME_MAX - 1);
    out[i] = '\0';
}

/* Times that lie after `now` (the record went on) count as now. */
static uint64_t
since(uint64_t now, uint64_t then)
{
    return now > then ? ticks_to_ns(now - then) : 0;
}

bool
record_view_read(uint32_t index, uint64_t now, struct record_view *view)
{
    const struct record *record = &table_records[index];
    if (!record_view_state(index, now, &view->id, &view->state, &view->loop))
        return false;
    uint64_t busy = LOAD(record->busy), ended = LOAD(record->ended), born = LOAD(record->born);
    uint64_t until = ended != 0 ? ended : now, last = LOAD(record->last_end);
    unsigned flags = LOAD(record->flags);

    view->now = now;
    view->index = index;
    view->loop_id = LOAD(record->loop_id);
    view->parent = LOAD(record->parent);
    view->steps = LOAD(record->steps);
    view->max_step_ns = ticks_to_ns(LOAD(record->max_step));
    if (view->state == LOOPTOP_RUN) {
        uint64_t step = now - LOAD(loops[view->loop].step_start);
        last = LOAD(loops[view->loop].step_start);
        busy += (int64_t)step > 0 ? step : 0;
        if (since(now, last) > view->max_step_ns)
            view->max_step_ns = since(now, last);
    }
    view->age_ns = since(until, born);
    view->idle_ns = since(now, last);
    view->busy_ns = ticks_to_ns(busy);
    view->ended_ns = ended != 0 ? (int64_t)since(now, ended) : -1;
    uint64_t woken = view->state == LOOPTOP_RUN || ended != 0 ? 0 : LOAD(record->woken);
    view->queued_ns = woken != 0 ? (int64_t)since(now, woken) : -1;
    view->age_exact = !(flags & RECORD_AGE_INEXACT);
    view->created_at = LOAD(record->created_at);
    view->at = LOAD(record->at);
    view->coroutine = LOAD(record->coroutine);
    view->waiting_on = LOAD(record->waiting_on);
    view->exception = LOAD(record->exception);
    view->at_stale = view->state != LOOPTOP_NEW &&
                     LOAD(record->at_step) != (uint32_t)view->steps + (view->state == LOOPTOP_RUN);
    return still(record, view->id);
}
