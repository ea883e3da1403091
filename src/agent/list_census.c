// SPDX-License-Identifier: MIT
/* How many tasks there are, by state and by loop: see list.h. */
#include "agent/list.h"

#include <string.h>

#include "agent/record_view.h"
#include "agent/ticks.h"
#include "common/clock.h"

#define CENSUS_AGE_NS 100000000ull

const struct list_census *
list_census(void)
{
    static struct list_census census;
    static uint64_t made_ns;
    uint64_t now_ns = clock_monotonic_ns(), now = ticks_now(), id;
    if (made_ns != 0 && now_ns - made_ns < CENSUS_AGE_NS)
        return &census;
    made_ns = now_ns;
    memset(&census, 0, sizeof census);
    uint32_t high = LOAD(table_high), loop;
    enum looptop_state state;
    for (uint32_t i = 1; i < high; i++) {
        if (!record_view_state(i, now, &id, &state, &loop))
            continue;
        census.by_state[state]++;
        if (state < LOOPTOP_DONE) {
            census.live++;
            census.by_loop[loop]++;
        }
    }
    return &census;
}
