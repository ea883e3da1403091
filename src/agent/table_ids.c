// SPDX-License-Identifier: MIT
/*
 * See table_ids.h. The index is open-addressed, from ids to records, of all that there were when it
 * was made. It never becomes wrong: a record found is asked for its id, a task has one record all
 * its life, and an id that is larger than all of then is looked up in an index made anew.
 */
#include "agent/table_ids.h"

#include <stdlib.h>

#include "agent/table.h"

static struct {
    uint32_t *slots; /* owned; 0: free */
    unsigned bits;   /* of the number of slots */
    uint64_t last;   /* the largest id given when it was made */
} known;

static size_t
slot_of(uint64_t id)
{
    return (size_t)(id * 0x9E3779B97F4A7C15u >> (64 - known.bits));
}

static size_t
slot_after(size_t slot)
{
    return (slot + 1) & (((size_t)1 << known.bits) - 1);
}

static void
note(uint32_t index)
{
    uint64_t id = LOAD(table_records[index].id);
    if (id == 0)
        return;
    size_t slot = slot_of(id);
    while (known.slots[slot] != 0)
        slot = slot_after(slot);
    known.slots[slot] = index;
}

static bool
make(void)
{
    uint64_t last = LOAD_ACQUIRE(table_last_id);
    uint32_t high = LOAD(table_high);
    table_ids_trim();
    for (known.bits = 4; (1u << known.bits) < high + high / 2; known.bits++)
        ;
    known.slots = calloc((size_t)1 << known.bits, sizeof *known.slots);
    if (known.slots == NULL)
        return false;
    for (uint32_t i = 1; i < high; i++)
        note(i);
    known.last = last;
    return true;
}

uint32_t
table_ids_find(uint64_t id)
{
    if (id == 0 || id > LOAD(table_last_id))
        return 0;
    if ((known.slots == NULL || id > known.last) && !make())
        return table_ids_search(id);
    for (size_t slot = slot_of(id); known.slots[slot] != 0; slot = slot_after(slot))
        if (LOAD(table_records[known.slots[slot]].id) == id)
            return known.slots[slot];
    return 0;
}

uint32_t
table_ids_search(uint64_t id)
{
    uint32_t high = LOAD(table_high);
    for (uint32_t i = 1; id != 0 && i < high; i++)
        if (LOAD(table_records[i].id) == id)
            return i;
    return 0;
}

void
table_ids_trim(void)
{
    free(known.slots);
    known.slots = NULL;
}
