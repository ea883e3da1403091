/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attach/discover.h"
#include "platform/maps_client.h"

/* A procfs of our own, with process 77 in it. */
static char root[64];

static int
make_root(void **state)
{
    (void)state;
    char path[128];
    (void)snprintf(root, sizeof(root), "/tmp/looptop-test-discover-XXXXXX");
    if (!mkdtemp(root))
        return -1;
    (void)snprintf(path, sizeof(path), "%s/77", root);
    if (mkdir(path, 0700) < 0)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/77/fd", root);
    return mkdir(path, 0700);
}

static int
remove_root(void **state)
{
    (void)state;
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", root);
    return system(command);
}

static void
put_fd(int fd, const char *target)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/77/fd/%d", root, fd);
    (void)unlink(path);
    assert_int_equal(symlink(target, path), 0);
}

static void
test_descriptors_of_a_loop(void **state)
{
    (void)state;
    assert_int_equal(discover_descriptors(root, 77), 0);
    put_fd(0, "/dev/null");
    put_fd(3, "anon_inode:[eventpoll]");
    assert_int_equal(discover_descriptors(root, 77), 0);
    put_fd(4, "socket:[123]");
    assert_int_equal(discover_descriptors(root, 77), 0);
    put_fd(5, "socket:[124]"); /* the pair that wakes asyncio */
    assert_int_equal(discover_descriptors(root, 77), 1);
    put_fd(5, "anon_inode:[eventfd]"); /* and what wakes libuv */
    assert_int_equal(discover_descriptors(root, 77), 1);
    put_fd(3, "/tmp/anon_inode:[eventpoll]");
    assert_int_equal(discover_descriptors(root, 77), 0);
    assert_int_equal(discover_descriptors(root, 78), -ESRCH);
}

static struct maps
maps_of(const char *const *paths)
{
    char *text = malloc(65536);
    struct maps maps;
    size_t n = 0;

    assert_non_null(text);
    for (size_t i = 0; paths[i]; i++)
        n += (size_t)snprintf(text + n, 65536 - n,
            "%zx000-%zx000 r--p 00000000 fe:00 %zu                     %s\n", i + 1, i + 2, i + 9,
            paths[i]);
    assert_int_equal(maps_parse(text, n, &maps), 0);
    return maps;
}

static void
test_names(void **state)
{
    (void)state;
    static const struct {
        const char *paths[6], *exe, *version;
        bool python, uvloop, agent, asyncio, ssl;
    } cases[] = {
        {{"/bin/sh"}, "/bin/sh", "", false, false, false, false, false},
        {{"/usr/bin/python3.11"}, "/usr/bin/python3.11", "3.11", true, false, false, false, false},
        {{"/opt/python"}, "/opt/python", "", true, false, false, false, false},
        {{"/opt/py/bin/app", "/opt/py/lib/libpython3.13.so.1.0"}, "/opt/py/bin/app", "3.13", true,
            false, false, false, false},
        {{"/opt/app", "/x/lib-dynload/_asyncio.cpython-312-x86_64-linux-gnu.so",
             "/x/lib-dynload/_ssl.cpython-312-x86_64-linux-gnu.so (deleted)"},
            "/opt/app", "3.12", false, false, false, true, true},
        {{"/v/site-packages/uvloop/loop.cpython-312-x86_64-linux-gnu.so"}, "/opt/app", "3.12",
            false, true, false, false, false},
        {{"/v/site-packages/other/loop.cpython-312-x86_64-linux-gnu.so"}, "/opt/app", "3.12", false,
            false, false, false, false},
        {{"/memfd:looptop-agent (deleted)"}, "/opt/app", "", false, false, true, false, false},
        {{"/b/agent/looptop_agent.cpython-311-x86_64-linux-gnu.so"}, "/opt/app", "3.11", false,
            false, true, false, false},
        {{"[stack]", "", "/tmp/ _asyncio.so"}, "/opt/app", "", false, false, false, false, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct maps maps = maps_of(cases[i].paths);
        struct discovery found;
        bool asyncio, ssl;
        discover_names(&maps, cases[i].exe, &found, &asyncio, &ssl);
        assert_int_equal(found.python, cases[i].python);
        assert_int_equal(found.uvloop, cases[i].uvloop);
        assert_int_equal(found.agent, cases[i].agent);
        assert_int_equal(asyncio, cases[i].asyncio);
        assert_int_equal(ssl, cases[i].ssl);
        assert_string_equal(found.version, cases[i].version);
        maps_done(&maps);
    }
}

static void
test_versions(void **state)
{
    (void)state;
    static const struct {
        unsigned long hex;
        const char *text;
    } cases[] = {
        {0x030d05f0, "3.13.5"},
        {0x030f00b1, "3.15.0b1"},
        {0x030e00c2, "3.14.0rc2"},
        {0x030f00a7, "3.15.0a7"},
        {0x020712f0, ""},
        {0x03000000, ""},
        {0, ""},
        {0xffffffff, ""},
        {0x03fffff0, "3.255.255"},
        {0x03ffffcf, "3.255.255rc15"},
    };
    char text[16];
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        discover_version(cases[i].hex, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void
test_what_is_not_python(void **state)
{
    (void)state;
    struct discovery found;
    assert_int_equal(discover(getpid(), &found), 0);
    assert_false(found.python || found.loop || found.uvloop || found.agent);
    assert_string_equal(found.version, "");
    assert_int_equal(discover(4194303, &found), -ESRCH);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_descriptors_of_a_loop, make_root, remove_root),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_what_is_not_python),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
