// SPDX-License-Identifier: MIT
/* See gil.h. */
#include "agent/gil.h"

#include "agent/cpython/cpy.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "agent/agent.h"
#include "agent/atomic.h"
#include "agent/cancel.h"
#include "agent/gil_call.h"
#include "agent/hooks.h"
#include "agent/io.h"
#include "agent/loops.h"
#include "agent/memory.h"
#include "agent/paths.h"
#include "agent/population.h"
#include "agent/running.h"
#include "agent/stack.h"
#include "agent/table.h"
#include "agent/ticks.h"
#include "common/clock.h"
#include "looptop/protocol.h"

#define PERIOD_NS CLOCK_NS_PER_S     /* figures of the interpreter; probes, nobody watching */
#define PERIOD_PROBE_NS 500000000ull /* probes, somebody watching */
#define PAUSE_NS 100000              /* between two slices: the application's turn */
#define STACK_BYTES_MAX (8u << 20)   /* JSON of one stack */
#define REFRESH_BATCH 256            /* records of one slice */
#define CALL_WAIT_NS                                                                               \
    500000000ull /* who stops the thread waits so long for the application's code */
#define INSTALL_WAIT_NS (5 * CLOCK_NS_PER_S)

static struct {
    pthread_mutex_t lock;
    pthread_cond_t wake;  /* the thread has something to do */
    pthread_cond_t tried; /* an installation was tried, or the thread ends */
    struct job *jobs, **jobs_end;
    struct job *done, **done_end;
    bool stop, ended, install_wanted;
    unsigned installs_tried;
    pthread_t thread;
    bool running;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .jobs_end = &queue.jobs, .done_end = &queue.done};

static bool walk_wanted;       /* of tasks older than the hooks */
static bool watched;           /* atomic */
static uint64_t waiting_since; /* atomic, ticks */
static uint64_t longest_hold;  /* atomic, ticks */
static PyThreadState *own;     /* this thread's */
static uint64_t held_since;
static uint64_t places_due_ns; /* when places are looked up again though nobody asks */

struct job *
gil_job_new(enum job_kind kind)
{
    struct job *job = calloc(1, sizeof *job);
    if (job != NULL) {
        job->kind = kind;
        buf_init(&job->out, STACK_BYTES_MAX);
    }
    return job;
}

struct job *
gil_job_free(struct job *job)
{
    if (job != NULL)
        buf_done(&job->out);
    free(job);
    return NULL;
}

static void
take_gil(void)
{
    STORE(waiting_since, ticks_now());
    PyEval_RestoreThread(own);
    STORE(waiting_since, 0);
    held_since = ticks_now();
    gil_collect_hold();
}

static void
give_gil(void)
{
    gil_collect_allow();
    uint64_t held = ticks_now() - held_since;
    if (held > LOAD(longest_hold))
        STORE(longest_hold, held);
    (void)PyEval_SaveThread();
}

/* Between two slices whoever waits for the GIL gets it. */
static void
yield_gil(void)
{
    give_gil();
    struct timespec pause = {.tv_nsec = PAUSE_NS};
    nanosleep(&pause, NULL);
    take_gil();
}

bool
gil_give_way(void)
{
    if (ticks_since_ns(held_since) < GIL_SLICE_NS)
        return false;
    yield_gil();
    return true;
}

static bool
stopping(void)
{
    return LOAD(queue.stop);
}

/* What was known before a time without hooks may point to tasks that are gone. GIL held, and given
 * back in between. */
static void
forget_tasks(void)
{
    while (table_forget())
        (void)gil_give_way();
    give_gil();
    table_discard();
    take_gil();
}

