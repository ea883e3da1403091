// SPDX-License-Identifier: MIT
/*
 * asyncio.Handle._run in C: runs the callback in its context, counts it, and accounts a task's step
 * in one place. It is faster than the stock method, a Python function. Whatever is out of the
 * ordinary is left to the stock method itself, so that it behaves the same to the letter:
 *
 * - a callback that raised: the handle's context is replaced by an object whose run() puts the true
 *   one back and raises the exception again, and stock _run is called. Its own except clause then
 *   builds message and context, and the traceback has its frame;
 * - a tracer, profiler or monitoring tool at work: it sees the frames it would have seen.
 */
#include "agent/hooks.h"

#include <structmember.h>

#include "agent/loops.h"
#include "agent/ticks.h"

static PyObject *stock_run; /* strong: the Python function */
static Py_ssize_t callback_at, args_at, context_at;

#define SLOT(handle, offset) (*(PyObject **)((char *)(handle) + (offset)))

/* Stands in a handle's context for one call. */
struct raiser {
    PyObject_HEAD PyObject *exception; /* strong */
    PyObject *handle;                  /* strong; NULL once it has its own back */
    PyObject *context;                 /* strong: the handle's own */
    PyObject *args;                    /* strong: the handle's own, where they were replaced */
    bool args_replaced;
};

static void
raiser_restore(struct raiser *raiser)
{
    PyObject *handle = raiser->handle;
    if (handle == NULL)
        return;
    raiser->handle = NULL;
    PyObject *stub = SLOT(handle, context_at);
    SLOT(handle, context_at) = raiser->context;
    raiser->context = NULL;
    Py_XDECREF(stub);
    if (raiser->args_replaced) {
        PyObject *empty = SLOT(handle, args_at);
        SLOT(handle, args_at) = raiser->args;
        raiser->args = NULL;
        Py_XDECREF(empty);
    }
    Py_DECREF(handle);
}

static PyObject *
raiser_run(PyObject *self, PyObject *args, PyObject *kwargs)
{
    (void)args;
    (void)kwargs;
    struct raiser *raiser = (struct raiser *)self;
    PyObject *exception = raiser->exception;
    raiser->exception = NULL;
    Py_INCREF(self);
    /* from 3.12 on the exception handler runs in the handle's context: it must be the true one */
    raiser_restore(raiser);
    Py_DECREF(self);
    cpy_raise(exception);
    return NULL;
}

static void
raiser_dealloc(PyObject *self)
{
    struct raiser *raiser = (struct raiser *)self;
    Py_XDECREF(raiser->exception);
    Py_XDECREF(raiser->context);
    Py_XDECREF(raiser->args);
    PyObject_Free(self);
}

static PyMethodDef raiser_methods[] = {
    {"run", (PyCFunction)(void (*)(void))raiser_run, METH_VARARGS | METH_KEYWORDS, NULL}, {0}};
static PyTypeObject raiser_type = {PyVarObject_HEAD_INIT(NULL, 0).tp_name = "looptop.raiser",
    .tp_basicsize = sizeof(struct raiser), .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_methods = raiser_methods, .tp_dealloc = raiser_dealloc};

/* The callback raised: lets the stock method deal with it. */
static PyObject *
run_failed(PyObject *self)
{
    struct raiser *raiser = PyObject_New(struct raiser, &raiser_type);
    if (raiser == NULL)
        return NULL;
    PyObject *args = SLOT(self, args_at);
    raiser->exception = cpy_take_exception();
    raiser->handle = Py_NewRef(self);
    raiser->context = SLOT(self, context_at);
    raiser->args = NULL;
    SLOT(self, context_at) = Py_NewRef((PyObject *)raiser);
    /* a handle that cancelled itself has no args any more; stock unpacks them */
    raiser->args_replaced = args == NULL || args == Py_None;
    if (raiser->args_replaced) {
        raiser->args = args;
        SLOT(self, args_at) = PyTuple_New(0);
    }
    PyObject *result = PyObject_CallOneArg(stock_run, self);
    raiser_restore(raiser);
    Py_DECREF(raiser);
    return result;
}

