// SPDX-License-Identifier: MIT
/*
 * Waking: whoever makes a task ready does it through the loop's call_soon, once before each step.
 * The stamp set there tells READY from WAIT. asyncio's method is replaced by one in C that stamps
 * and calls it; uvloop's is patched where it stands: a method descriptor's PyMethodDef up to 0.17,
 * the vectorcall pointer of a Cython function later.
 */
#include "agent/hooks.h"

typedef PyObject *(*fastcall)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);

static PyObject *stock_call_soon; /* strong: asyncio's, or what function stood there */
static union {
    PyCFunctionWithKeywords keywords;
    fastcall fast;
    vectorcallfunc vector;
} stock_uvloop HOT_DATA;
static bool uvloop_done;

#define SMALL_CALL 8

/* Stamps, and calls the replaced method with self before the arguments. */
static PyObject *
hook_call_soon(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    PyObject *small[SMALL_CALL + 2], **stack = small;
    size_t all = (size_t)n + (names != NULL ? (size_t)PyTuple_GET_SIZE(names) : 0);

    if (n > 0 && hooks_on())
        hooks_woken(args[0]);
    if (all > SMALL_CALL) {
        stack = PyMem_Malloc((all + 2) * sizeof *stack);
        if (stack == NULL)
            return PyErr_NoMemory();
    }
    stack[0] = NULL; /* the callee may use it: PY_VECTORCALL_ARGUMENTS_OFFSET */
    stack[1] = self;
    memcpy(stack + 2, args, all * sizeof *stack);
    PyObject *result = PyObject_Vectorcall(
        stock_call_soon, stack + 1, (size_t)(n + 1) | PY_VECTORCALL_ARGUMENTS_OFFSET, names);
    if (stack != small)
        PyMem_Free(stack);
    return result;
}

static PyMethodDef call_soon_def = {"call_soon", (PyCFunction)(void (*)(void))hook_call_soon,
    METH_FASTCALL | METH_KEYWORDS,
    "call_soon($self, /, callback, *args, context=None)\n--\n\n"
    "Arrange for a callback to be called as soon as possible."};

void
hooks_wake_install(void)
{
    PyObject *type = cpy_lookup("asyncio.base_events", "BaseEventLoop");
    stock_call_soon = cpy_lookup("asyncio.base_events", "BaseEventLoop.call_soon");
    /* an object of another kind would be asked, as a descriptor, what to call */
    if (type == NULL || !PyType_Check(type) || stock_call_soon == NULL ||
        !PyFunction_Check(stock_call_soon) ||
        hooks_replace_method((PyTypeObject *)type, &call_soon_def) < 0)
        Py_CLEAR(stock_call_soon);
    Py_XDECREF(type);
    PyErr_Clear();
}

static HOT_TEXT PyObject *
uvloop_keywords(PyObject *self, PyObject *args, PyObject *kwargs)
{
    if (PyTuple_GET_SIZE(args) > 0 && hooks_on())
        hooks_woken(PyTuple_GET_ITEM(args, 0));
    return stock_uvloop.keywords(self, args, kwargs);
}

static HOT_TEXT PyObject *
uvloop_fast(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    if (n > 0 && hooks_on())
        hooks_woken(args[0]);
    return stock_uvloop.fast(self, args, n, names);
}

static HOT_TEXT PyObject *
uvloop_vector(PyObject *function, PyObject *const *args, size_t n, PyObject *names)
{
    /* args[0] is the loop */
    if (PyVectorcall_NARGS(n) > 1 && hooks_on())
        hooks_woken(args[1]);
    return stock_uvloop.vector(function, args, n, names);
}

static void
patch_def(PyMethodDef *def)
{
    if (def->ml_flags == (METH_VARARGS | METH_KEYWORDS)) {
        stock_uvloop.keywords = (PyCFunctionWithKeywords)(void (*)(void))def->ml_meth;
        def->ml_meth = (PyCFunction)(void (*)(void))uvloop_keywords;
    } else if (def->ml_flags == (METH_FASTCALL | METH_KEYWORDS)) {
        stock_uvloop.fast = (fastcall)(void (*)(void))def->ml_meth;
        def->ml_meth = (PyCFunction)(void (*)(void))uvloop_fast;
    }
}

/* Cython's functions keep their vectorcall pointer at tp_vectorcall_offset, as the protocol says.
 */
static void
patch_vector(PyObject *function)
{
    Py_ssize_t offset = Py_TYPE(function)->tp_vectorcall_offset;
    if (!PyType_HasFeature(Py_TYPE(function), Py_TPFLAGS_HAVE_VECTORCALL) || offset <= 0 ||
        strstr(Py_TYPE(function)->tp_name, "cython_function_or_method") == NULL)
        return;
    vectorcallfunc *slot = (vectorcallfunc *)((char *)function + offset);
    if (*slot == NULL)
        return;
    stock_uvloop.vector = *slot;
    *slot = uvloop_vector;
}

void
hooks_wake_uvloop(PyTypeObject *type)
{
    if (uvloop_done)
        return;
    uvloop_done = true;
    PyObject *method = cpy_type_get(type, "call_soon");
    if (method != NULL && Py_TYPE(method) == &PyMethodDescr_Type)
        patch_def(((PyMethodDescrObject *)method)->d_method);
    else if (method != NULL)
        patch_vector(method);
}
