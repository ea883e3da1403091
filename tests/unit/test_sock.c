/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "platform/find_client.h"
#include "platform/sock.h"

static char home[64]; /* a runtime directory of our own */

static int
make_home(void **state)
{
    (void)state;
    (void)snprintf(home, sizeof(home), "/tmp/looptop-test-sock-XXXXXX");
    return mkdtemp(home) && setenv("XDG_RUNTIME_DIR", home, 1) == 0 ? 0 : -1;
}

static int
remove_home(void **state)
{
    (void)state;
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", home);
    return system(command);
}

static void
in_home(char out[160], const char *name)
{
    (void)snprintf(out, 160, "%s/%s", home, name);
}

static mode_t
mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777;
}

/* Leaves a socket's file behind, as a killed agent does. */
static void
leave_socket(const char *path)
{
    int fd;
    assert_int_equal(sock_listen(path, &fd), 0);
    assert_int_equal(close(fd), 0);
}

static void
test_directory_is_made_ours_alone(void **state)
{
    (void)state;
    char dir[SOCK_PATH_SIZE], expected[160];
    in_home(expected, "looptop");
    assert_int_equal(sock_dir(dir, sizeof(dir), false), 0);
    assert_string_equal(dir, expected);
    assert_int_equal(access(dir, F_OK), -1);

    mode_t before = umask(0777); /* takes even the owner's rights from the new directory */
    int r = sock_dir(dir, sizeof(dir), true);
    (void)umask(before);
    assert_int_equal(r, 0);
    assert_int_equal(mode_of(dir), 0700);

    assert_int_equal(chmod(dir, 0755), 0);
    assert_int_equal(sock_dir(dir, sizeof(dir), true), 0);
    assert_int_equal(mode_of(dir), 0700);
    assert_int_equal(sock_dir(dir, strlen(dir), true), -ENAMETOOLONG);
}

