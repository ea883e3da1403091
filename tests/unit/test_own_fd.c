/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "platform/own_fd.h"

static int
new_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    return fd;
}

static void
test_closes_what_is_its_own(void **state)
{
    (void)state;
    int fd = new_socket();
    struct own_fd own = own_fd_take(fd);
    assert_true(own_fd_is_ours(&own));
    own_fd_close(&own);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_true(own.fd < 0);
    assert_false(own_fd_is_ours(&own));
    own_fd_close(&own);
}

static void
test_leaves_a_number_that_is_another_one_now(void **state)
{
    (void)state;
    int fd = new_socket();
    struct own_fd own = own_fd_take(fd);
    close(fd);
    assert_false(own_fd_is_ours(&own));
    int other = new_socket();
    assert_int_equal(other, fd);
    assert_false(own_fd_is_ours(&own));
    own_fd_close(&own);
    assert_true(fcntl(other, F_GETFD) >= 0);
    close(other);
}

static void
test_none_and_no_socket_are_nobodys(void **state)
{
    (void)state;
    struct own_fd none = OWN_FD_NONE, zeroed = {0}, failed = own_fd_take(-1);
    assert_false(own_fd_is_ours(&none));
    assert_false(own_fd_is_ours(&zeroed));
    assert_false(own_fd_is_ours(&failed));
    own_fd_close(&zeroed); /* 0 is the standard input */
    assert_true(fcntl(0, F_GETFD) >= 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closes_what_is_its_own),
        cmocka_unit_test(test_leaves_a_number_that_is_another_one_now),
        cmocka_unit_test(test_none_and_no_socket_are_nobodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
