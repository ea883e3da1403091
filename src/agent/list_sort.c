// SPDX-License-Identifier: MIT
/* See list_sort.h: quickselect down to the wanted prefix, then a sort of that. */
#include "agent/list_sort.h"

#include <stdlib.h>
#include <strings.h>

int
list_compare(const struct list_item *a, const struct list_item *b, int sign)
{
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    if (a->text != b->text) {
        /* what is not known stands last in both directions */
        if (a->text == NULL || b->text == NULL)
            return a->text == NULL ? 1 : -1;
        int order = strcasecmp(a->text, b->text);
        if (order != 0)
            return order * sign;
    } else if (a->number < b->number || a->number > b->number) {
        return a->number < b->number ? -sign : sign;
    }
    return a->id < b->id ? -1 : a->id > b->id;
}

static int
compare_up(const void *a, const void *b)
{
    return list_compare(a, b, 1);
}

static int
compare_down(const void *a, const void *b)
{
    return list_compare(a, b, -1);
}

static void
swap(struct list_item *a, struct list_item *b)
{
    struct list_item t = *a;
    *a = *b;
    *b = t;
}

/* The middle one of three, so that sorted input is no bad case. */
static struct list_item *
pivot(struct list_item *items, size_t count, int sign)
{
    struct list_item *a = items, *b = items + count / 2, *c = items + count - 1;
    if (list_compare(a, b, sign) > 0)
        swap(a, b);
    if (list_compare(b, c, sign) > 0)
        swap(b, c);
    if (list_compare(a, b, sign) > 0)
        swap(a, b);
    return b;
}

void
list_sort_first(struct list_item *items, size_t count, size_t first, int sign)
{
    size_t low = 0, high = count; /* the boundary of the prefix lies in [low, high) */
    if (first > count)
        first = count;
    while (high - low > 16 && first > low && first < high) {
        struct list_item middle = *pivot(items + low, high - low, sign);
        size_t i = low, j = high - 1;
        for (;;) {
            while (list_compare(&items[i], &middle, sign) < 0)
                i++;
            while (list_compare(&items[j], &middle, sign) > 0)
                j--;
            if (i >= j)
                break;
            swap(&items[i++], &items[j--]);
        }
        /* all before i are not after the pivot, all from i on not before it */
        if (i == low || i == high)
            break;
        if (first <= i)
            high = i;
        else
            low = i;
    }
    /* what lies before high holds the prefix and little more */
    qsort(items, high < count ? high : count, sizeof *items, sign > 0 ? compare_up : compare_down);
}
