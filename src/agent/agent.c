// SPDX-License-Identifier: MIT
/*
 * See agent.h. One lock guards starting and stopping, which come from the application (start, stop,
 * fork, exit) and from clients (detach). It is never held while code of the application may run:
 * between the two ends of a fork other handlers do, which may themselves start, stop and fork.
 * Tables are kept from the first start on; what is dormant costs its memory and one load a hook.
 */
#include "agent/agent.h"

#include "agent/cpython/cpy.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "agent/atomic.h"
#include "agent/cancel.h"
#include "agent/channel.h"
#include "agent/gil.h"
#include "agent/hooks.h"
#include "agent/io.h"
#include "agent/io_sockets.h"
#include "agent/loops.h"
#include "agent/memory.h"
#include "agent/names.h"
#include "agent/population.h"
#include "agent/report.h"
#include "agent/table.h"
#include "agent/thread.h"
#include "agent/ticks.h"
#include "looptop/version.h"
#include "platform/sock.h"

#define FORK_WAIT_S 1
#define DETACH_LOOK_NS 1000000
#define DETACH_LOOKS 1000
#define DETACH_WAIT_S 2

__attribute__((visibility("default"))) struct looptop_agent_state looptop_agent_state = {
    .magic = LOOPTOP_AGENT_MAGIC,
    .abi = LOOPTOP_AGENT_ABI,
    .size = sizeof(struct looptop_agent_state),
    .version = LOOPTOP_VERSION,
    .channel = -1,
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended; /* the last of the forks, or a detach; waits by CLOCK_MONOTONIC */
static bool running, readonly, prepared;
static bool listening;   /* at a path; else a channel is held out */
static bool knows_forks; /* in_child is registered */
static bool walk_older;  /* the tasks that are older than the hooks */
static unsigned forks;   /* under way in any thread */
static __thread unsigned own_forks;
static bool paused;          /* by the first of them: the agent's threads are not there */
static bool threads_owed;    /* … and could not be started again; atomic */
static bool detach_answered; /* atomic */
static bool detaching;       /* a client's detach is not over; atomic */
static bool child_fresh;     /* in a forked child: the parent's tables are still here */
static bool child_restarts;  /* … and its agent was running */

bool
agent_running(void)
{
    return LOAD(running);
}

bool
agent_owes_threads(void)
{
    return LOAD(threads_owed);
}

bool
agent_readonly(void)
{
    return LOAD(readonly);
}

enum looptop_agent_hooks
agent_hooks(void)
{
    return (enum looptop_agent_hooks)LOAD_ACQUIRE(looptop_agent_state.hooks);
}

bool
agent_message(char ret_text[LOOPTOP_AGENT_TEXT])
{
    atomic_text_get(ret_text, LOOPTOP_AGENT_TEXT, looptop_agent_state.message);
    return ret_text[0] != '\0';
}

bool
agent_socket(char ret_path[LOOPTOP_AGENT_TEXT])
{
    atomic_text_get(ret_path, LOOPTOP_AGENT_TEXT, looptop_agent_state.socket);
    return ret_path[0] != '\0';
}

static void
set_message(const char *text)
{
    atomic_text_set(looptop_agent_state.message, LOOPTOP_AGENT_TEXT, text);
}

static void
set_socket(const char *path)
{
    atomic_text_set(looptop_agent_state.socket, LOOPTOP_AGENT_TEXT, path);
}

void
agent_set_hooks(enum looptop_agent_hooks hooks)
{
    STORE_RELEASE(looptop_agent_state.hooks, (uint32_t)hooks);
}

void
agent_refuse(const char *reason)
{
    set_message(reason);
    agent_set_hooks(LOOPTOP_HOOKS_REFUSED);
}

/* The directory, swept of sockets of the dead, and our path in it. */
static int
prepare_socket(char *reason, size_t size)
{
    char dir[SOCK_PATH_SIZE], path[SOCK_PATH_SIZE];
    int rc = sock_dir(dir, sizeof dir, true);
    if (rc == 0)
        rc = sock_path(path, sizeof path, dir, getpid());
    if (rc == 0 && strlen(path) >= sizeof looptop_agent_state.socket)
        rc = -ENAMETOOLONG;
    if (rc < 0) {
        (void)snprintf(reason, size, "cannot use the socket directory %s: %s", dir, strerror(-rc));
        return rc;
    }
    (void)sock_sweep(dir);
    set_socket(path);
    return 0;
}

/* What is made once and stays. */
static int
prepare(void)
{
    if (prepared)
        return 0;
    if (!knows_forks || table_init() < 0 || names_init() < 0)
        return -ENOMEM;
    ticks_init();
    prepared = true;
    return 0;
}

/* Both or none. */
static int
start_threads(void)
{
    int rc = io_resume();
    if (rc == 0 && (rc = gil_start(walk_older)) < 0)
        io_stop(false);
    return rc;
}

/*
 * Forks of other threads are waited for, under the lock: the kernel copies descriptors before it
 * copies memory, so that of a socket closed or opened meanwhile the child has the one without the
 * other. Not longer than a second: their handlers may wait for the caller.
 */
static void
await_forks(void)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += FORK_WAIT_S;
    for (int rc = 0; forks > 0 && own_forks == 0 && rc == 0;)
        rc = pthread_cond_timedwait(&ended, &lock, &until);
}