/* The task a callback steps, NULL where it is something else; *ret_wakeup: by its wakeup. */
static PyObject *
task_of(PyObject *callback, Py_ssize_t args, bool *ret_wakeup)
{
    *ret_wakeup = false;
    if (Py_TYPE(callback) == cpy_layout.step && args == 0)
        return ((struct cpy_step *)callback)->task;
    if (PyCFunction_CheckExact(callback) &&
        ((PyCFunctionObject *)callback)->m_ml == cpy_layout.wakeup && args == 1) {
        *ret_wakeup = true;
        return PyCFunction_GET_SELF(callback);
    }
    return NULL;
}

static PyObject *
call(PyObject *callback, PyObject *args)
{
    bool wakeup;
    Py_ssize_t n = PyTuple_GET_SIZE(args);
    if (!hooks_on())
        return PyObject_Vectorcall(callback, &PyTuple_GET_ITEM(args, 0), (size_t)n, NULL);
    PyObject *task = task_of(callback, n, &wakeup);
    struct loop *loop = loops_current();
    if (loop != NULL)
        ADD(loop->callbacks, 1);
    if (task != NULL)
        return wakeup ? hooks_wakeup(task, PyTuple_GET_ITEM(args, 0))
                      : hooks_step(callback, NULL, NULL);
    loops_thread.callbacks++;
    PyObject *result = PyObject_Vectorcall(callback, &PyTuple_GET_ITEM(args, 0), (size_t)n, NULL);
    loops_thread.callbacks--;
    return result;
}

static PyObject *
hook_run(PyObject *self, PyObject *unused)
{
    (void)unused;
    PyObject *context = SLOT(self, context_at), *callback = SLOT(self, callback_at);
    PyObject *args = SLOT(self, args_at);
    if (context == NULL || callback == NULL || args == NULL || !PyContext_CheckExact(context) ||
        !PyTuple_CheckExact(args) || cpyv_monitored(PyThreadState_Get()))
        return PyObject_CallOneArg(stock_run, self);

    Py_INCREF(self);
    Py_INCREF(context);
    Py_INCREF(callback);
    Py_INCREF(args);
    PyObject *result = NULL;
    if (PyContext_Enter(context) == 0) {
        result = call(callback, args);
        if (PyContext_Exit(context) < 0)
            Py_CLEAR(result);
    }
    Py_DECREF(callback);
    Py_DECREF(args);
    if (result == NULL) {
        result = run_failed(self);
    } else {
        Py_DECREF(result);
        result = Py_NewRef(Py_None);
    }
    Py_DECREF(context);
    Py_DECREF(self);
    return result;
}

static PyMethodDef run_def = {"_run", hook_run, METH_NOARGS, NULL};

/* Offset of a slot of a class, -1 where it is no plain slot. */
static Py_ssize_t
slot_offset(PyTypeObject *type, const char *name)
{
    Py_ssize_t offset = -1;
    PyObject *member = cpy_type_get(type, name);
    if (member != NULL && Py_TYPE(member) == &PyMemberDescr_Type)
        offset = ((PyMemberDescrObject *)member)->d_member->offset;
    return offset;
}

/* Whether it is asyncio's own function, not one that somebody put in its place. */
static bool
is_stock(PyObject *function)
{
    return cpy_is_from(function, "asyncio.events") &&
           PyUnicode_CompareWithASCIIString(
               ((PyCodeObject *)PyFunction_GET_CODE(function))->co_qualname, "Handle._run") == 0;
}

void
hooks_handle_install(void)
{
    PyObject *type = cpy_lookup("asyncio.events", "Handle");
    PyObject *run = cpy_lookup("asyncio.events", "Handle._run");
    if (type != NULL && PyType_Check(type) && run != NULL && is_stock(run) &&
        PyType_Ready(&raiser_type) == 0) {
        PyTypeObject *handle = (PyTypeObject *)type;
        callback_at = slot_offset(handle, "_callback");
        args_at = slot_offset(handle, "_args");
        context_at = slot_offset(handle, "_context");
        if (callback_at > 0 && args_at > 0 && context_at > 0) {
            stock_run = Py_NewRef(run);
            if (hooks_replace_method(handle, &run_def) < 0)
                Py_CLEAR(stock_run);
        }
    }
    PyErr_Clear();
    Py_XDECREF(type);
    Py_XDECREF(run);
}
