// SPDX-License-Identifier: MIT
/*
 * The io thread's side of loops.h: once a second the counters of each loop become figures of that
 * second and one more sample of its history. And the probe, for loops whose iterations are not
 * seen.
 */
#include "agent/loops.h"

#include <math.h>
#include <sys/mman.h>

#include "agent/gil.h"
#include "agent/gil_release.h"
#include "agent/ticks.h"
#include "agent/uv.h"
#include "common/clock.h"

#define SHORT_NS 1000000 /* hooks_task.c counts longer waits one by one */

static bool
blind(const struct loop *loop)
{
    return LOAD(loop->id) != 0 && LOAD(loop->state) == LOOP_RUNNING &&
           (LOAD(loop->is_uvloop) || LOAD(loop->iterations) == 0);
}

/* Time that was busy, with what is under way and has not been counted: a blocked loop is busy all
 * the time. */
static uint64_t
busy_until_now(const struct loop *loop, bool exact)
{
    uint64_t start = LOAD(loop->iteration_start);
    if (!exact)
        start = LOAD(loop->running) != 0 ? LOAD(loop->step_start) : 0;
    return ticks_to_ns(LOAD(loop->busy)) + (start != 0 ? ticks_since_ns(start) : 0);
}

/* The share of the span that the loop was busy, and whether all of it could be seen. */
static double
busy_share(struct loop *loop, struct loop_history *history, double span_ns)
{
    history->busy_exact = !blind(loop);
    uint64_t idle_ns, busy_ns = busy_until_now(loop, history->busy_exact);
    uint64_t more_ns = busy_ns > history->seen_busy_ns ? busy_ns - history->seen_busy_ns : 0;
    history->seen_busy_ns = busy_ns;
    if (LOAD(loop->is_uvloop) && uv_idle_ns(loop, &idle_ns)) {
        uint64_t before = history->seen_idle_ns, idle = idle_ns - before;
        history->seen_idle_ns = idle_ns;
        history->busy_exact = before != 0;
        if (before != 0)
            return (double)idle >= span_ns ? 0 : 100.0 * (span_ns - (double)idle) / span_ns;
    }
    double share = 100.0 * (double)more_ns / span_ns;
    return share > 100.0 ? 100.0 : share;
}

static double
per_second(uint64_t now, uint64_t *seen, double span_ns)
{
    double rate = now >= *seen ? (double)(now - *seen) * 1e9 / span_ns : 0;
    *seen = now;
    return rate;
}

static void
rotate_window(struct loop_history *history)
{
    if (++history->window_age < LOOPS_WINDOW_S)
        return;
    uint32_t next = (history->window + 1) % LOOPS_WINDOWS;
    histogram_clear(&history->lag[next]);
    STORE(history->window, next);
    history->window_age = 0;
}

static void
sample(struct loop *loop)
{
    struct loop_history *history = loop->history;
    uint64_t now = ticks_now(), iterations = LOAD(loop->iterations);
    double span_ns = (double)ticks_to_ns(now - history->seen_ticks);
    bool first = history->seen_ticks == 0, is_uvloop = LOAD(loop->is_uvloop);
    history->seen_ticks = now;
    STORE(loop->given_back, false);
    if (span_ns <= 0 || first)
        span_ns = 1e9;

    if (is_uvloop && !uv_iterations(loop, &iterations))
        iterations = 0;
    history->busy_pct_now = busy_share(loop, history, span_ns);
    history->iterations_now = per_second(iterations, &history->seen_iterations, span_ns);
    if (is_uvloop && iterations == 0)
        history->iterations_now = NAN;
    history->callbacks_now =
        is_uvloop ? NAN : per_second(LOAD(loop->callbacks), &history->seen_callbacks, span_ns);
    history->steps_now = per_second(LOAD(loop->steps), &history->seen_steps, span_ns);
    history->lag_now_ns = __atomic_exchange_n(&loop->lag_max_ns, 0, __ATOMIC_RELAXED);
    rotate_window(history);
    if (first)
        return;
    history->busy_pct[history->next] = (float)history->busy_pct_now;
    history->lag_ns[history->next] = history->lag_now_ns;
    history->iterations[history->next] = (float)history->iterations_now;
    history->next = (history->next + 1) % LOOPTOP_HISTORY;
    if (history->count < LOOPTOP_HISTORY)
        history->count++;
}

void
loops_renew(void)
{
    for (uint32_t i = 1; i < LOAD_ACQUIRE(loops_high); i++) {
        if (!LOAD_ACQUIRE(loops[i].renewed))
            continue;
        STORE(loops[i].renewed, false);
        if (loops[i].history->seen_ticks == 0)
            continue; /* nothing was written, and no memory is touched */
        char *own = (char *)loops[i].history + offsetof(struct loop_history, busy_pct);
        memset(own, 0, sizeof *loops[i].history - offsetof(struct loop_history, busy_pct));
    }
}

