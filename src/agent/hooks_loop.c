// SPDX-License-Identifier: MIT
/*
 * The boundary of an iteration: epoll's poll, whose PyMethodDef serves every selector loop of the
 * process, told from other users of epoll by the thread's running loop. What lies between a poll's
 * return and the next poll kept the loop from new events: that is the iteration's lag. And which
 * thread runs which loop: asyncio and uvloop alike say so through _set_running_loop.
 */
#include "agent/hooks.h"

#include <errno.h>
#include <stdio.h>

#include "agent/gil_release.h"
#include "agent/loops.h"
#include "agent/ticks.h"

typedef PyObject *(*fastcall)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);

static fastcall stock_poll;
static PyCFunction stock_set_running;

static PyObject *
hook_poll(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    struct loop *loop;
    if (hooks_on())
        gil_release_turn();
    /* a callback that polls for something of its own blocks the loop: it is no end of an iteration
     */
    if (!hooks_on() || (loop = loops_current()) == NULL || loop->is_uvloop ||
        loops_thread.current != 0 || loops_thread.callbacks != 0)
        return stock_poll(self, args, n, names);
    uint64_t began = loop->iteration_start;
    if (began != 0) {
        uint64_t span = ticks_now() - began;
        ADD(loop->busy, span);
        loops_lag(loop, ticks_to_ns(span));
    }
    STORE(loop->iteration_start, 0);
    STORE(loop->running, 0);
    ADD(loop->iterations, 1);
    PyObject *result = stock_poll(self, args, n, names);
    STORE(loop->iteration_start, ticks_now());
    return result;
}

static PyObject *
hook_set_running(PyObject *self, PyObject *loop)
{
    PyObject *result = stock_set_running(self, loop);
    if (result != NULL && hooks_on())
        loops_set_running(loop == Py_None ? NULL : loop);
    return result;
}

/* The PyMethodDef behind a builtin or a method, NULL when it is called in another way. */
static PyMethodDef *
def_of(PyObject *object, int flags)
{
    PyMethodDef *def = NULL;
    if (object != NULL && PyCFunction_CheckExact(object))
        def = ((PyCFunctionObject *)object)->m_ml;
    else if (object != NULL && Py_TYPE(object) == &PyMethodDescr_Type)
        def = ((PyMethodDescrObject *)object)->d_method;
    return def != NULL && def->ml_flags == flags ? def : NULL;
}

int
hooks_loop_install(char *reason, size_t size)
{
    PyObject *set_running = cpy_lookup("_asyncio", "_set_running_loop");
    PyObject *poll = cpy_lookup("select", "epoll.poll");
    PyMethodDef *set_def = def_of(set_running, METH_O);
    PyMethodDef *poll_def = def_of(poll, METH_FASTCALL | METH_KEYWORDS);
    if (set_def != NULL) {
        stock_set_running = set_def->ml_meth;
        set_def->ml_meth = hook_set_running;
    }
    /* without it loops are probed */
    if (poll_def != NULL) {
        stock_poll = (fastcall)(void (*)(void))poll_def->ml_meth;
        poll_def->ml_meth = (PyCFunction)(void (*)(void))hook_poll;
    }
    Py_XDECREF(set_running);
    Py_XDECREF(poll);
    if (set_def != NULL)
        return 0;
    (void)snprintf(reason, size, "_set_running_loop is called in an unknown way");
    return -ENOTSUP;
}
