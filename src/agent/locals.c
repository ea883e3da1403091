// SPDX-License-Identifier: MIT
/*
 * See locals.h. Texts are quoted as Python would write them, cut at LOOPTOP_VALUE_MAX characters;
 * the repr of an int or a float is the interpreter's own C code, called for exact types only.
 */
#include "agent/locals.h"

#include <stdio.h>

#include "agent/paths.h"
#include "common/utf8.h"
#include "looptop/limits.h"

#define TEXT_SIZE (LOOPTOP_VALUE_MAX * 10 + 16) /* each character as \U0010ffff, and quotes */
#define INT_BITS_MAX 256                        /* larger ints take too long to write in decimals */

/* Appends one character as it stands in a Python literal. */
static size_t
quote_char(char *out, uint32_t c, bool bytes)
{
    if (c == '\\' || c == '\'')
        return (size_t)sprintf(out, "\\%c", (char)c);
    if (c == '\n')
        return (size_t)sprintf(out, "\\n");
    if (c < 0x20 || c == 0x7F || (bytes && c > 0x7E))
        return (size_t)sprintf(out, "\\x%02x", c);
    if (c < 0x80)
        return (size_t)sprintf(out, "%c", (char)c);
    return utf8_encode(c, out);
}

static void
write_str(struct json_out *out, PyObject *value)
{
    char text[TEXT_SIZE];
    size_t n = 0;
    Py_ssize_t length = PyUnicode_GET_LENGTH(value);
    text[n++] = '\'';
    for (Py_ssize_t i = 0; i < length && i < LOOPTOP_VALUE_MAX; i++)
        n += quote_char(text + n, PyUnicode_READ_CHAR(value, i), false);
    if (length > LOOPTOP_VALUE_MAX)
        n += utf8_encode(0x2026, text + n);
    else
        text[n++] = '\'';
    json_out_key(out, "value");
    json_out_string_n(out, text, n);
    if (length > LOOPTOP_VALUE_MAX)
        json_out_kv_int(out, "length", length);
}

static void
write_bytes(struct json_out *out, PyObject *value)
{
    char text[TEXT_SIZE];
    size_t n = 0;
    Py_ssize_t length = PyBytes_GET_SIZE(value);
    text[n++] = 'b';
    text[n++] = '\'';
    for (Py_ssize_t i = 0; i < length && i < LOOPTOP_VALUE_MAX; i++)
        n += quote_char(text + n, (unsigned char)PyBytes_AS_STRING(value)[i], true);
    if (length > LOOPTOP_VALUE_MAX)
        n += utf8_encode(0x2026, text + n);
    else
        text[n++] = '\'';
    json_out_key(out, "value");
    json_out_string_n(out, text, n);
    if (length > LOOPTOP_VALUE_MAX)
        json_out_kv_int(out, "length", length);
}

static void
write_int(struct json_out *out, PyObject *value)
{
    char text[LOOPTOP_VALUE_MAX + 16];
    int overflow;
    long long small = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow == 0) {
        (void)snprintf(text, sizeof text, "%lld", small);
        json_out_kv_string(out, "value", text);
        return;
    }
    if (cpy_int_bits(value) > INT_BITS_MAX)
        return;
    PyObject *decimal = PyLong_Type.tp_repr(value);
    if (decimal != NULL) {
        (void)paths_unicode(decimal, text, sizeof text);
        json_out_kv_string(out, "value", text);
    }
    Py_XDECREF(decimal);
    PyErr_Clear();
}

static void
write_float(struct json_out *out, PyObject *value)
{
    char *text = PyOS_double_to_string(PyFloat_AS_DOUBLE(value), 'r', 0, Py_DTSF_ADD_DOT_0, NULL);
    if (text != NULL)
        json_out_kv_string(out, "value", text);
    PyMem_Free(text);
    PyErr_Clear();
}

/* Elements of an exact container, -1 of anything else. */
static Py_ssize_t
length_of(PyObject *value)
{
    if (PyList_CheckExact(value))
        return PyList_GET_SIZE(value);
    if (PyTuple_CheckExact(value))
        return PyTuple_GET_SIZE(value);
    if (PyDict_CheckExact(value))
        return PyDict_GET_SIZE(value);
    if (PyAnySet_CheckExact(value))
        return PySet_GET_SIZE(value);
    /* any class can be called so: the name only tells when to compare with the one there is */
    static PyObject *deque; /* strong */
    if (strcmp(Py_TYPE(value)->tp_name, "collections.deque") != 0)
        return -1;
    if (deque == NULL)
        deque = cpy_lookup("_collections", "deque");
    return (PyObject *)Py_TYPE(value) == deque ? Py_SIZE(value) : -1;
}

static void
write_value(struct json_out *out, PyObject *value)
{
    if (value == Py_None)
        json_out_kv_string(out, "value", "None");
    else if (PyBool_Check(value))
        json_out_kv_string(out, "value", value == Py_True ? "True" : "False");
    else if (PyUnicode_CheckExact(value))
        write_str(out, value);
    else if (PyBytes_CheckExact(value))
        write_bytes(out, value);
    else if (PyLong_CheckExact(value))
        write_int(out, value);
    else if (PyFloat_CheckExact(value))
        write_float(out, value);
    else if (length_of(value) >= 0)
        json_out_kv_int(out, "length", length_of(value));
}

static void
write_local(struct json_out *out, PyObject *name, PyObject *value)
{
    char text[256];
    const char *type = Py_TYPE(value)->tp_name, *dot = strrchr(type, '.');
    size_t n = paths_unicode(name, text, sizeof text);
    json_out_object(out);
    json_out_key(out, "name");
    json_out_string_n(out, text, n);
    json_out_kv_string(out, "type", dot != NULL ? dot + 1 : type);
    write_value(out, value);
    json_out_object_end(out);
}

/* The value of variable i, out of its cell where it stands in one; NULL when unset. */
static PyObject *
variable(_PyInterpreterFrame *frame, const PyCodeObject *code, int i)
{
    unsigned char kind = (unsigned char)PyBytes_AS_STRING(code->co_localspluskinds)[i];
    PyObject *value = cpyv_frame_local(frame, i);
    if (value != NULL && (kind & (CPY_FAST_CELL | CPY_FAST_FREE)) && PyCell_Check(value))
        value = ((PyCellObject *)value)->ob_ref;
    return value;
}

void
locals_write(struct json_out *out, _PyInterpreterFrame *frame, bool show)
{
    const PyCodeObject *code = cpyv_frame_code(frame);
    unsigned shown = 0, more = 0;
    json_out_key(out, "locals");
    json_out_array(out);
    for (int i = 0; code != NULL && i < code->co_nlocalsplus; i++) {
        PyObject *value = variable(frame, code, i);
        if (value == NULL)
            continue;
        if (!show || shown == LOOPTOP_LOCALS_MAX) {
            more++;
            continue;
        }
        write_local(out, PyTuple_GET_ITEM(code->co_localsplusnames, i), value);
        shown++;
    }
    json_out_array_end(out);
    json_out_kv_uint(out, "more_locals", more);
}