/*
 * The memory of a closed loop's history, or of a free entry's, so that what a crowd of loops used
 * is not kept for ever. Of a loop that takes the entry in this moment the first lags are lost.
 */
static void
give_back(struct loop *loop)
{
    if (LOAD(loop->given_back))
        return;
    STORE(loop->given_back, true);
    (void)madvise(loop->history, sizeof *loop->history, MADV_DONTNEED);
}

void
loops_sample(void)
{
    loops_renew();
    for (uint32_t i = 1; i < LOAD_ACQUIRE(loops_high); i++) {
        if (LOAD_ACQUIRE(loops[i].id) != 0 && LOAD(loops[i].state) != LOOP_CLOSED)
            sample(&loops[i]);
        else
            give_back(&loops[i]);
    }
}

void
loops_lag_merge(const struct loop *loop, struct histogram *ret_all)
{
    histogram_clear(ret_all);
    for (size_t i = 0; i < LOOPS_WINDOWS; i++)
        histogram_merge(ret_all, &loop->history->lag[i]);
}

/* Which loop a probe was sent to: its entry may be another's when it arrives. */
static size_t
probe_number(const struct loop *loop)
{
    return loop->id * LOOPS_MAX + loops_index(loop);
}

/* The steps whose task waited for no long time count too, with what the probe waited: else those
 * that did, each of which counts, would be all there is. */
static void
count_short_waits(struct loop *loop, uint64_t probe_ns)
{
    uint64_t steps = LOAD(loop->steps), n = steps - loop->lag_steps;
    struct loop_history *history = loop->history;
    loop->lag_steps = steps;
    if (probe_ns > SHORT_NS)
        probe_ns = SHORT_NS;
    histogram_add_n(&history->lag[LOAD(history->window)], probe_ns, (uint32_t)n);
}

/* Runs in the loop's thread when its turn has come; self is the loop's number. */
static PyObject *
probe_arrived(PyObject *self, PyObject *unused)
{
    (void)unused;
    size_t number = PyLong_AsSize_t(self);
    struct loop *loop = &loops[number % LOOPS_MAX];
    if (probe_number(loop) == number && loop->probe_sent != 0) {
        uint64_t lag_ns = ticks_since_ns(loop->probe_sent);
        loops_lag(loop, lag_ns);
        if (loop->is_uvloop)
            count_short_waits(loop, lag_ns);
        STORE(loop->probe_sent, 0);
        if (loop->is_uvloop && gil_watched())
            uv_loop_measure(loop);
    }
    PyErr_Clear();
    gil_release_turn();
    Py_RETURN_NONE;
}

static PyMethodDef probe_def = {"looptop_probe", probe_arrived, METH_NOARGS, NULL};

static void
probe(struct loop *loop)
{
    PyObject *object = loops_alive(loop) ? Py_NewRef(loop->object) : NULL;
    /* somebody may have patched it since */
    if (object == NULL || !loops_may_probe(loop, object)) {
        STORE(loop->may_probe, false);
        gil_release(object);
        return;
    }
    PyObject *number = PyLong_FromSize_t(probe_number(loop));
    PyObject *callback = number != NULL ? PyCFunction_New(&probe_def, number) : NULL;
    if (callback != NULL) {
        STORE(loop->probe_sent, ticks_now());
        if (loops_hand_over(loop, callback) < 0)
            STORE(loop->probe_sent, 0);
    }
    gil_release(object);
    Py_XDECREF(callback);
    Py_XDECREF(number);
    PyErr_Clear();
}

void
loops_probe(void)
{
    for (uint32_t i = 1; i < loops_high; i++) {
        if (blind(&loops[i]) && LOAD(loops[i].may_probe) && loops[i].probe_sent == 0)
            probe(&loops[i]);
        (void)gil_give_way();
    }
}

static void
hand_release(struct loop *loop, PyObject *callback)
{
    PyObject *object = loops_alive(loop) ? Py_NewRef(loop->object) : NULL;
    if (object != NULL && loops_may_probe(loop, object))
        (void)loops_hand_over(loop, callback);
    PyErr_Clear();
    gil_release(object);
}

void
loops_release(void)
{
    PyObject *callback = gil_release_callback();
    for (uint32_t i = 1; callback != NULL && i < loops_high; i++) {
        if (LOAD(loops[i].id) != 0 && LOAD(loops[i].state) == LOOP_RUNNING)
            hand_release(&loops[i], callback);
        (void)gil_give_way();
    }
    Py_XDECREF(callback);
}

bool
loops_want_probes(void)
{
    for (uint32_t i = 1; i < LOAD_ACQUIRE(loops_high); i++)
        if (blind(&loops[i]) && LOAD(loops[i].may_probe))
            return true;
    return false;
}

bool
loops_probe_due(void)
{
    for (uint32_t i = 1; i < LOAD_ACQUIRE(loops_high); i++)
        if (blind(&loops[i]) && LOAD(loops[i].may_probe) && LOAD(loops[i].probe_sent) == 0)
            return true;
    return false;
}
