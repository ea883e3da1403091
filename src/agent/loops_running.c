// SPDX-License-Identifier: MIT
/* See loops.h. Which thread runs which loop, and what becomes of loops that no hook sees. */
#include "agent/loops.h"

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/gil.h"
#include "agent/paths.h"
#include "agent/ticks.h"
#include "agent/uv.h"

HOT_DATA uint32_t loops_epoch = 1;
__thread struct loops_thread loops_thread __attribute__((tls_model("initial-exec")));

static PyObject *get_running_loop; /* strong: _asyncio._get_running_loop */

int
loops_init(char *reason, size_t size)
{
    if (get_running_loop == NULL)
        get_running_loop = cpy_lookup("_asyncio", "_get_running_loop");
    loops[0].path_each_step = true; /* for the tasks of loops that found no entry */
    if (get_running_loop == NULL || !PyCFunction_CheckExact(get_running_loop)) {
        Py_CLEAR(get_running_loop);
        (void)snprintf(reason, size, "_asyncio has no _get_running_loop");
        return -ENOTSUP;
    }
    return 0;
}

void
loops_exit(void)
{
    Py_CLEAR(get_running_loop);
}

/* What threading has for the calling thread; borrowed, or NULL. */
static PyObject *
threading_thread(PyObject *active)
{
    PyObject *key, *thread;
    unsigned long own = PyThread_get_thread_ident();
    for (Py_ssize_t at = 0; PyDict_Next(active, &at, &key, &thread);)
        if (PyLong_CheckExact(key) && PyLong_AsUnsignedLong(key) == own)
            return thread;
    return NULL;
}

/* The thread's name as threading knows it. */
static bool
threading_name(char *out, size_t size)
{
    PyObject *active = cpy_lookup("threading", "_active");
    PyObject *thread =
        active != NULL && PyDict_CheckExact(active) ? threading_thread(active) : NULL;
    PyObject *name = thread != NULL ? cpy_instance_get(thread, "_name") : NULL;
    bool known = name != NULL && PyUnicode_Check(name) && PyUnicode_GET_LENGTH(name) > 0;
    if (known)
        (void)paths_unicode(name, out, size);
    Py_XDECREF(active);
    PyErr_Clear();
    return known;
}

/* … or as the kernel does; Python names the main thread after the program. */
static void
name_thread(struct loop *loop)
{
    STORE(loop->tid, (pid_t)syscall(SYS_gettid));
    char name[sizeof loop->thread] = "MainThread";
    if (!threading_name(name, sizeof name) && loop->tid != getpid() &&
        pthread_getname_np(pthread_self(), name, sizeof name) != 0)
        (void)snprintf(name, sizeof name, "thread");
    atomic_text_set(loop->thread, sizeof loop->thread, name);
}

/* What the calling thread ran before a time that the hooks have not seen is at rest already, and
 * its entry may be another's. */
static void
stop_running(void)
{
    struct loop *before = loops_thread.epoch == loops_epoch ? loops_thread.loop : NULL;
    if (loops_thread.epoch != loops_epoch)
        loops_thread.current = 0; /* the record of a time before */
    loops_thread.epoch = loops_epoch;
    loops_thread.loop = NULL;
    if (before == NULL)
        return;
    uv_loop_stopped(before);
    STORE(before->iteration_start, 0);
    STORE(before->running, 0);
    if (before->object != NULL) {
        before->since = ticks_now();
        STORE(before->state, LOOP_STOPPED);
    }
}

void
loops_set_running(PyObject *object)
{
    stop_running();
    if (object == NULL)
        return;
    struct loop *loop = loops_of(object);
    if (loop == &loops[0])
        return;
    name_thread(loop);
    loop->since = ticks_now();
    STORE(loop->state, LOOP_RUNNING);
    loops_thread.loop = loop;
    if (loop->is_uvloop)
        uv_loop_started(loop);
}

struct loop *
loops_current_slow(void)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *object = get_running_loop != NULL ? PyObject_CallNoArgs(get_running_loop) : NULL;
    loops_set_running(object != NULL && object != Py_None ? object : NULL);
    Py_XDECREF(object);
    PyErr_Clear();
    PyErr_Restore(type, value, traceback);
    return loops_thread.loop;
}

void
loops_reset(void)
{
    for (uint32_t i = 1; i < loops_high; i++) {
        struct loop *loop = &loops[i];
        if (loop->id == 0)
            continue;
        uv_loop_stopped(loop);
        if (loop->object != NULL)
            STORE(loop->state, LOOP_STOPPED);
        STORE(loop->running, 0);
        STORE(loop->iteration_start, 0);
        STORE(loop->probe_sent, 0);
    }
    loops_epoch++;
    loops_thread.loop = NULL;
}

static bool
is_stopped(struct loop *loop)
{
    return loop->id != 0 && loop->state == LOOP_STOPPED && loops_alive(loop);
}

void
loops_find_running(void)
{
    for (uint32_t i = 1; i < loops_high; i++) {
        if (is_stopped(&loops[i]) && loops_says_running(&loops[i]))
            STORE(loops[i].state, LOOP_RUNNING);
        (void)gil_give_way();
    }
}

void
loops_find_in_threads(void)
{
    struct cpy_threads walk = {0};
    PyThreadState *thread;
    while ((thread = cpy_thread_next(&walk)) != NULL) {
        PyObject *loop = cpyv_running_loop(thread);
        if (loop != NULL)
            (void)loops_of(loop);
        if (gil_give_way())
            cpy_thread_resume(&walk);
    }
}

void
loops_find_closed(void)
{
    for (uint32_t i = 1; i < loops_high; i++) {
        if (is_stopped(&loops[i]) && loops_says_closed(&loops[i]))
            STORE(loops[i].state, LOOP_CLOSED);
        (void)gil_give_way();
    }
}

bool
loops_have_stopped(void)
{
    for (uint32_t i = 1; i < LOAD_ACQUIRE(loops_high); i++)
        if (LOAD(loops[i].id) != 0 && LOAD(loops[i].state) == LOOP_STOPPED)
            return true;
    return false;
}