static void
test_directory_that_is_not_one_is_refused(void **state)
{
    (void)state;
    char dir[SOCK_PATH_SIZE], aside[160];
    in_home(aside, "aside");
    assert_int_equal(sock_dir(dir, sizeof(dir), true), 0);
    assert_int_equal(rename(dir, aside), 0);

    assert_int_equal(symlink(aside, dir), 0);
    assert_int_equal(sock_dir(dir, sizeof(dir), true), -ENOTDIR);
    assert_int_equal(unlink(dir), 0);

    int fd = open(dir, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(sock_dir(dir, sizeof(dir), true), -ENOTDIR);
    assert_int_equal(unlink(dir), 0);
    assert_int_equal(rename(aside, dir), 0);
}

static void
test_directory_of_somebody_else_is_refused(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    char dir[SOCK_PATH_SIZE];
    assert_int_equal(sock_dir(dir, sizeof(dir), true), 0);
    assert_int_equal(chown(dir, 12345, 12345), 0);
    assert_int_equal(sock_dir(dir, sizeof(dir), true), -EPERM);
    assert_int_equal(mode_of(dir), 0700);
    assert_int_equal(chown(dir, 0, 0), 0);
}

static void
test_runtime_directory_must_be_ours(void **state)
{
    (void)state;
    char dir[SOCK_PATH_SIZE], expected[64], longest[160];
    (void)snprintf(expected, sizeof(expected), "/tmp/looptop-%u", (unsigned)geteuid());
    in_home(longest, "0123456789012345678901234567890123456789012345678901234567890123456789");
    assert_int_equal(mkdir(longest, 0700), 0);
    const char *const useless[] = {"", "relative", "/nonexistent", "/dev/null", longest};
    for (size_t i = 0; i < sizeof(useless) / sizeof(*useless); i++) {
        assert_int_equal(setenv("XDG_RUNTIME_DIR", useless[i], 1), 0);
        assert_int_equal(sock_dir(dir, sizeof(dir), false), 0);
        assert_string_equal(dir, expected);
    }
    if (geteuid() == 0) {
        assert_int_equal(chown(longest, 12345, 12345), 0);
        assert_int_equal(setenv("XDG_RUNTIME_DIR", longest, 1), 0);
        assert_int_equal(sock_dir(dir, sizeof(dir), false), 0);
        assert_string_equal(dir, expected);
    }
    assert_int_equal(setenv("XDG_RUNTIME_DIR", home, 1), 0);
}

static void
test_listen_connect_and_who_is_there(void **state)
{
    (void)state;
    char path[160];
    CLEANUP_CLOSE int server = -1;
    CLEANUP_CLOSE int client = -1;
    in_home(path, "1.sock");
    mode_t before = umask(0);
    assert_int_equal(sock_listen(path, &server), 0);
    (void)umask(before);
    assert_int_equal(mode_of(path), 0600);
    assert_int_equal(fcntl(server, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(fcntl(server, F_GETFL) & O_NONBLOCK, O_NONBLOCK);

    assert_int_equal(sock_connect(path, 1000, &client), 0);
    pid_t pid;
    uid_t uid;
    assert_int_equal(sock_peer(client, &pid, &uid), 0);
    assert_int_equal(pid, getpid());
    assert_int_equal(uid, geteuid());
    assert_int_equal(sock_peer(STDIN_FILENO, &pid, &uid) < 0, 1);
    (void)unlink(path);
}

static void
test_a_deserted_socket_is_replaced_and_a_live_one_not(void **state)
{
    (void)state;
    char path[160];
    CLEANUP_CLOSE int server = -1;
    int other = -7;
    in_home(path, "2.sock");
    leave_socket(path);
    assert_int_equal(sock_listen(path, &server), 0);
    assert_int_equal(sock_listen(path, &other), -EADDRINUSE);
    assert_int_equal(other, -7);
    (void)unlink(path);

    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(sock_listen(path, &other), -EEXIST);
    assert_int_equal(access(path, F_OK), 0);
    (void)unlink(path);

    /* a link is not followed to a socket elsewhere */
    assert_int_equal(symlink("/nonexistent/1.sock", path), 0);
    assert_int_equal(sock_listen(path, &other), -EEXIST);
    (void)unlink(path);
}

static void
test_connecting_fails_in_time(void **state)
{
    (void)state;
    char path[160];
    CLEANUP_CLOSE int server = -1;
    int clients[64], n = 0, r, fd = -7;
    in_home(path, "3.sock");
    assert_int_equal(sock_connect(path, 100, &fd), -ENOENT);
    leave_socket(path);
    assert_int_equal(sock_connect(path, 100, &fd), -ECONNREFUSED);

    /* somebody who listens and never accepts */
    assert_int_equal(sock_listen(path, &server), 0);
    while ((r = sock_connect(path, 20, &clients[n])) == 0 && n < 63)
        n++;
    assert_int_equal(r, -ETIMEDOUT);
    assert_true(n > 0);
    while (n-- > 0)
        (void)close(clients[n]);
    (void)unlink(path);
    assert_int_equal(fd, -7);
}

static void
test_a_path_longer_than_an_address(void **state)
{
    (void)state;
    char dir[160], path[SOCK_PATH_SIZE];
    CLEANUP_CLOSE int server = -1;
    CLEANUP_CLOSE int client = -1;
    in_home(dir, "a-name-of-many-letters-a-name-of-many-letters-a-name-of-many-letters-a-name");
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(sock_path(path, sizeof(path), dir, 4194304), 0);
    assert_true(strlen(path) > 107);
    assert_int_equal(sock_connect(path, 100, &client), -ENOENT);
    assert_int_equal(sock_listen(path, &server), 0);
    assert_int_equal(mode_of(path), 0600);
    assert_int_equal(sock_connect(path, 100, &client), 0);
    assert_int_equal(sock_path(path, 20, dir, 1), -ENAMETOOLONG);
}

/* The pid of a process that has ended. */
static pid_t
dead_pid(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return pid;
}

static void
test_sweep_removes_what_is_deserted(void **state)
{
    (void)state;
    char dir[160], dead[SOCK_PATH_SIZE], young[SOCK_PATH_SIZE], live[SOCK_PATH_SIZE];
    char other[192], file[192];
    CLEANUP_CLOSE int server = -1;
    in_home(dir, "sweep");
    assert_int_equal(mkdir(dir, 0700), 0);
    pid_t pid = dead_pid();
    assert_int_equal(sock_path(dead, sizeof(dead), dir, pid), 0);
    leave_socket(dead);
    /* between bind and listen of an agent that just starts */
    assert_int_equal(sock_path(young, sizeof(young), dir, getpid()), 0);
    leave_socket(young);
    /* not in our pid namespace, but somebody answers */
    assert_int_equal(sock_path(live, sizeof(live), dir, dead_pid()), 0);
    assert_int_equal(sock_listen(live, &server), 0);
    (void)snprintf(other, sizeof(other), "%s/%dx.sock", dir, (int)pid);
    leave_socket(other);
    (void)snprintf(file, sizeof(file), "%s/99999999.sock", dir);
    int fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);

    assert_int_equal(sock_sweep(dir), 1);
    assert_int_equal(access(dead, F_OK), -1);
    assert_int_equal(access(young, F_OK), 0);
    assert_int_equal(access(live, F_OK), 0);
    assert_int_equal(access(other, F_OK), 0);
    assert_int_equal(access(file, F_OK), 0);
    assert_int_equal(sock_sweep(dir), 0);
    assert_int_equal(sock_sweep("/nonexistent"), -ENOENT);
}

/* A child that listens where an agent would, in the directory given, until it is killed. */
static pid_t
start_agent(const char *runtime)
{
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char dir[SOCK_PATH_SIZE], path[SOCK_PATH_SIZE];
        int fd;
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)setenv("XDG_RUNTIME_DIR", runtime, 1);
        if (sock_dir(dir, sizeof(dir), true) < 0 ||
            sock_path(path, sizeof(path), dir, getpid()) < 0 || sock_listen(path, &fd) < 0)
            _exit(1);
        (void)!write(ready[1], "x", 1);
        (void)pause();
        _exit(0);
    }
    char byte;
    (void)close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    return pid;
}

