/* SPDX-License-Identifier: MIT */
/*
 * The curses backend on real terminal types without a terminal, and what a terminal gets to see
 * when the program leaves, crashes, or is stopped: through a pseudo-terminal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include "client/screen/keys.h"
#include "client/screen/surface_curses.h"
#include "client/screen/tty_guard.h"
#include "client/theme/load.h"
#include "common/clock.h"

#define DEADLINE_MS 20000

static struct theme color_theme, mono_theme;

/* curses itself loses a block where newterm fails; LeakSanitizer asks for this by name */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
    return "leak:new_prescr\n";
}

static int
load_themes(void **state)
{
    struct theme_faults faults;

    (void)state;
    setlocale(LC_CTYPE, "C.UTF-8");
    assert_int_equal(theme_load("themes/default.theme", &color_theme, &faults), 0);
    assert_int_equal(theme_load("themes/mono.theme", &mono_theme, &faults), 0);
    return 0;
}

static struct surface_curses_options
options_for(const char *term, FILE *in, FILE *out)
{
    return (struct surface_curses_options){.in = in,
        .out = out,
        .term = term,
        .color = COLOR_AUTO,
        .theme = &color_theme,
        .mono = &mono_theme};
}

/* All roles and overlays, wide glyphs and marks, at the right edge too. */
static void
draw_all(struct surface *surface)
{
    for (int role = 0; role < ROLES; role++) {
        surface_put(surface, 0, role % surface->rows, (enum role)role, "a漢e\u0301█…\uFFFD");
        surface_put(surface, surface->cols - 1, role % surface->rows, (enum role)role, "漢");
        surface_put(surface, surface->cols - 1, role % surface->rows, (enum role)role, "x");
        surface_overlay(surface, (struct rect){0, role % surface->rows, 3, 1},
            role % 2 ? ROLE_SELECTED : ROLE_TAGGED);
    }
}

static void
shows_on(const char *term, enum color_mode expected)
{
    FILE *in = fopen("/dev/null", "re"), *out = fopen("/dev/null", "we");
    struct surface_curses_options options = options_for(term, in, out);
    struct surface_curses *screen = NULL;
    struct surface surface;
    char why[200] = "";
    int cols, rows;

    assert_non_null(in);
    assert_non_null(out);
    if (surface_curses_open(&options, &screen, why, sizeof why) < 0)
        fail_msg("%s: %s", term, why);
    assert_int_equal(surface_curses_color(screen), expected);
    surface_curses_size(screen, &cols, &rows);
    assert_true(cols > 0 && rows > 0);
    assert_int_equal(surface_init(&surface, cols, rows, false), 0);
    draw_all(&surface);
    assert_int_equal(surface_curses_show(screen, &surface), 0);
    surface_put(&surface, 1, 1, ROLE_ERROR, "changed");
    surface_curses_cursor(screen, 2, 2);
    assert_int_equal(surface_curses_show(screen, &surface), 0);
    assert_int_equal(surface_resize(&surface, 1, 1), 0);
    assert_int_equal(surface_curses_show(screen, &surface), 0);
    assert_int_equal(surface_resize(&surface, 300, 90), 0); /* more than the terminal has */
    draw_all(&surface);
    assert_int_equal(surface_curses_show(screen, &surface), 0);
    surface_curses_redraw(screen);
    assert_int_equal(surface_curses_show(screen, &surface), 0);
    assert_int_equal(surface_curses_key(screen), KEYS_NONE);
    surface_done(&surface);
    assert_null(surface_curses_close(screen));
    fclose(in);
    fclose(out);
}

static void
terminal_types(void **state)
{
    (void)state;
    shows_on("xterm-256color", COLOR_256);
    shows_on("xterm", COLOR_16);
    shows_on("linux", COLOR_16);
    shows_on("screen", COLOR_16);
    shows_on("vt100", COLOR_MONO);
}

static void
terminals_that_cannot(void **state)
{
    FILE *in = fopen("/dev/null", "re"), *out = fopen("/dev/null", "we");
    struct surface_curses_options options = options_for("dumb", in, out);
    struct surface_curses *screen = NULL;
    char why[200] = "";

    (void)state;
    assert_int_equal(surface_curses_open(&options, &screen, why, sizeof why), -ENOTTY);
    assert_non_null(strstr(why, "dumb"));
    options.term = "no-such-terminal";
    assert_int_equal(surface_curses_open(&options, &screen, why, sizeof why), -ENODEV);
    assert_non_null(strstr(why, "no-such-terminal"));
    assert_null(screen);
    assert_null(surface_curses_close(NULL));
    fclose(in);
    fclose(out);
}

/* ---- through a pseudo-terminal: the child draws, then ends as it is told */

enum ending { END_CLOSE, END_EXIT, END_SEGV, END_ABORT, END_QUIT };

