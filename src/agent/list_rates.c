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

struct rate {
    uint64_t id;
    uint64_t busy; /* ticks at the last look */
    double pct;
};

static struct rate *rates; /* indexed as the table; pages come into use as it grows */
static uint64_t last_look; /* ticks; 0: nobody watches */
static bool second_look;   /* pct is of a second, not of nothing */

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
    double span = (double)(now - last_look);
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
        uint64_t before = rate->id == id ? rate->busy : 0;
        rate->pct = busy > before ? 100.0 * (double)(busy - before) / span : 0;
        if (rate->pct > 100.0)
            rate->pct = 100.0;
        rate->id = id;
        rate->busy = busy;
    }
    second_look = last_look != 0;
    last_look = now;
}

void
list_rates_stop(void)
{
    if (rates != NULL)
        (void)madvise(rates, bytes(), MADV_DONTNEED);
    last_look = 0;
    second_look = false;
}

double
list_rates_busy(const struct record_view *view)
{
    if (view->ended_ns >= 0)
        return 0;
    if (second_look && rates[view->index].id == view->id)
        return rates[view->index].pct;
    if (view->age_ns == 0)
        return 0;
    double pct = 100.0 * (double)view->busy_ns / (double)view->age_ns;
    return pct > 100.0 ? 100.0 : pct;
}
