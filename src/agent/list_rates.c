// SPDX-License-Identifier: MIT
/*
 * See list_rates.h. Kept beside the table, an entry a record, as long as somebody watches; an entry
 * is for the record it was made of, told by its id.
 */
#include "agent/list_rates.h"

#include <string.h>
#include <sys/mman.h>

#include "agent/list.h"
#include "agent/ticks.h"

#define RECENT_NS 500000000 /* a share of less is none to go by */

struct rate {
    uint64_t id;
    uint64_t busy;   /* ticks at the last look */
    uint64_t before; /* and at the one before it */
};

static struct rate *rates;              /* indexed as the table; pages come into use as it grows */
static uint64_t last_look, look_before; /* ticks; 0: nobody watches, or did then */

static size_t
bytes(void)
{
    return (size_t)table_max * sizeof *rates;
}

void
list_rates_sample(void)
{
    if (rates == NULL) {
        void *memory = mmap(NULL, bytes(), PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED)
            return;
        rates = memory;
    }
    uint64_t now = ticks_now();
    uint32_t high = LOAD(table_high);
    for (uint32_t i = 1; i < high; i++) {
        const struct record *record = &table_records[i];
        struct rate *rate = &rates[i];
        uint64_t id = LOAD(record->id), busy = LOAD(record->busy);
        if (id == 0)
            continue;
        const struct loop *loop = &loops[LOAD(record->loop) % LOOPS_MAX];
        if (LOAD(loop->running) == i && now > LOAD(loop->step_start))
            busy += now - LOAD(loop->step_start);
        rate->before = rate->id == id ? rate->busy : 0;
        rate->id = id;
        rate->busy = busy;
    }
    look_before = last_look;
    last_look = now;
}

void
list_rates_stop(void)
{
    if (rates != NULL)
        (void)madvise(rates, bytes(), MADV_DONTNEED);
    last_look = look_before = 0;
}

static double
share(uint64_t busy_ns, uint64_t span_ns)
{
    return busy_ns >= span_ns ? 100.0 : 100.0 * (double)busy_ns / (double)span_ns;
}

double
list_rates_busy(const struct record_view *view)
{
    if (view->ended_ns >= 0)
        return 0;
    const struct rate *rate = rates != NULL ? &rates[view->index] : NULL;
    if (look_before == 0 || rate->id != view->id)
        return view->age_ns != 0 ? share(view->busy_ns, view->age_ns) : 0;
    bool recent = view->now - last_look >= ticks_from_ns(RECENT_NS);
    uint64_t before_ns = ticks_to_ns(recent ? rate->busy : rate->before);
    uint64_t busy_ns = view->busy_ns > before_ns ? view->busy_ns - before_ns : 0;
    return share(busy_ns, ticks_to_ns(view->now - (recent ? last_look : look_before)));
}
