/* SPDX-License-Identifier: MIT */
/*
 * The event loops: which there are, which thread runs each, how busy they are and how long they
 * keep callbacks waiting. Counters are written by hooks under the GIL in the loop's own thread; the
 * io thread reads them and keeps the history.
 *
 * An entry belongs to a loop object until the object is freed (a weak reference tells), then serves
 * another loop; the records of tasks tell a loop by its id, which is never another's. Entry 0
 * stands for "not known".
 */
#ifndef LOOPTOP_AGENT_LOOPS_H
#define LOOPTOP_AGENT_LOOPS_H

#include "agent/cpython/cpy.h"

#include <pthread.h>
#include <sys/types.h>

#include "agent/atomic.h"
#include "common/hidden.h"
#include "common/histogram.h"
#include "common/hot.h"
#include "looptop/limits.h"

#define LOOPS_MAX LOOPTOP_LOOPS_MAX
#define LOOPS_WINDOWS 7 /* lag histograms, the current one and a minute before it */
#define LOOPS_WINDOW_S 10

enum loop_state { LOOP_STOPPED, LOOP_RUNNING, LOOP_CLOSED };

/* What the io thread keeps of a loop, a sample a second; allocated with the entry. */
struct loop_history {
    struct histogram lag[LOOPS_WINDOWS];
    uint32_t window;     /* the current one; atomic: hooks add to it */
    unsigned window_age; /* s */
    /* from here on of one loop, the io thread's alone */
    float busy_pct[LOOPTOP_HISTORY];
    uint64_t lag_ns[LOOPTOP_HISTORY];
    float iterations[LOOPTOP_HISTORY];
    unsigned count, next; /* samples there are; where the next goes */
    /* figures of the last second, and what they were counted from */
    double busy_pct_now, iterations_now, callbacks_now, steps_now;
    uint64_t lag_now_ns;
    uint64_t seen_busy_ns, seen_idle_ns, seen_iterations, seen_callbacks, seen_steps, seen_ticks;
    bool busy_exact;
};

struct loop {
    /* first cache line: what a step touches */
    _Alignas(64) uint64_t id; /* 0: free; written last */
    PyObject *object;         /* borrowed; NULL: the entry is free. GIL */
    uint64_t since;           /* ticks when it began to run, or to rest */
    uint64_t step_start;      /* ticks */
    uint64_t steps;
    uint64_t busy;    /* ticks between polls; where polls are not seen: in steps */
    uint32_t running; /* record in a step now, 0: none */
    uint8_t state;    /* enum loop_state */
    bool is_uvloop;
    bool may_probe;           /* a probe runs none of the application's code */
    bool path_each_step;      /* await paths at the end of every step, not when somebody looks */
    uint64_t iteration_start; /* ticks; 0: it waits for events, or is not known */
    /* second */
    uint64_t iterations;
    uint64_t callbacks;  /* handles run, tasks' among them; asyncio only */
    uint64_t lag_max_ns; /* since the io thread last took it */
    uint64_t
        lag_steps; /* of steps, those whose wait is among the lags; where iterations are not seen */
    uint64_t probe_sent; /* ticks; 0: none under way */
    PyObject *weak;      /* strong: its callback frees the entry */
    pid_t tid;
    uint32_t next_free; /* of a free entry */

    char kind[40];   /* atomic_text_get */
    char thread[32]; /* atomic_text_get */

    pthread_mutex_t uv_lock; /* keeps uv alive while the io thread reads it */
    void *uv;                /* uv_loop_t while it runs and can be read, else NULL */
    bool uv_measured;        /* libuv counts its idle time */
    bool renewed;            /* serves another loop than the history was kept of */
    bool given_back;         /* the history holds no memory, and nothing of a loop */
    struct loop_history *history;
};

#define LOOPS_BYTES_MAX (LOOPS_MAX * (sizeof(struct loop) + sizeof(struct loop_history)))

extern HIDDEN struct loop loops[LOOPS_MAX];
extern HIDDEN uint32_t loops_high; /* entries ever used; atomic. GIL */
extern HIDDEN bool loops_given_up; /* a loop lost its entry while it was there. Atomic */

