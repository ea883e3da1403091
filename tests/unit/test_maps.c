/* SPDX-License-Identifier: MIT */
/* The parser of /proc/PID/maps: what the kernel writes, and what it never would. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "platform/maps_client.h"

static int
parse(const char *text, struct maps *ret_maps)
{
    return maps_parse(strdup(text), strlen(text), ret_maps);
}

static void
test_lines(void **state)
{
    (void)state;
    CLEANUP(maps_done) struct maps maps = {0};
    assert_int_equal(
        parse("00400000-00401000 r--p 00000000 fe:00 131                      /usr/bin/python3.11\n"
              "7f0a2000-7f0a4000 rwxs 00001000 00:01 4026531840 /memfd:looptop-agent (deleted)\n"
              "7ffd1000-7ffd3000 rw-p 00000000 00:00 0                          [stack]\n"
              "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 \n",
            &maps),
        0);
    assert_int_equal(maps.count, 4);
    const struct map *map = &maps.items[0];
    assert_int_equal(map->start, 0x400000);
    assert_int_equal(map->end, 0x401000);
    assert_int_equal(map->access, MAPS_READ);
    assert_int_equal(map->inode, 131);
    assert_string_equal(map->path, "/usr/bin/python3.11");
    map = &maps.items[1];
    assert_int_equal(map->access, MAPS_READ | MAPS_WRITE | MAPS_EXECUTE);
    assert_int_equal(map->offset, 0x1000);
    assert_int_equal(map->inode, 4026531840u);
    assert_string_equal(maps.items[2].path, "[stack]");
    assert_true(maps.items[3].start == 0xffffffffff600000u);
    assert_string_equal(maps.items[3].path, "");
}

static void
test_names(void **state)
{
    (void)state;
    CLEANUP(maps_done) struct maps maps = {0};
    size_t len;
    assert_int_equal(parse("1000-2000 r--p 0 0:0 1 /a b/libx.so (deleted)\n"
                           "2000-3000 r--p 0 0:0 1 name\n"
                           "3000-4000 r--p 0 0:0 1 \n",
                         &maps),
        0);
    assert_memory_equal(map_name(&maps.items[0], &len), "libx.so", 7);
    assert_int_equal(len, 7);
    assert_string_equal(map_name(&maps.items[1], &len), "name");
    (void)map_name(&maps.items[2], &len);
    assert_int_equal(len, 0);
}

static void
test_addresses(void **state)
{
    (void)state;
    CLEANUP(maps_done) struct maps maps = {0};
    assert_int_equal(parse("1000-2000 r--p 0 0:0 1 a\n4000-6000 r--p 0 0:0 1 b\n", &maps), 0);
    assert_null(maps_at(&maps, 0xfff));
    assert_ptr_equal(maps_at(&maps, 0x1000), &maps.items[0]);
    assert_ptr_equal(maps_at(&maps, 0x1fff), &maps.items[0]);
    assert_null(maps_at(&maps, 0x2000));
    assert_null(maps_at(&maps, 0x3fff));
    assert_ptr_equal(maps_at(&maps, 0x5fff), &maps.items[1]);
    assert_null(maps_at(&maps, 0x6000));
    assert_null(maps_at(&maps, UINT64_MAX));
}

static void
test_nothing(void **state)
{
    (void)state;
    CLEANUP(maps_done) struct maps maps = {0};
    assert_int_equal(parse("", &maps), 0);
    assert_int_equal(maps.count, 0);
    assert_null(maps_at(&maps, 0));
}

static void
test_bad_lines(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "1000-2000 r--p 0 0:0 1 a",                         /* no end of line */
        "\n",                                               /* nothing on it */
        "2000-1000 r--p 0 0:0 1 a\n",                       /* backwards */
        "1000-1000 r--p 0 0:0 1 a\n",                       /* empty */
        "1000-2000 r-p 0 0:0 1 a\n",                        /* access */
        "1000-2000 r--x 0 0:0 1 a\n",                       /* neither private nor shared */
        "1000-2000 r--p 0 0:0 x a\n",                       /* inode */
        "1000-20000000000000000 r--p 0 0:0 1 a\n",          /* above 64 bits */
        "1000-2000 r--p 0 0:0 99999999999999999999999 a\n", /* and so */
        "1000 2000 r--p 0 0:0 1 a\n",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct maps maps = {.count = 7};
        assert_int_equal(parse(bad[i], &maps), -EBADMSG);
        assert_int_equal(maps.count, 7);
    }
    char *zero = malloc(30);
    memcpy(zero, "1000-2000 r--p 0 0:0 1 a\0b\nxxx", 30);
    struct maps maps;
    assert_int_equal(maps_parse(zero, 27, &maps), -EBADMSG);
}

/* What was mapped between two reads of the file. */
static void
test_changes_meanwhile(void **state)
{
    (void)state;
    CLEANUP(maps_done) struct maps maps = {0};
    assert_int_equal(parse("1000-3000 r--p 00001000 0:0 1 a\n"
                           "2000-5000 r--p 00002000 0:0 1 b\n"
                           "2000-4000 r--p 00002000 0:0 1 c\n"
                           "6000-7000 r--p 00000000 0:0 1 d\n",
                         &maps),
        0);
    assert_int_equal(maps.count, 3);
    assert_int_equal(maps.items[1].start, 0x3000);
    assert_int_equal(maps.items[1].end, 0x5000);
    assert_int_equal(maps.items[1].offset, 0x3000);
    assert_string_equal(maps.items[2].path, "d");
}

/* As short as a line can be: there is room for each. */
static void
test_short_lines(void **state)
{
    (void)state;
    CLEANUP(maps_done) struct maps maps = {0};
    char text[10 * 32] = "";
    for (unsigned i = 0; i < 9; i++)
        (void)snprintf(
            text + strlen(text), sizeof(text) - strlen(text), "%u-%u r--p 0 0:0 0 \n", i, i + 1);
    assert_int_equal(parse(text, &maps), 0);
    assert_int_equal(maps.count, 9);
}

static void
test_our_own(void **state)
{
    (void)state;
    CLEANUP(maps_done) struct maps maps = {0};
    int on_stack = 0;
    assert_int_equal(maps_read(getpid(), &maps), 0);
    const struct map *code = maps_at(&maps, (uint64_t)(uintptr_t)&test_our_own);
    assert_non_null(code);
    assert_true(code->access & MAPS_EXECUTE);
    assert_non_null(strstr(code->path, "test_maps"));
    const struct map *stack = maps_at(&maps, (uint64_t)(uintptr_t)&on_stack);
    assert_non_null(stack);
    assert_true(stack->access & MAPS_WRITE);
    assert_int_equal(maps_read(0x7ffffff0, &maps), -ESRCH);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_bad_lines),
        cmocka_unit_test(test_changes_meanwhile),
        cmocka_unit_test(test_short_lines),
        cmocka_unit_test(test_our_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
