/* SPDX-License-Identifier: MIT */
/* Puts the first rows of a sorted order in place without sorting the rest. Pure. */
#ifndef LOOPTOP_AGENT_LIST_SORT_H
#define LOOPTOP_AGENT_LIST_SORT_H

#include <stddef.h>
#include <stdint.h>

struct list_item {
    double number;    /* sort key, if text is NULL in both */
    const char *text; /* sort key; NULL stands last */
    uint64_t id;      /* breaks ties: no two items are equal */
    uint32_t index;
    uint32_t rank; /* before the key: a smaller one stands first, whatever the direction */
};

/* The order: by rank, then key, then id; sign 1 ascending, -1 descending. */
int list_compare(const struct list_item *a, const struct list_item *b, int sign);

/* Afterwards items[0..first) are the first ones, sorted; what follows is in no order. */
void list_sort_first(struct list_item *items, size_t count, size_t first, int sign);

#endif
