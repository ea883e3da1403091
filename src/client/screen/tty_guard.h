/* SPDX-License-Identifier: MIT */
/*
 * Gives the terminal back as it was found, however the program ends: leaving, exit(), or a crash.
 * One guard in a process. Signals that ask something of us (end, stop, new size) come as readable
 * numbers from a descriptor, so that nothing happens in the middle of something else.
 */
#ifndef LOOPTOP_SCREEN_TTY_GUARD_H
#define LOOPTOP_SCREEN_TTY_GUARD_H

/* Remembers the settings of the terminal fd, before they are changed, and watches for crashes. 0,
 * -errno. */
int tty_guard_begin(int fd);

/* The bytes that bring the terminal's screen back; copied, what is beyond 256 is left out. */
void tty_guard_restore(const char *bytes);

/* Stops watching; the terminal itself is left to the caller. */
void tty_guard_end(void);

/*
 * Blocks SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGWINCH and SIGCONT for this thread and hands out a
 * descriptor they are read from; closed with tty_guard_signals_end. -errno.
 */
int tty_guard_signals(void);

/* The next signal that came, 0: none. */
int tty_guard_next_signal(int fd);

/*
 * Stops the process as Ctrl-Z does by default; returns when it goes on. Where it was stopped and
 * went on already while the terminal was handed back (its parent had stopped first), returns at
 * once.
 */
void tty_guard_stop(void);

void tty_guard_signals_end(int fd);

#endif
