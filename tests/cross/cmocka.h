/* SPDX-License-Identifier: MIT */
/*
 * The names of cmocka(3) that the tests use which `make check-cross` runs in an emulator: Debian
 * has the library itself for this machine's processor only, without a second architecture for all
 * of apt. Prints what cmocka would, and `N passed, N failed, N skipped` in the end.
 */
#ifndef LOOPTOP_TESTS_CROSS_CMOCKA_H
#define LOOPTOP_TESTS_CROSS_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
};

enum { CROSS_RUN, CROSS_FAILED, CROSS_SKIPPED };

static jmp_buf cross_end;

static inline void
cross_fail(const char *file, int line, const char *what)
{
    (void)printf("%s:%d: %s\n", file, line, what);
    longjmp(cross_end, CROSS_FAILED);
}

static inline void
cross_true(const char *file, int line, const char *what, bool holds)
{
    if (!holds)
        cross_fail(file, line, what);
}

static inline void
cross_same(const char *file, int line, const char *what, uintmax_t a, uintmax_t b)
{
    if (a == b)
        return;
    (void)printf("%#jx is not %#jx\n", a, b);
    cross_fail(file, line, what);
}

static inline void
cross_strings(const char *file, int line, const char *a, const char *b)
{
    if (strcmp(a, b) == 0)
        return;
    (void)printf("\"%s\" is not \"%s\"\n", a, b);
    cross_fail(file, line, "assert_string_equal");
}

#define cross_holds(what, condition)                                                               \
    cross_true(__FILE__, __LINE__, what, (condition) ? true : false)

#define assert_true(x) cross_holds("assert_true(" #x ")", x)
#define assert_false(x) cross_holds("assert_false(" #x ")", !(x))
#define assert_null(x) cross_holds("assert_null(" #x ")", (x) == NULL)
#define assert_non_null(x) cross_holds("assert_non_null(" #x ")", (x) != NULL)
#define assert_ptr_equal(a, b)                                                                     \
    cross_holds("assert_ptr_equal(" #a ", " #b ")", (const void *)(a) == (const void *)(b))
#define assert_int_equal(a, b)                                                                     \
    cross_same(                                                                                    \
        __FILE__, __LINE__, "assert_int_equal(" #a ", " #b ")", (uintmax_t)(a), (uintmax_t)(b))
#define assert_int_not_equal(a, b)                                                                 \
    cross_holds("assert_int_not_equal(" #a ", " #b ")", (uintmax_t)(a) != (uintmax_t)(b))
#define assert_in_range(x, least, most)                                                            \
    cross_holds("assert_in_range(" #x ", " #least ", " #most ")",                                  \
        (uintmax_t)(x) >= (uintmax_t)(least) && (uintmax_t)(x) <= (uintmax_t)(most))
#define assert_string_equal(a, b) cross_strings(__FILE__, __LINE__, a, b)
#define assert_memory_equal(a, b, size)                                                            \
    cross_holds("assert_memory_equal(" #a ", " #b ")", memcmp(a, b, size) == 0)
#define fail_msg(...)                                                                              \
    ((void)printf(__VA_ARGS__), (void)puts(""), cross_fail(__FILE__, __LINE__, "fail_msg"))
#define skip() longjmp(cross_end, CROSS_SKIPPED)

#define cmocka_unit_test(f)                                                                        \
    {                                                                                              \
#f, f                                                                                      \
    }

static inline int
cross_run(const struct CMUnitTest *tests, size_t count)
{
    static const char *const words[] = {"      OK", "  FAILED", " SKIPPED"};
    static int counts[3];
    static size_t i; /* not a register's: longjmp */

    /* what stood before a crash is read, too */
    (void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    for (i = 0; i < count; i++) {
        void *state = NULL;
        int how = setjmp(cross_end);
        if (how == CROSS_RUN)
            tests[i].run(&state);
        counts[how]++;
        (void)printf("[ %s ] %s\n", words[how], tests[i].name);
    }
    (void)printf("%d passed, %d failed, %d skipped\n", counts[CROSS_RUN], counts[CROSS_FAILED],
        counts[CROSS_SKIPPED]);
    return counts[CROSS_FAILED];
}

/* without fixtures of the group, which no test that runs so has */
#define cmocka_run_group_tests(tests, setup, teardown)                                             \
    cross_run(tests, sizeof(tests) / sizeof((tests)[0]))

#endif