/* Hooks, once asyncio is there. GIL held. */
static void
try_install(void)
{
    char reason[192] = "no memory";
    if (agent_hooks() != LOOPTOP_HOOKS_WAITING || !cpy_asyncio_ready())
        return;
    int rc = hooks_measure(yield_gil, reason, sizeof reason);
    if (rc == 0) {
        yield_gil();
        rc = hooks_install(reason, sizeof reason);
    }
    if (rc < 0 || cancel_init() < 0) {
        agent_refuse(reason);
        return;
    }
    memory_gc_install();
    forget_tasks();
    loops_reset();
    loops_find_in_threads();
    if (agent_hooks() != LOOPTOP_HOOKS_WAITING)
        return; /* stopped while the GIL was given back */
    hooks_switch(true);
    if (walk_wanted)
        population_start();
    agent_set_hooks(LOOPTOP_HOOKS_ACTIVE);
}

static void
run_stack(struct job *job)
{
    struct stack stack;
    stack_init(&stack, job->task, &job->out);
    take_gil();
    int rc = stack_slice(&stack, GIL_SLICE_NS);
    while (rc == 0 && !LOAD(job->given_up) && !stopping()) {
        yield_gil();
        rc = stack_slice(&stack, GIL_SLICE_NS);
    }
    stack_done(&stack);
    give_gil();
    if (rc == -ENOENT)
        rpc_error_set(
            &job->error, LOOPTOP_ERR_NO_TASK, "no task %llu", (unsigned long long)job->task);
    else if (rc == 0 || job->out.error != 0)
        rpc_error_set(&job->error, LOOPTOP_ERR_INTERNAL, "the stack could not be read");
}

/* Whether there are tasks whose places are looked up only when somebody asks. */
static bool
have_lazy_places(void)
{
    if (LOAD(hooks_place_unknown))
        return true;
    for (uint32_t i = 1; i < LOAD_ACQUIRE(loops_high); i++)
        if (LOAD_ACQUIRE(loops[i].id) != 0 && !LOAD(loops[i].path_each_step))
            return true;
    return false;
}

static void
refresh_record(struct record *record)
{
    PyObject *task = record->task;
    if (task == NULL || record->at_step == (uint32_t)record->steps ||
        loops[record->loop].running == table_index(record))
        return;
    PyObject *coro = cpy_task_field(task, cpy_layout.coro);
    if (coro == NULL || !cpy_is_gen(coro))
        return;
    if (cpyv_gen_executing((PyGenObject *)coro))
        STORE(hooks_place_unknown, true);
    else
        paths_update(record, task);
}

/* Places of tasks that have stepped since they were read; the table is looked through without the
 * GIL. */
static void
refresh_lazy(void)
{
    uint32_t batch[REFRESH_BATCH], high = LOAD(table_high), i = 1;
    STORE(hooks_place_unknown, false);
    places_due_ns = clock_monotonic_ns() + PERIOD_NS;
    while (i < high && !stopping()) {
        unsigned n = 0;
        for (; i < high && n < REFRESH_BATCH; i++) {
            const struct record *record = &table_records[i];
            if (LOAD(record->task) != NULL &&
                LOAD(record->at_step) != (uint32_t)LOAD(record->steps))
                batch[n++] = i;
        }
        if (n == 0)
            break;
        take_gil();
        for (unsigned k = 0; k < n; k++) {
            (void)gil_give_way();
            refresh_record(&table_records[batch[k]]);
        }
        give_gil();
        if (i == high)
            break;
        struct timespec pause = {.tv_nsec = PAUSE_NS};
        nanosleep(&pause, NULL);
    }
}

static void
run_refresh(void)
{
    take_gil();
    running_refresh();
    give_gil();
    if (have_lazy_places())
        refresh_lazy();
}

static void
run_cancel(struct job *job)
{
    take_gil();
    while (cancel_send(job->cancel, GIL_SLICE_NS) && !stopping())
        yield_gil();
    give_gil();
}

static void
run_job(struct job *job)
{
    if (LOAD(job->given_up) && job->kind != JOB_CANCEL)
        return;
    if (agent_hooks() != LOOPTOP_HOOKS_ACTIVE) {
        rpc_error_set(&job->error, LOOPTOP_ERR_INACTIVE, "the agent is not active");
        return;
    }
    if (job->kind == JOB_STACK)
        run_stack(job);
    else if (job->kind == JOB_CANCEL)
        run_cancel(job);
    else
        run_refresh();
}