/* This thread, as the hooks know it. */
struct loops_thread {
    struct loop *loop;  /* the loop it runs, or NULL */
    uint32_t epoch;     /* loop is right as long as this is loops_epoch */
    uint32_t current;   /* record of the task in a step, 0: none */
    uint32_t callbacks; /* callbacks of the loop that run now, by Handle._run */
    uint64_t nested;    /* ticks of steps inside the current one */
    struct loops_making {
        const void *task; /* whose __init__ runs, the innermost; only to be compared */
        uint64_t id;      /* of its record, if its first step came already; or 0 */
    } making;
};
extern HIDDEN __thread struct loops_thread loops_thread;
extern HIDDEN uint32_t loops_epoch; /* from 1; GIL */

/* 0, -ENOTSUP with a reason. GIL held. Once, after asyncio is imported. */
int loops_init(char *reason, size_t size);

/* At the interpreter's end: holds no module any longer, so that it can be begun again. GIL held. */
void loops_exit(void);

/*
 * The entry of a loop object, made where there is none; where all are taken, the loop that has been
 * closed the longest gives way, or the one that has been stopped the longest. &loops[0] where it
 * cannot be kept. GIL held.
 */
struct loop *loops_of_slow(PyObject *object);

static inline struct loop *
loops_of(PyObject *object)
{
    struct loop *loop = loops_thread.loop;
    return likely(loop != NULL && loop->object == object) ? loop : loops_of_slow(object);
}

/*
 * Whether the loop object is there to be called. A weak reference made while the collector
 * finalizes dies without its callback, so it is asked itself. GIL held.
 */
bool loops_alive(struct loop *loop);

/* The calling thread began to run this loop (NULL: none any more). GIL held. */
void loops_set_running(PyObject *object);

/* The loop the calling thread runs; asks asyncio the first time. GIL held. */
struct loop *loops_current_slow(void);

static inline struct loop *
loops_current(void)
{
    return likely(loops_thread.epoch == loops_epoch) ? loops_thread.loop : loops_current_slow();
}

static inline unsigned
loops_index(const struct loop *loop)
{
    return (unsigned)(loop - loops);
}

/*
 * Whether the loop object says that it runs, or is closed; false where it cannot be learnt without
 * running the application's code. GIL held, the object alive.
 */
bool loops_says_running(const struct loop *loop);
bool loops_says_closed(const struct loop *loop);

/*
 * Whether a callback handed to the loop runs no code but asyncio's or uvloop's own. And hands one
 * over: 0, or -1 with an exception. gil thread, GIL held, the object alive.
 */
bool loops_may_probe(const struct loop *loop, PyObject *object);
int loops_hand_over(const struct loop *loop, PyObject *callback);

/* Marks stopped loops that say that they are closed. gil thread, GIL held, in slices. */
void loops_find_closed(void);

/* Whether there are stopped loops. Any thread. */
bool loops_have_stopped(void);

/* Counts one lag. Hooks, or the probe. */
void loops_lag(struct loop *loop, uint64_t ns);

/* In a forked child, where the lock may be held by a thread that is not there. */
void loops_child(void);

/*
 * Forgets which thread runs which loop: in a forked child, and when the hooks come back after a
 * time in which they saw nothing. Each thread asks again. GIL held.
 */
void loops_reset(void);

/* Marks loops that run though no hook has seen it: they wait for events since before. gil thread,
 * GIL held, in slices. */
void loops_find_running(void);

/* Knows the loops that threads run now, where their states tell (CPython 3.14 and later). gil
 * thread, GIL held, in slices. */
void loops_find_in_threads(void);

/* Begins the histories of entries anew that serve another loop by now. io thread, before it reads
 * them. */
void loops_renew(void);

/* A second has passed: figures and histories. io thread. */
void loops_sample(void);

/*
 * Hands a callback to loops whose iterations cannot be seen and notes how long it waited. gil
 * thread, GIL held, in slices. Runs the loop's call_soon_threadsafe, which is asyncio's or uvloop's
 * own code.
 */
void loops_probe(void);

/* Has loops that run drop what gil_release has waiting, those of the application's own left out.
 * gil thread, GIL held, in slices. */
void loops_release(void);

/* Whether there is a loop that probes are for; and one of which none is under way. Any thread. */
bool loops_want_probes(void);
bool loops_probe_due(void);

/* The lags of the last minute. io thread. */
void loops_lag_merge(const struct loop *loop, struct histogram *ret_all);

uint64_t loops_bytes(void);

#endif
