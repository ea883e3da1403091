// SPDX-License-Identifier: MIT
/* See gil_hold.h. */
#include "agent/gil_hold.h"

#include "agent/cpython/cpy.h"

#include <time.h>

#include "agent/atomic.h"
#include "agent/gil.h"
#include "agent/gil_call.h"
#include "agent/ticks.h"

#define BEGIN_PAUSE_NS 20000000 /* between two looks for the interpreter */
#define PAUSE_NS 100000         /* between two slices: the application's turn */

static uint64_t waiting_since; /* atomic, ticks */
static uint64_t longest_hold;  /* atomic, ticks */
static PyThreadState *own;     /* this thread's, which writes it; atomic */
static uint64_t held_since;

bool
gil_hold_begin(void)
{
    const struct timespec pause = {.tv_nsec = BEGIN_PAUSE_NS};
    while (!Py_IsInitialized()) {
        if (gil_stopping())
            return false;
        (void)nanosleep(&pause, NULL);
    }
    STORE(own, PyThreadState_New(PyInterpreterState_Main()));
    /* a profiler or tracer of all threads is the application's code, too, and never called here */
    if (own != NULL)
        PyThreadState_EnterTracing(own);
    return own != NULL;
}

void
gil_hold_end(void)
{
    gil_take();
    gil_collect_allow();
    PyThreadState_Clear(own);
    STORE(own, NULL);
    PyThreadState_DeleteCurrent();
}

bool
gil_hold_is_own(void)
{
    return PyThreadState_Get() == LOAD(own);
}

void
gil_hold_child(void)
{
    STORE(waiting_since, 0);
    STORE(own, NULL);
    gil_call_child();
}

void
gil_take(void)
{
    STORE(waiting_since, ticks_now());
    PyEval_RestoreThread(own);
    STORE(waiting_since, 0);
    held_since = ticks_now();
    gil_collect_hold();
}

void
gil_give(void)
{
    gil_collect_allow();
    uint64_t held = ticks_now() - held_since;
    if (held > LOAD(longest_hold))
        STORE(longest_hold, held);
    (void)PyEval_SaveThread();
}

void
gil_pause(void)
{
    struct timespec pause = {.tv_nsec = PAUSE_NS};
    nanosleep(&pause, NULL);
}

void
gil_yield(void)
{
    gil_give();
    gil_pause();
    gil_take();
}

bool
gil_give_way(void)
{
    if (ticks_since_ns(held_since) < GIL_SLICE_NS)
        return false;
    gil_yield();
    return true;
}

uint64_t
gil_waiting_ns(void)
{
    uint64_t since = LOAD(waiting_since);
    return since != 0 ? ticks_since_ns(since) : 0;
}

uint64_t
gil_longest_hold_ns(bool reset)
{
    uint64_t longest = LOAD(longest_hold);
    if (reset)
        STORE(longest_hold, 0);
    return ticks_to_ns(longest);
}
