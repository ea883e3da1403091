// SPDX-License-Identifier: MIT
/*
 * What a loop object says of itself, learnt without running the application's code: a class derived
 * from asyncio's or uvloop's may override whatever it likes.
 */
#include "agent/loops.h"

#include "agent/gil_call.h"
#include "agent/uv.h"

/* What asyncio runs of a loop that is handed a callback from another thread, and where it is made.
 */
static const struct {
    const char *name, *module;
} run_by_probe[] = {{"__init__", "asyncio.unix_events"},
    {"call_soon_threadsafe", "asyncio.base_events"}, {"_check_closed", "asyncio.base_events"},
    {"_check_callback", "asyncio.base_events"}, {"_call_soon", "asyncio.base_events"},
    {"_add_callback", "asyncio.base_events"}, {"_run_once", "asyncio.base_events"},
    {"get_debug", "asyncio.base_events"}, {"_write_to_self", "asyncio.selector_events"},
    {"_process_events", "asyncio.selector_events"}, {"_read_from_self", "asyncio.selector_events"},
    {"_process_self_data", "asyncio.unix_events"}};

/* uvloop is asked (C code); of others the attribute is read where asyncio keeps it. */
static bool
says(const struct loop *loop, const char *method, const char *attribute)
{
    if (loop->is_uvloop)
        return uv_says(loop->object, method);
    PyObject *value = cpy_instance_get(loop->object, attribute);
    return value != NULL && value != Py_None && value != Py_False;
}

bool
loops_says_running(const struct loop *loop)
{
    return says(loop, "is_running", "_thread_id");
}

bool
loops_says_closed(const struct loop *loop)
{
    return says(loop, "is_closed", "_closed");
}

/* Whether callbacks are run by our _run or by asyncio's, not by one put in their place. */
static bool
runs_handles(void)
{
    PyObject *run = cpy_lookup("asyncio.events", "Handle._run");
    bool own =
        run != NULL && (Py_TYPE(run) == &PyMethodDescr_Type || cpy_is_from(run, "asyncio.events"));
    Py_XDECREF(run);
    return own;
}

/* Exactly asyncio's class, unpatched, on a selector of the standard library. */
static bool
is_stock(PyObject *object)
{
    PyObject *type = cpy_lookup("asyncio.unix_events", "_UnixSelectorEventLoop");
    bool stock = type == (PyObject *)Py_TYPE(object) && runs_handles();
    Py_XDECREF(type);
    for (size_t i = 0; stock && i < sizeof run_by_probe / sizeof run_by_probe[0]; i++)
        stock = cpy_method_is_from(object, run_by_probe[i].name, run_by_probe[i].module);
    PyObject *selector = stock ? cpy_instance_get(object, "_selector") : NULL;
    return selector != NULL && cpy_method_is_from(selector, "select", "selectors");
}

bool
loops_may_probe(const struct loop *loop, PyObject *object)
{
    return loop->is_uvloop || is_stock(object);
}

int
loops_hand_over(const struct loop *loop, PyObject *callback)
{
    const PyTypeObject *type = loop->is_uvloop ? uv_loop_type(loop->object) : Py_TYPE(loop->object);
    PyObject *method = cpy_type_get(type, "call_soon_threadsafe");
    PyObject *const args[] = {loop->object, callback};
    return method != NULL ? gil_call(method, args, 2) : -1;
}