static void
stop_agent(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

static void
test_an_agent_is_found(void **state)
{
    (void)state;
    char elsewhere[160], dir[192], expected[SOCK_PATH_SIZE], path[SOCK_PATH_SIZE];
    in_home(elsewhere, "elsewhere");
    assert_int_equal(mkdir(elsewhere, 0700), 0);
    (void)snprintf(dir, sizeof(dir), "%s/looptop", elsewhere);

    /* it listens where our own environment does not point */
    pid_t pid = start_agent(elsewhere);
    assert_int_equal(sock_path(expected, sizeof(expected), dir, pid), 0);
    assert_int_equal(sock_find_agent(pid, path, sizeof(path)), 0);
    assert_string_equal(path, expected);
    assert_int_equal(sock_find_agent(pid, path, strlen(path)), -ENOENT);
    stop_agent(pid);

    assert_int_equal(sock_find_agent(pid, path, sizeof(path)), -ESRCH);
    assert_int_equal(sock_find_agent(getpid(), path, sizeof(path)), -ENOENT);
}

static void
test_a_process_of_somebody_else_is_not_looked_into(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    char path[SOCK_PATH_SIZE];
    pid_t pid = start_agent(home);
    assert_int_equal(seteuid(12345), 0);
    int r = sock_find_agent(pid, path, sizeof(path));
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(r, -EACCES);
    assert_int_equal(sock_find_agent(pid, path, sizeof(path)), 0);
    stop_agent(pid);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_directory_is_made_ours_alone),
        cmocka_unit_test(test_directory_that_is_not_one_is_refused),
        cmocka_unit_test(test_directory_of_somebody_else_is_refused),
        cmocka_unit_test(test_runtime_directory_must_be_ours),
        cmocka_unit_test(test_listen_connect_and_who_is_there),
        cmocka_unit_test(test_a_deserted_socket_is_replaced_and_a_live_one_not),
        cmocka_unit_test(test_connecting_fails_in_time),
        cmocka_unit_test(test_a_path_longer_than_an_address),
        cmocka_unit_test(test_sweep_removes_what_is_deserted),
        cmocka_unit_test(test_an_agent_is_found),
        cmocka_unit_test(test_a_process_of_somebody_else_is_not_looked_into),
    };
    return cmocka_run_group_tests(tests, make_home, remove_home);
}