/*
 * While a fork is under way there is no thread of ours: one that is just being made holds locks of
 * the interpreter which the child, where it is not, would wait for. Clients find the socket.
 */
static int
start_all(char *reason, size_t size)
{
    int rc = listening ? prepare_socket(reason, size) : 0;
    if (rc < 0)
        return rc;
    looptop_agent_state.pid = getpid();
    set_message("");
    agent_set_hooks(LOOPTOP_HOOKS_WAITING);
    rc = io_open(listening ? looptop_agent_state.socket : NULL);
    paused = rc == 0 && forks > 0;
    if (rc == 0 && !paused)
        rc = start_threads();
    if (rc < 0) {
        agent_unlink();
        io_stop(true);
        (void)snprintf(reason, size, "cannot start: %s", strerror(-rc));
        agent_set_hooks(LOOPTOP_HOOKS_DORMANT);
    }
    return rc;
}

/*
 * Under the lock. Where no thread can be made now, by a limit of the system's, it is tried again
 * at the next fork, start or collection of garbage; clients wait as long.
 */
static void
resume(void)
{
    if (forks > 0 || !paused)
        return;
    bool failed = start_threads() < 0;
    paused = failed;
    STORE(threads_owed, failed);
}

/* Nor is one that a client has just taken out of service started before that is over. */
static void
await_detach(void)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += DETACH_WAIT_S;
    for (int rc = 0; LOAD(detaching) && rc == 0;)
        rc = pthread_cond_timedwait(&ended, &lock, &until);
}

/* One that holds out a channel, and is wanted at a path: that, too. */
static int
listen_too(char *reason, size_t size)
{
    int rc = prepare_socket(reason, size);
    if (rc < 0)
        return rc;
    listening = true;
    io_sockets_listen(looptop_agent_state.socket);
    return -EALREADY;
}

