// SPDX-License-Identifier: MIT
/* See gil_release.h. */
#include "agent/gil_release.h"

#include "agent/gil_hold.h"

#define ASK_PERIODS 64 /* a loop that was handed the callback may be blocked, or closed since */

size_t gil_release_count;
static PyObject *waiting; /* strong: a list, or NULL */
static bool pending;      /* the main thread is to come */
static unsigned periods;  /* since the first of them began to wait; atomic */

void
gil_release_drop(void)
{
    if (gil_hold_is_own())
        return;
    PyObject *list = waiting;
    waiting = NULL;
    STORE(periods, 0);
    STORE(gil_release_count, 0);
    Py_XDECREF(list);
}

/* In the main thread, between two of its instructions. */
static int
main_turn(void *unused)
{
    (void)unused;
    pending = false;
    gil_release_drop();
    return 0;
}

/* Lets the last reference wait. Leaves the exception in flight as it is. */
static void
keep(PyObject *object)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (waiting == NULL && (waiting = PyList_New(0)) != NULL)
        PyObject_GC_UnTrack(waiting); /* not the application's to see */
    /* without memory it is kept: a leak is better than a foreign finalizer here */
    if (waiting != NULL && PyList_Append(waiting, object) == 0) {
        Py_DECREF(object);
        ADD(gil_release_count, 1);
    }
    PyErr_Restore(type, value, traceback);
    if (!pending)
        pending = Py_AddPendingCall(main_turn, NULL) == 0;
}

void
gil_release(PyObject *object)
{
    if (object != NULL && Py_REFCNT(object) == 1)
        keep(object);
    else
        Py_XDECREF(object);
}

bool
gil_release_due(void)
{
    if (LOAD(gil_release_count) == 0)
        return false;
    unsigned before = LOAD(periods);
    STORE(periods, before + 1);
    return before % ASK_PERIODS == 0;
}

/* In the loop's thread. */
static PyObject *
loop_turn(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    gil_release_drop();
    Py_RETURN_NONE;
}

static PyMethodDef loop_turn_def = {"looptop_release", loop_turn, METH_NOARGS, NULL};

PyObject *
gil_release_callback(void)
{
    PyObject *callback = PyCFunction_New(&loop_turn_def, NULL);
    PyErr_Clear();
    return callback;
}

void
gil_release_child(void)
{
    pending = false;
}
