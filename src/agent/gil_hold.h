/* SPDX-License-Identifier: MIT */
/*
 * The gil thread's hold of the GIL: taken for a slice, given back between two, its time kept. gil
 * thread unless said. See gil.h for what the others ask.
 */
#ifndef LOOPTOP_AGENT_GIL_HOLD_H
#define LOOPTOP_AGENT_GIL_HOLD_H

#include <stdbool.h>

/*
 * The thread's state, made and taken away again. One that is loaded into a process from outside may
 * be there before the interpreter is: that is waited for. false: no memory, or to be stopped. GIL:
 * not held.
 */
bool gil_hold_begin(void);
void gil_hold_end(void);

/* Whether the calling thread is it. GIL held, any thread. */
bool gil_hold_is_own(void);

/* In a forked child, where the thread is not. GIL: any. */
void gil_hold_child(void);

/* Takes the GIL, and gives it back. While it is held by the thread nothing is collected. */
void gil_take(void);
void gil_give(void);

/* Between two slices whoever waits for the GIL gets it. GIL held, before and after. */
void gil_yield(void);

/* The application's turn. GIL: not held. */
void gil_pause(void);

#endif