static int
start(struct agent_options options, bool walk, char *reason, size_t size)
{
    pthread_mutex_lock(&lock);
    await_detach();
    await_forks();
    int rc = -EALREADY;
    resume();
    if (running && threads_owed) {
        rc = -EAGAIN;
        (void)snprintf(reason, size, "no thread can be started: %s", strerror(EAGAIN));
    } else if (running && options.listen && !listening) {
        rc = listen_too(reason, size);
    }
    if (!running) {
        listening = options.listen;
        rc = prepare();
        if (rc < 0) {
            (void)snprintf(reason, size, "no memory for the tables");
        } else {
            walk_older = walk;
            report_init();
            rc = start_all(reason, size);
        }
        STORE(readonly, options.readonly);
        STORE(running, rc == 0);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

int
agent_start(struct agent_options options, char *reason, size_t size)
{
    return start(options, true, reason, size);
}

void
agent_unlink(void)
{
    if (looptop_agent_state.socket[0] != '\0' && looptop_agent_state.pid == getpid())
        io_sockets_unlink(looptop_agent_state.socket);
}

void
agent_link(void)
{
    if (LOAD(running))
        io_sockets_listen_again();
}

static void
switch_off(void)
{
    STORE(hooks_active, false);
    agent_set_hooks(LOOPTOP_HOOKS_DORMANT);
}

static void
stop(bool in_detach)
{
    pthread_mutex_lock(&lock);
    await_forks();
    child_restarts = false;
    if (running) {
        switch_off();
        agent_unlink();
        (void)gil_stop(); /* where it is late it goes as soon as it can */
        switch_off();     /* it may just have been installing */
        io_stop(true);
        STORE(population_walking, false);
        set_socket("");
        STORE(running, false);
        STORE(threads_owed, false);
        paused = false;
    }
    if (in_detach) {
        STORE(detaching, false);
        pthread_cond_broadcast(&ended);
    }
    pthread_mutex_unlock(&lock);
}

void
agent_stop(void)
{
    stop(false);
}

/* The answer goes out first. */
static void *
detach_main(void *arg)
{
    (void)arg;
    const struct timespec pause = {.tv_nsec = DETACH_LOOK_NS};
    for (int i = 0; i < DETACH_LOOKS && !LOAD(detach_answered); i++)
        (void)nanosleep(&pause, NULL);
    stop(true);
    return NULL;
}

int
agent_detach(void)
{
    pthread_t thread;
    STORE(detach_answered, false);
    /* who starts it from now on waits for the end of this; not for the lock, which a stop holds
     * that waits for the caller's thread */
    STORE(detaching, true);
    int rc = thread_start(&thread, "looptop-detach", THREAD_STACK_BYTES, detach_main, NULL);
    if (rc == 0)
        pthread_detach(thread);
    else
        STORE(detaching, false);
    channel_withdraw();
    return rc;
}

void
agent_detach_answered(void)
{
    STORE(detach_answered, true);
}

void
agent_pause(void)
{
    pthread_mutex_lock(&lock);
    own_forks++;
    forks++;
    if (running && !paused) {
        (void)gil_stop(); /* one that is late is in code of the application */
        io_stop(false);
        paused = true;
    }
    pthread_mutex_unlock(&lock);
}

void
agent_resume(void)
{
    pthread_mutex_lock(&lock);
    /* of a fork that began before there was an agent only this end is seen */
    if (own_forks > 0) {
        own_forks--;
        forks--;
    }
    resume();
    if (forks == 0)
        pthread_cond_broadcast(&ended);
    pthread_mutex_unlock(&lock);
}

void
agent_retry(void)
{
    if (!LOAD(threads_owed) || pthread_mutex_trylock(&lock) != 0)
        return;
    /* a former gil thread would be waited for, and may itself wait for the caller's GIL */
    if (!gil_lingers())
        resume();
    pthread_mutex_unlock(&lock);
}

static void
make_ended(void)
{
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&ended, &clock);
    pthread_condattr_destroy(&clock);
}

/*
 * Any fork, Python's or not, in the child: the threads are not here, the descriptors are the
 * parent's, a lock may be held by who is not here. Only what is allowed between fork and exec.
 */
static void
in_child(void)
{
    pthread_mutex_init(&lock, NULL);
    make_ended();
    forks = own_forks = 0;
    STORE(detaching, false);
    if (!prepared)
        return;
    child_fresh = true;
    child_restarts = running;
    STORE(hooks_active, false);
    STORE(running, false);
    paused = false;
    STORE(threads_owed, false);
    agent_set_hooks(LOOPTOP_HOOKS_DORMANT);
    set_socket("");
    io_abandon();
    gil_abandon();
    cancel_child();
    loops_child();
}

void
agent_child(void)
{
    if (!prepared || !child_fresh)
        return;
    child_fresh = false;
    loops_reset();
    table_reset();
    memory_reset();
    STORE(population_walking, false);
}

void
agent_child_restart(void)
{
    char reason[256];
    /* the parent's tasks are not the child's: those that go on here are taken in as they step */
    if (child_restarts)
        (void)start((struct agent_options){.readonly = readonly, .listen = listening}, false,
            reason, sizeof reason);
}

void
agent_load(void)
{
    make_ended();
    knows_forks = pthread_atfork(NULL, NULL, in_child) == 0;
}
