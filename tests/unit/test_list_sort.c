/* SPDX-License-Identifier: MIT */
/* LINK: src/agent/list_sort.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "agent/list_sort.h"

#define MAX 700

static uint32_t
random_number(void)
{
    static uint32_t x = 12345;
    x = x * 1664525u + 1013904223u;
    return x >> 8;
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
fill(struct list_item *items, size_t count, int kind)
{
    static const char *const texts[] = {"b", "A", "a", "c", NULL, "B"};
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct list_item){.id = i + 1, .index = (uint32_t)i};
        if (kind == 0)
            items[i].number = random_number() % 1000;
        else if (kind == 1)
            items[i].number = 7; /* ties only */
        else if (kind == 2)
            items[i].number = (double)i; /* sorted already */
        else if (kind == 3)
            items[i].number = -(double)i;
        else
            items[i].text = texts[random_number() % 6];
        items[i].rank = kind == 0 ? random_number() % 3 : 0;
    }
}

/* The first ones are those a full sort puts first, for any size, prefix, direction, kind of key. */
static void
test_prefix_equals_full_sort(void **state)
{
    static struct list_item items[MAX], whole[MAX];
    (void)state;
    for (int round = 0; round < 600; round++) {
        size_t count = random_number() % MAX, first = random_number() % (MAX + 50);
        int sign = round % 2 == 0 ? 1 : -1;
        fill(items, count, round % 5);
        memcpy(whole, items, sizeof whole);
        qsort(whole, count, sizeof *whole, sign > 0 ? compare_up : compare_down);
        list_sort_first(items, count, first, sign);
        for (size_t i = 0; i < count && i < first; i++)
            assert_int_equal(items[i].id, whole[i].id);
    }
}

static void
test_unknown_stands_last_both_ways(void **state)
{
    struct list_item items[3] = {{.id = 1}, {.id = 2, .text = "x"}, {.id = 3, .text = "y"}};
    (void)state;
    list_sort_first(items, 3, 3, 1);
    assert_int_equal(items[0].id, 2);
    assert_int_equal(items[2].id, 1);
    list_sort_first(items, 3, 3, -1);
    assert_int_equal(items[0].id, 3);
    assert_int_equal(items[2].id, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prefix_equals_full_sort),
        cmocka_unit_test(test_unknown_stands_last_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
