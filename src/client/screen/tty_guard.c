/* SPDX-License-Identifier: MIT */
/*
 * The crash handler writes prepared bytes and sets prepared terminal settings, both allowed in a
 * signal handler; then it lets the signal do what it would have done. It runs on its own stack,
 * since the crash may be an exhausted one.
 */
#include "client/screen/tty_guard.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#define STACK_BYTES (64 * 1024)

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGQUIT, SIGSYS};
#define CRASH_SIGNALS (sizeof crash_signals / sizeof *crash_signals)

static struct {
    volatile sig_atomic_t active;
    int fd;
    bool has_termios, at_exit;
    struct termios termios;
    char restore[256];
    size_t restore_len;
    struct sigaction former[CRASH_SIGNALS];
    char stack[STACK_BYTES];
} guard;

static void
give_back(void)
{
    if (!guard.active)
        return;
    guard.active = 0;
    if (write(guard.fd, guard.restore, guard.restore_len) < 0)
        return; /* no terminal any more: nothing to give back */
    if (guard.has_termios)
        (void)tcsetattr(guard.fd, TCSANOW, &guard.termios);
}

static void
on_crash(int signal)
{
    give_back();
    for (size_t i = 0; i < CRASH_SIGNALS; i++)
        if (crash_signals[i] == signal)
            (void)sigaction(signal, &guard.former[i], NULL);
    (void)raise(signal); /* blocked while we are here: it strikes on return */
}

int
tty_guard_begin(int fd)
{
    stack_t stack = {.ss_sp = guard.stack, .ss_size = sizeof guard.stack};
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK};

    if (guard.active)
        return -EBUSY;
    guard.fd = fd;
    guard.has_termios = tcgetattr(fd, &guard.termios) == 0;
    guard.restore_len = 0;
    if (sigaltstack(&stack, NULL) < 0)
        return -errno;
    if (!guard.at_exit && atexit(give_back) != 0)
        return -ENOMEM;
    guard.at_exit = true;
    guard.active = 1;
    (void)sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < CRASH_SIGNALS; i++)
        (void)sigaction(crash_signals[i], &action, &guard.former[i]);
    return 0;
}

void
tty_guard_restore(const char *bytes)
{
    size_t n = strnlen(bytes, sizeof guard.restore);

    memcpy(guard.restore, bytes, n);
    guard.restore_len = n;
}

void
tty_guard_end(void)
{
    stack_t none = {.ss_flags = SS_DISABLE};

    if (!guard.active)
        return;
    guard.active = 0;
    for (size_t i = 0; i < CRASH_SIGNALS; i++)
        (void)sigaction(crash_signals[i], &guard.former[i], NULL);
    (void)sigaltstack(&none, NULL);
}

static void
watched_signals(sigset_t *set)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGWINCH, SIGCONT};

    (void)sigemptyset(set);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        (void)sigaddset(set, signals[i]);
}

int
tty_guard_signals(void)
{
    sigset_t set;

    watched_signals(&set);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd >= 0)
        return fd;
    int error = -errno;
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
    return error;
}

int
tty_guard_next_signal(int fd)
{
    struct signalfd_siginfo info;

    return read(fd, &info, sizeof info) == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}

void
tty_guard_stop(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL}, former;
    sigset_t stop;

    if (sigpending(&stop) == 0 && sigismember(&stop, SIGCONT) == 1)
        return;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGTSTP, &action, &former);
    (void)raise(SIGTSTP);
    (void)sigemptyset(&stop);
    (void)sigaddset(&stop, SIGTSTP);
    (void)sigprocmask(SIG_UNBLOCK, &stop, NULL); /* stops here, goes on here */
    (void)sigprocmask(SIG_BLOCK, &stop, NULL);
    (void)sigaction(SIGTSTP, &former, NULL);
}

void
tty_guard_signals_end(int fd)
{
    sigset_t set;

    if (fd < 0)
        return;
    (void)close(fd);
    watched_signals(&set);
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}
