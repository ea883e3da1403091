// SPDX-License-Identifier: MIT
/* See gil_call.h. */
#include "agent/gil_call.h"

#include "agent/atomic.h"
#include "agent/gil_release.h"
#include "agent/ticks.h"
#include "agent/uv.h"

#define ARGS_MAX 4 /* of the callback */

/* What asyncio's call_soon_threadsafe runs of the loop, and where it is made. */
static const struct {
    const char *name, *module;
} run_by_call[] = {{"call_soon_threadsafe", "asyncio.base_events"},
    {"_check_closed", "asyncio.base_events"}, {"_check_callback", "asyncio.base_events"},
    {"_call_soon", "asyncio.base_events"}, {"get_debug", "asyncio.base_events"},
    {"_write_to_self", "asyncio.selector_events"}};

static uint64_t calling_since; /* atomic, ticks */
static bool holding;           /* the interpreter takes it that a collection is under way: ours */

uint64_t
gil_calling_ns(void)
{
    uint64_t since = LOAD(calling_since);
    return since != 0 ? ticks_since_ns(since) : 0;
}

static PyObject *
call(PyObject *function, PyObject *const *args, size_t count)
{
    STORE(calling_since, ticks_now());
    PyObject *result = PyObject_Vectorcall(function, args, count, NULL);
    STORE(calling_since, 0);
    return result;
}

int
gil_call(PyObject *function, PyObject *const *args, size_t count)
{
    PyObject *handle = call(function, args, count);
    Py_XDECREF(handle); /* what it refers to is ours, or held by the caller */
    return handle != NULL ? 0 : -1;
}

/* uvloop's method calls none that could be replaced. */
static bool
is_stock_uvloop(PyObject *loop)
{
    static const char name[] = "call_soon_threadsafe";
    const PyTypeObject *type = uv_loop_type(loop);
    return type != NULL && cpy_finds_in_type(loop, name) &&
           cpy_type_get(Py_TYPE(loop), name) == cpy_type_get(type, name);
}

/* Whether handing it a callback runs asyncio's or uvloop's code alone: neither its class nor the
 * application, on the object itself, has put anything in the way. */
static bool
is_stock(PyObject *loop)
{
    bool stock = true;
    for (size_t i = 0; stock && i < sizeof run_by_call / sizeof run_by_call[0]; i++)
        stock = cpy_method_is_from(loop, run_by_call[i].name, run_by_call[i].module);
    return stock || is_stock_uvloop(loop);
}

/* One that was bound for a call: nobody else has seen it, though perhaps what it is made of. */
static void
release_method(PyObject *method)
{
    if (!PyMethod_Check(method) || Py_REFCNT(method) > 1) {
        gil_release(method);
        return;
    }
    PyObject *function = Py_NewRef(PyMethod_GET_FUNCTION(method));
    PyObject *self = Py_NewRef(PyMethod_GET_SELF(method));
    Py_DECREF(method);
    gil_release(function);
    gil_release(self);
}

int
gil_call_soon(PyObject *loop, PyObject *callback, PyObject *const *args, size_t count)
{
    PyObject *all[1 + ARGS_MAX] = {callback};
    for (size_t i = 0; i < count && i < ARGS_MAX; i++)
        all[1 + i] = args[i];
    /* the application's own code may last; as long as it does others are to collect */
    bool stock = is_stock(loop);
    if (!stock)
        gil_collect_allow();
    STORE(calling_since, ticks_now());
    PyObject *method = PyObject_GetAttrString(loop, "call_soon_threadsafe");
    STORE(calling_since, 0);
    PyObject *result = method != NULL ? call(method, all, 1 + count) : NULL;
    int rc = result != NULL ? 0 : -1;
    /* a handle's turn may have come already: then it is ours alone, and its arguments with it */
    gil_release(result);
    if (stock) {
        Py_XDECREF(method); /* the loop itself is its task's, too */
        return rc;
    }
    if (method != NULL)
        release_method(method);
    gil_collect_hold();
    return rc;
}

void
gil_collect_hold(void)
{
    holding = cpy_gc_hold();
}

void
gil_collect_allow(void)
{
    cpy_gc_release(holding);
    holding = false;
}

void
gil_call_child(void)
{
    gil_release_child();
    gil_collect_allow();
    STORE(calling_since, 0);
}
