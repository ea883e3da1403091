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

#include "platform/proc.h"

/* A procfs of our own, with process 77 in it. */
static char root[64];

static void
put(const char *name, const char *bytes, size_t n)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", root, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static void
put_text(const char *name, const char *text)
{
    put(name, text, strlen(text));
}

static void
make_dir(const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", root, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static int
make_root(void **state)
{
    (void)state;
    (void)snprintf(root, sizeof(root), "/tmp/looptop-test-proc-XXXXXX");
    if (!mkdtemp(root))
        return -1;
    make_dir("77");
    make_dir("77/task");
    make_dir("77/task/78");
    return 0;
}

static int
remove_root(void **state)
{
    (void)state;
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", root);
    return system(command);
}

static const char good_status[] = "Name:\tmy worker\n"
                                  "Umask:\t0022\n"
                                  "State:\tS (sleeping)\n"
                                  "Pid:\t77\n"
                                  "PPid:\t12\n"
                                  "Uid:\t1000\t1001\t1002\t1003\n"
                                  "NSpid:\t77\t9\t3\n"
                                  "Threads:\t4\n";

static void
test_status_is_read(void **state)
{
    (void)state;
    struct proc_status status;
    put_text("77/status", good_status);
    assert_int_equal(proc_status(root, 77, &status), 0);
    assert_string_equal(status.name, "my worker");
    assert_int_equal(status.state, 'S');
    assert_int_equal(status.pid, 77);
    assert_int_equal(status.parent, 12);
    assert_int_equal(status.inner_pid, 3);
    assert_int_equal(status.uid, 1000);
    assert_int_equal(status.euid, 1001);
    assert_int_equal(status.threads, 4);
}

static void
test_status_of_a_zombie_on_an_old_kernel(void **state)
{
    (void)state;
    struct proc_status status;
    put_text("77/status", "Name:\tx\nState:\tZ (zombie)\nPPid:\t1\nUid:\t0\t0\t0\t0\n");
    assert_int_equal(proc_status(root, 77, &status), 0);
    assert_int_equal(status.state, 'Z');
    assert_int_equal(status.threads, 1);
    assert_int_equal(status.inner_pid, 77);
}

static void
test_a_broken_status_is_refused(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "",
        "Name:\tx",
        "Name:\tx\nState:\tS\nPPid:\t1\n",
        "Name:\tx\nState:\tS\nPPid:\t1\nUid:\t0\n",
        "Name:\tx\nState:\tS\nPPid:\t-1\nUid:\t0\t0\n",
        "Name:\tx\nState:\tS\nPPid:\t1\nUid:\t99999999999\t0\n",
        "Name:\tx\nState:\tS\nPPid:\t99999999999999999999999999\nUid:\t0\t0\n",
    };
    for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
        struct proc_status status = {.pid = 5};
        put_text("77/status", broken[i]);
        assert_int_equal(proc_status(root, 77, &status), -EBADMSG);
        assert_int_equal(status.pid, 5); /* written on success only */
    }
}

static void
test_what_is_not_there_is_gone(void **state)
{
    (void)state;
    struct proc_status status;
    char text[64];
    size_t len;
    uint64_t value;
    assert_int_equal(proc_status(root, 99, &status), -ESRCH);
    assert_int_equal(proc_cmdline(root, 99, text, sizeof(text), &len), -ESRCH);
    assert_int_equal(proc_exe(root, 99, text, sizeof(text)), -ESRCH);
    assert_int_equal(proc_start_ns(root, 99, &value), -ESRCH);
    assert_int_equal(proc_rss(root, 99, &value), -ESRCH);
    assert_int_equal(proc_thread_name(root, 77, 99, text, sizeof(text)), -ESRCH);
}

static void
test_environ(void **state)
{
    (void)state;
    static const char bytes[] =
        "MY_LOOPTOP=9\0LOOPTOP_READONLY=1\0LOOPTOP=0\0LOOPTOP=7\0EMPTY=\0LAST";
    char text[8] = "";
    put("77/environ", bytes, sizeof(bytes) - 1);
    assert_int_equal(proc_environ(root, 77, "LOOPTOP", text, sizeof(text)), 0);
    assert_string_equal(text, "0");
    assert_int_equal(proc_environ(root, 77, "MY_LOOPTOP", text, 1), 0);
    assert_string_equal(text, "");
    assert_int_equal(proc_environ(root, 77, "EMPTY", text, sizeof(text)), 0);
    assert_string_equal(text, "");
    assert_int_equal(proc_environ(root, 77, "LAST", text, sizeof(text)), -ENOENT);
    assert_int_equal(proc_environ(root, 77, "LOOP", text, sizeof(text)), -ENOENT);
    assert_int_equal(proc_environ(root, 77, "LOOPTOP", text, 0), -EINVAL);
    assert_int_equal(proc_environ(root, 99, "LOOPTOP", text, sizeof(text)), -ESRCH);
    put("77/environ", "", 0);
    assert_int_equal(proc_environ(root, 77, "LOOPTOP", text, sizeof(text)), -ENOENT);
}

