// SPDX-License-Identifier: MIT
/*
 * Frames of threads, places in code, and small things that minors do differently.
 */
#include "agent/cpython/cpy.h"

#define UNWRAP_MAX 4

/* C wrappers of the standard library between two frames, by the name of their type. */
static const char *const wrappers[] = {
    "async_generator_asend", "async_generator_athrow", "coroutine_wrapper", "anext_awaitable"};

/*
 * All of them keep what they wrap as their first field: PyAsyncGenASend.ags_gen,
 * PyAsyncGenAThrow.agt_gen, PyCoroWrapper.cw_coroutine, anextawaitableobject.wrapped; the same on
 * 3.11 to 3.15 (Objects/genobject.c, Objects/iterobject.c).
 */
static PyObject *
unwrap_once(PyObject *awaited)
{
    static PyTypeObject *known[sizeof wrappers / sizeof wrappers[0]];
    const PyTypeObject *type = Py_TYPE(awaited);
    if (type->tp_flags & Py_TPFLAGS_HEAPTYPE)
        return awaited;
    for (size_t i = 0; i < sizeof wrappers / sizeof wrappers[0]; i++) {
        if (known[i] == NULL && strcmp(type->tp_name, wrappers[i]) == 0)
            known[i] = Py_TYPE(awaited);
        if (known[i] == type) {
            PyObject *inner = cpy_task_field(awaited, (ptrdiff_t)sizeof(PyObject));
            return inner != NULL ? inner : awaited;
        }
    }
    return awaited;
}

/* One may stand in another: anext() with a default has an asend inside. */
PyObject *
cpy_unwrap(PyObject *awaited)
{
    for (int depth = 0; depth < UNWRAP_MAX && !cpy_is_gen(awaited); depth++)
        awaited = unwrap_once(awaited);
    return awaited;
}

static bool
is_skipped(const PyObject *globals, PyObject *const *skip, size_t skips)
{
    static HOT_DATA const PyObject *kept; /* never one to be skipped: those live as long as we do */
    if (globals == kept)
        return false;
    for (size_t i = 0; i < skips; i++)
        if (skip[i] == globals)
            return true;
    kept = globals;
    return false;
}

HOT_TEXT int
cpy_caller(PyObject *const *skip, size_t skips, struct cpy_place *ret_place)
{
    _PyInterpreterFrame *frame = cpyv_top_frame(PyThreadState_Get());
    for (int depth = 0; frame != NULL && depth < CPY_CALLERS_MAX;
         depth++, frame = frame->previous) {
        PyCodeObject *code = cpyv_frame_code(frame);
        if (code == NULL || is_skipped(frame->f_globals, skip, skips))
            continue;
        *ret_place = (struct cpy_place){.code = code, .lasti = cpyv_frame_lasti(frame)};
        return 1;
    }
    return 0;
}

PyThreadState *
cpy_thread_next(struct cpy_threads *walk)
{
    PyThreadState *ts = walk->at != NULL ? PyThreadState_Next(walk->at)
                                         : PyInterpreterState_ThreadHead(PyInterpreterState_Get());
    /* a new one is put before the others and has the largest id */
    while (ts != NULL && walk->seen > 0 && ts->id >= walk->id)
        ts = PyThreadState_Next(ts);
    if (ts == NULL || walk->seen == CPY_THREAD_MAX)
        return NULL;
    walk->at = ts;
    walk->id = ts->id;
    walk->seen++;
    return ts;
}

void
cpy_thread_resume(struct cpy_threads *walk)
{
    walk->at = NULL;
}

_PyInterpreterFrame *const *
cpy_thread_frames(PyThreadState *ts, size_t *ret_count)
{
    static _PyInterpreterFrame *frames[CPY_FRAMES_MAX];
    size_t count = 0;
    _PyInterpreterFrame *frame = cpyv_top_frame(ts);
    for (; frame != NULL && count < CPY_FRAMES_MAX; frame = frame->previous)
        frames[count++] = frame;
    *ret_count = count;
    return frames;
}

uint32_t
cpy_line(const struct cpy_place *place)
{
    int line = place->lasti < 0 ? place->code->co_firstlineno
                                : PyCode_Addr2Line(place->code, place->lasti);
    return line > 0 ? (uint32_t)line : 0;
}

Py_ssize_t
cpy_allocated_blocks(void)
{
    PyObject *function = PySys_GetObject("getallocatedblocks");
    if (function == NULL || !PyCFunction_CheckExact(function) ||
        strcmp(((PyCFunctionObject *)function)->m_ml->ml_name, "getallocatedblocks") != 0)
        return -1;
    PyObject *result = PyObject_CallNoArgs(function);
    Py_ssize_t blocks = result != NULL ? PyLong_AsSsize_t(result) : -1;
    Py_XDECREF(result);
    PyErr_Clear();
    return blocks;
}

#if PY_VERSION_HEX >= 0x030C0000
PyObject *
cpy_take_exception(void)
{
    return PyErr_GetRaisedException();
}

void
cpy_raise(PyObject *exception)
{
    PyErr_SetRaisedException(exception);
}

PyObject *
cpy_type_dict(PyTypeObject *type)
{
    return PyType_GetDict(type);
}
#else
PyObject *
cpy_take_exception(void)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL)
        PyException_SetTraceback(value, traceback);
    Py_XDECREF(traceback);
    Py_XDECREF(type);
    return value;
}

void
cpy_raise(PyObject *exception)
{
    PyErr_Restore(
        Py_NewRef((PyObject *)Py_TYPE(exception)), exception, PyException_GetTraceback(exception));
}

PyObject *
cpy_type_dict(PyTypeObject *type)
{
    return Py_XNewRef(type->tp_dict);
}
#endif

size_t
cpy_int_bits(PyObject *value)
{
#if PY_VERSION_HEX >= 0x030C0000
    /* lv_tag: the number of digits above three bits of sign and flags; Py_SIZE() would assert */
    Py_ssize_t digits = (Py_ssize_t)(((PyLongObject *)value)->long_value.lv_tag >> 3);
#else
    Py_ssize_t digits = Py_SIZE(value);
#endif
    return (size_t)(digits < 0 ? -digits : digits) * PyLong_SHIFT;
}