static void
end_as_told(struct surface_curses *screen, enum ending ending)
{
    /* not NULL, which a sanitizer would catch before the signal is raised */
    volatile int *nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    switch (ending) {
    case END_CLOSE:
        surface_curses_close(screen);
        _exit(0);
    case END_EXIT:
        exit(0);
    case END_SEGV:
        *nowhere = 1;
        break;
    case END_ABORT:
        abort();
    case END_QUIT:
        raise(SIGQUIT);
    }
    _exit(99);
}

static void
child(enum ending ending)
{
    struct surface_curses_options options = options_for("xterm-256color", stdin, stdout);
    static struct surface_curses *screen; /* still reachable after exit() */
    static struct surface surface;
    char why[200];

    signal(SIGSEGV, SIG_DFL); /* a sanitizer may have its own */
    signal(SIGABRT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL); /* ignored in what a script starts in the background */
    if (surface_curses_open(&options, &screen, why, sizeof why) < 0 ||
        surface_init(&surface, 20, 5, false) < 0)
        _exit(98);
    surface_put(&surface, 0, 0, ROLE_ERROR, "shown");
    surface_curses_show(screen, &surface);
    end_as_told(screen, ending);
}

/* Reads what the child writes until it has ended; returns how it did. */
static int
watch(int master, pid_t pid, char *seen, size_t size)
{
    uint64_t deadline = clock_monotonic_ns() + DEADLINE_MS * 1000000ull;
    size_t n = 0;
    int status;

    while (clock_monotonic_ns() < deadline) {
        struct pollfd p = {.fd = master, .events = POLLIN};
        bool ended = waitpid(pid, &status, WNOHANG) == pid;
        while (poll(&p, 1, ended ? 0 : 20) > 0) {
            ssize_t got = read(master, seen + n, size - 1 - n);
            if (got <= 0)
                break;
            n += (size_t)got;
        }
        seen[n] = '\0';
        if (ended)
            return status;
    }
    kill(pid, SIGKILL);
    fail_msg("the child did not end; seen: %s", seen);
    return 0;
}

static void
is_given_back(enum ending ending, int signal)
{
    static char seen[1 << 16];
    struct winsize size = {.ws_row = 5, .ws_col = 20};
    struct termios before, after;
    int master, slave;

    assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
    assert_int_equal(tcgetattr(slave, &before), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(master);
        if (login_tty(slave) < 0)
            _exit(97);
        child(ending);
    }
    int status = watch(master, pid, seen, sizeof seen);
    assert_int_equal(tcgetattr(slave, &after), 0);
    close(slave);
    close(master);
    if (signal && !(WIFSIGNALED(status) && WTERMSIG(status) == signal))
        fail_msg(
            "ending %d: status %#x, expected signal %d", (int)ending, (unsigned)status, signal);
    if (!signal)
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_non_null(strstr(seen, "shown"));
    const char *entered = strstr(seen, "\033[?1049h"), *left = strstr(seen, "\033[?1049l");
    assert_true(entered && left && left > entered);
    assert_int_equal(after.c_lflag & (ICANON | ECHO), before.c_lflag & (ICANON | ECHO));
    assert_int_equal(after.c_iflag, before.c_iflag);
}

static void
the_terminal_is_given_back(void **state)
{
    (void)state;
    is_given_back(END_CLOSE, 0);
    is_given_back(END_EXIT, 0);
    is_given_back(END_SEGV, SIGSEGV);
    is_given_back(END_ABORT, SIGABRT);
    is_given_back(END_QUIT, SIGQUIT);
}

static void
signals_are_read(void **state)
{
    int fd = tty_guard_signals();

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(tty_guard_next_signal(fd), 0);
    raise(SIGWINCH);
    raise(SIGTERM);
    int first = tty_guard_next_signal(fd), second = tty_guard_next_signal(fd);
    assert_true(
        (first == SIGWINCH && second == SIGTERM) || (first == SIGTERM && second == SIGWINCH));
    tty_guard_signals_end(fd);
}

static void
names_of_keys(void **state)
{
    char name[KEYS_NAME_MAX];

    (void)state;
    assert_string_equal(keys_name('j', name), "j");
    assert_string_equal(keys_name(KEYS_CTRL('l'), name), "Ctrl-L");
    assert_string_equal(keys_name(KEYS_F10, name), "F10");
    assert_string_equal(keys_name(KEYS_ENTER, name), "Enter");
    assert_string_equal(keys_name(KEYS_SPACE, name), "space");
    assert_string_equal(keys_name(0x6F22, name), "漢");
    assert_string_equal(keys_name(KEYS_NONE, name), "?");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(terminal_types),
        cmocka_unit_test(terminals_that_cannot),
        cmocka_unit_test(the_terminal_is_given_back),
        cmocka_unit_test(signals_are_read),
        cmocka_unit_test(names_of_keys),
    };

    return cmocka_run_group_tests(tests, load_themes, NULL);
}