static void
test_cmdline_is_made_readable(void **state)
{
    (void)state;
    static const char bytes[] = "python\0-c\0print(1)\nx\x1b\x7f\0\xc3\xa4\0\0";
    char text[64];
    size_t len;
    put("77/cmdline", bytes, sizeof(bytes) - 1);
    assert_int_equal(proc_cmdline(root, 77, text, sizeof(text), &len), 0);
    assert_string_equal(text, "python -c print(1)?x?? \xc3\xa4");
    assert_int_equal(len, strlen(text));

    assert_int_equal(proc_args(root, 77, text, sizeof(text), &len), 0);
    assert_memory_equal(text, bytes, len + 1);

    /* cut to what fits, terminated */
    assert_int_equal(proc_cmdline(root, 77, text, 7, &len), 0);
    assert_string_equal(text, "python");

    put("77/cmdline", "", 0);
    assert_int_equal(proc_cmdline(root, 77, text, sizeof(text), &len), 0);
    assert_int_equal(len, 0);
    assert_int_equal(proc_cmdline(root, 77, text, 0, &len), -EINVAL);
}

static void
test_exe_of_a_replaced_program(void **state)
{
    (void)state;
    char path[128], text[64];
    (void)snprintf(path, sizeof(path), "%s/77/exe", root);
    assert_int_equal(symlink("/usr/bin/python3.11 (deleted)", path), 0);
    assert_int_equal(proc_exe(root, 77, text, sizeof(text)), 0);
    assert_string_equal(text, "/usr/bin/python3.11");
    assert_int_equal(proc_exe(root, 77, text, 19), -ENAMETOOLONG);
    assert_int_equal(unlink(path), 0);
}

static void
test_times(void **state)
{
    (void)state;
    uint64_t ns;
    long hz = sysconf(_SC_CLK_TCK);
    char stat[256];
    /* a name that looks like the rest of the line */
    (void)snprintf(stat, sizeof(stat),
        "77 (a) S (b) R) S 1 77 77 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 %ld 0 0\n", 50 * hz);
    put_text("77/stat", stat);
    assert_int_equal(proc_start_ns(root, 77, &ns), 0);
    assert_int_equal(ns, 50000000000ull);

    put_text("uptime", "60.25 100.00\n");
    assert_int_equal(proc_uptime_ns(root, 77, &ns), 0);
    assert_int_equal(ns, 10250000000ull);
    put_text("uptime", "49.00 100.00\n");
    assert_int_equal(proc_uptime_ns(root, 77, &ns), 0);
    assert_int_equal(ns, 0);

    put_text("uptime", "never\n");
    assert_int_equal(proc_uptime_ns(root, 77, &ns), -EBADMSG);
    put_text("77/stat", "77 (a) S 1 2 3");
    assert_int_equal(proc_start_ns(root, 77, &ns), -EBADMSG);
    put_text("77/stat", "");
    assert_int_equal(proc_start_ns(root, 77, &ns), -EBADMSG);
}

static void
test_rss_and_thread_names(void **state)
{
    (void)state;
    uint64_t bytes;
    char name[PROC_NAME_MAX];
    put_text("77/statm", "1000 250 30 1 0 200 0\n");
    assert_int_equal(proc_rss(root, 77, &bytes), 0);
    assert_int_equal(bytes, 250u * (uint64_t)sysconf(_SC_PAGESIZE));
    put_text("77/statm", "1000");
    assert_int_equal(proc_rss(root, 77, &bytes), -EBADMSG);

    put_text("77/task/78/comm", "looptop-io\n");
    assert_int_equal(proc_thread_name(root, 77, 78, name, sizeof(name)), 0);
    assert_string_equal(name, "looptop-io");
    assert_int_equal(proc_thread_name(root, 77, 78, name, 5), 0);
    assert_string_equal(name, "loop");
}

static void
test_processes_are_listed(void **state)
{
    (void)state;
    pid_t pids[4];
    size_t count;
    make_dir("5");
    make_dir("0");
    make_dir("6x");
    assert_int_equal(proc_list(root, pids, 4, &count), 0);
    assert_int_equal(count, 2);
    assert_int_equal(pids[0] + pids[1], 82);
    /* too many for the array: still counted */
    assert_int_equal(proc_list(root, pids, 1, &count), 0);
    assert_int_equal(count, 2);
}

static void
test_the_real_proc(void **state)
{
    (void)state;
    struct proc_status status;
    uint64_t bytes, ns;
    char text[4096];
    size_t len;
    assert_int_equal(proc_status(NULL, getpid(), &status), 0);
    assert_int_equal(status.inner_pid, getpid());
    assert_int_equal(status.euid, geteuid());
    assert_int_equal(status.parent, getppid());
    assert_int_equal(proc_rss(NULL, 0, &bytes), 0);
    assert_in_range(bytes, 100000, 10000000000);
    assert_int_equal(proc_uptime_ns(NULL, getpid(), &ns), 0);
    assert_in_range(ns, 0, 600000000000);
    assert_int_equal(proc_cmdline(NULL, getpid(), text, sizeof(text), &len), 0);
    assert_non_null(strstr(text, "test_proc"));
    assert_int_equal(proc_exe(NULL, getpid(), text, sizeof(text)), 0);
    assert_non_null(strstr(text, "test_proc"));
    assert_int_equal(proc_thread_name(NULL, getpid(), getpid(), text, sizeof(text)), 0);
    assert_string_equal(text, "test_proc");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_is_read),
        cmocka_unit_test(test_status_of_a_zombie_on_an_old_kernel),
        cmocka_unit_test(test_a_broken_status_is_refused),
        cmocka_unit_test(test_what_is_not_there_is_gone),
        cmocka_unit_test(test_environ),
        cmocka_unit_test(test_cmdline_is_made_readable),
        cmocka_unit_test(test_exe_of_a_replaced_program),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_rss_and_thread_names),
        cmocka_unit_test(test_processes_are_listed),
        cmocka_unit_test(test_the_real_proc),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