static uint64_t
period_ns(void)
{
    bool often = LOAD(watched) && (loops_want_probes() || LOAD(hooks_place_unknown));
    return often ? PERIOD_PROBE_NS : PERIOD_NS;
}

/* What is done at regular times. */
static void
run_period(void)
{
    if (agent_hooks() != LOOPTOP_HOOKS_ACTIVE) {
        take_gil();
        try_install();
        give_gil();
        return;
    }
    bool blocks = memory_blocks_due(), probe = loops_probe_due(), stopped = loops_have_stopped();
    if (blocks || probe || stopped) {
        take_gil();
        if (stopped)
            loops_find_closed();
        if (probe)
            loops_probe();
        if (blocks && (stopped || probe))
            yield_gil(); /* the count may take a slice and more */
        if (blocks)
            memory_blocks_sample();
        give_gil();
    }
    /* so that whoever asks next finds few that are stale */
    if (LOAD(hooks_place_unknown) || (have_lazy_places() && clock_monotonic_ns() >= places_due_ns))
        refresh_lazy();
}

static void
walk_population(void)
{
    while (LOAD(population_walking) && agent_hooks() == LOOPTOP_HOOKS_ACTIVE && !stopping()) {
        take_gil();
        if (!population_slice(GIL_SLICE_NS))
            loops_find_running();
        give_gil();
        struct timespec pause = {.tv_nsec = PAUSE_NS};
        nanosleep(&pause, NULL);
    }
}

static struct timespec
timespec_of(uint64_t ns)
{
    return (struct timespec){
        .tv_sec = (time_t)(ns / CLOCK_NS_PER_S), .tv_nsec = (long)(ns % CLOCK_NS_PER_S)};
}

/* Waits for a job, an installation wanted, the period's end or the stop. Takes a job off. */
static struct job *
next_job(uint64_t until_ns, bool *ret_install)
{
    struct timespec at = timespec_of(until_ns);
    pthread_mutex_lock(&queue.lock);
    int rc = 0;
    while (queue.jobs == NULL && !queue.stop && !queue.install_wanted && rc == 0)
        rc = pthread_cond_timedwait(&queue.wake, &queue.lock, &at);
    struct job *job = queue.jobs;
    if (job != NULL) {
        queue.jobs = job->next;
        if (queue.jobs == NULL)
            queue.jobs_end = &queue.jobs;
        job->next = NULL;
    }
    *ret_install = queue.install_wanted;
    queue.install_wanted = false;
    pthread_mutex_unlock(&queue.lock);
    return job;
}

static void
finish_job(struct job *job)
{
    pthread_mutex_lock(&queue.lock);
    *queue.done_end = job;
    queue.done_end = &job->next;
    pthread_mutex_unlock(&queue.lock);
    io_wake();
}

static void
install_tried(void)
{
    pthread_mutex_lock(&queue.lock);
    queue.installs_tried++;
    pthread_cond_broadcast(&queue.tried);
    pthread_mutex_unlock(&queue.lock);
}

/* Whether the thread ends: once said, it does, and a new one has to be started. */
static bool
end(bool in_any_case)
{
    pthread_mutex_lock(&queue.lock);
    queue.ended = queue.stop || in_any_case;
    bool ended = queue.ended;
    pthread_cond_broadcast(&queue.tried);
    pthread_mutex_unlock(&queue.lock);
    return ended;
}

/* One turn: a job, an installation, what is due. Returns when the next turn is due. */
static uint64_t
turn(uint64_t due_ns)
{
    bool install;
    struct job *job = next_job(due_ns, &install);
    if (install) {
        take_gil();
        try_install();
        give_gil();
        install_tried();
    }
    walk_population();
    if (job != NULL) {
        run_job(job);
        finish_job(job);
    }
    if (clock_monotonic_ns() < due_ns || stopping())
        return due_ns;
    run_period();
    return clock_monotonic_ns() + period_ns();
}

