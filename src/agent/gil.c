// SPDX-License-Identifier: MIT
/* See gil.h. */
#include "agent/gil.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/atomic.h"
#include "agent/gil_call.h"
#include "agent/gil_hold.h"
#include "agent/gil_work.h"
#include "agent/io_sockets.h"
#include "agent/thread.h"
#include "common/clock.h"

#define STACK_BYTES_MAX (8u << 20) /* JSON of one stack */
#define CALL_WAIT_NS 500000000ull  /* so long the thread is awaited in the application's code */
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
    pid_t tid; /* atomic; 0: not known yet */
    bool running, prepared;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .jobs_end = &queue.jobs, .done_end = &queue.done};

static bool walk_wanted; /* of tasks older than the hooks; atomic */
static bool watched;     /* atomic */

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
    io_sockets_wake();
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
        gil_work_install(LOAD(walk_wanted));
        install_tried();
    }
    gil_work_walk();
    if (job != NULL) {
        gil_work_job(job);
        finish_job(job);
    }
    /* awake for a job, it does at once what would soon be due: each waking costs the process more
     * than many a thing it is done for */
    uint64_t early_ns = job != NULL ? gil_work_period_ns() / 2 : 0;
    if (clock_monotonic_ns() + early_ns < due_ns || gil_stopping())
        return due_ns;
    gil_work_period(LOAD(walk_wanted));
    return clock_monotonic_ns() + gil_work_period_ns();
}

static void *
gil_main(void *arg)
{
    (void)arg;
    uint64_t due_ns = clock_monotonic_ns();
    STORE(queue.tid, gettid());
    gil_work_begin();
    if (!gil_hold_begin()) {
        (void)end(true);
        return NULL;
    }
    while (!(gil_stopping() && end(false)))
        due_ns = turn(due_ns);
    gil_hold_end();
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

/* Once in a process: somebody may wait from one start to the next. */
static void
prepare(void)
{
    if (queue.prepared)
        return;
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&queue.wake, &clock);
    pthread_cond_init(&queue.tried, &clock);
    pthread_condattr_destroy(&clock);
    queue.prepared = true;
}

int
gil_start(bool walk)
{
    STORE(walk_wanted, walk);
    if (go_on())
        return 0;
    if (queue.running)
        thread_join(queue.thread, LOAD(queue.tid));
    prepare();
    STORE(queue.tid, 0);
    STORE(queue.stop, false);
    queue.ended = false;
    /* a loop's own call_soon_threadsafe finds the stack that it would find elsewhere */
    int rc = thread_start(&queue.thread, "looptop-gil", 0, gil_main, NULL);
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
    thread_join(queue.thread, LOAD(queue.tid));
    queue.running = false;
    return 0;
}

bool
gil_lingers(void)
{
    return queue.running;
}

void
gil_abandon(void)
{
    pthread_mutex_init(&queue.lock, NULL);
    queue.jobs = queue.done = NULL;
    queue.jobs_end = &queue.jobs;
    queue.done_end = &queue.done;
    queue.running = queue.prepared = queue.install_wanted = false;
    gil_hold_child();
}

void
gil_submit(struct job *job)
{
    pthread_mutex_lock(&queue.lock);
    *queue.jobs_end = job;
    queue.jobs_end = &job->next;
    pthread_mutex_unlock(&queue.lock);
    /* after it: the thread would wake to wait for the lock */
    pthread_cond_signal(&queue.wake);
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

bool
gil_stopping(void)
{
    return LOAD(queue.stop);
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