static void *
gil_main(void *arg)
{
    (void)arg;
    own = PyThreadState_New(PyInterpreterState_Main());
    uint64_t due_ns = clock_monotonic_ns();
    while (own != NULL && !(stopping() && end(false)))
        due_ns = turn(due_ns);
    if (own == NULL) {
        (void)end(true);
        return NULL;
    }
    take_gil();
    gil_collect_allow();
    PyThreadState_Clear(own);
    PyThreadState_DeleteCurrent();
    return NULL;
}

/* One that was not waited for takes its stop back, unless it is on its way out. */
static bool
go_on(void)
{
    pthread_mutex_lock(&queue.lock);
    bool goes_on = queue.running && !queue.ended;
    if (goes_on)
        STORE(queue.stop, false);
    pthread_mutex_unlock(&queue.lock);
    return goes_on;
}

int
gil_start(bool walk)
{
    STORE(walk_wanted, walk);
    if (go_on())
        return 0;
    if (queue.running)
        pthread_join(queue.thread, NULL);
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&queue.wake, &clock);
    pthread_cond_init(&queue.tried, &clock);
    pthread_condattr_destroy(&clock);
    STORE(queue.stop, false);
    queue.ended = false;
    int rc = agent_thread(&queue.thread, "looptop-gil", gil_main);
    queue.running = rc == 0;
    return rc;
}

/* Until the thread has said that it ends, or is in code of the application for too long. Under the
 * lock. */
static bool
await_end(void)
{
    while (!queue.ended && gil_calling_ns() < CALL_WAIT_NS) {
        struct timespec at = timespec_of(clock_monotonic_ns() + CALL_WAIT_NS / 10);
        (void)pthread_cond_timedwait(&queue.tried, &queue.lock, &at);
    }
    return queue.ended;
}

int
gil_stop(void)
{
    if (!queue.running)
        return 0;
    pthread_mutex_lock(&queue.lock);
    STORE(queue.stop, true);
    pthread_cond_signal(&queue.wake);
    bool ended = await_end();
    pthread_mutex_unlock(&queue.lock);
    if (!ended)
        return -ETIMEDOUT;
    pthread_join(queue.thread, NULL);
    queue.running = false;
    return 0;
}

void
gil_abandon(void)
{
    pthread_mutex_init(&queue.lock, NULL);
    queue.jobs = queue.done = NULL;
    queue.jobs_end = &queue.jobs;
    queue.done_end = &queue.done;
    queue.running = queue.install_wanted = false;
    STORE(waiting_since, 0);
    gil_call_child();
}

void
gil_submit(struct job *job)
{
    pthread_mutex_lock(&queue.lock);
    *queue.jobs_end = job;
    queue.jobs_end = &job->next;
    pthread_cond_signal(&queue.wake);
    pthread_mutex_unlock(&queue.lock);
}

struct job *
gil_take_done(void)
{
    pthread_mutex_lock(&queue.lock);
    struct job *job = queue.done;
    if (job != NULL) {
        queue.done = job->next;
        if (queue.done == NULL)
            queue.done_end = &queue.done;
        job->next = NULL;
    }
    pthread_mutex_unlock(&queue.lock);
    return job;
}

void
gil_install_now(void)
{
    struct timespec at = timespec_of(clock_monotonic_ns() + INSTALL_WAIT_NS);
    int rc = 0;
    pthread_mutex_lock(&queue.lock);
    unsigned tried = queue.installs_tried;
    queue.install_wanted = true;
    if (queue.running)
        pthread_cond_signal(&queue.wake);
    while (queue.running && queue.installs_tried == tried && !queue.stop && !queue.ended && rc == 0)
        rc = pthread_cond_timedwait(&queue.tried, &queue.lock, &at);
    pthread_mutex_unlock(&queue.lock);
}

void
gil_set_watched(bool on)
{
    STORE(watched, on);
}

bool
gil_watched(void)
{
    return LOAD(watched);
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
