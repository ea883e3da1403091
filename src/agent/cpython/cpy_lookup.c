// SPDX-License-Identifier: MIT
/*
 * Lookups that run none of the application's code. An attribute is found where it is kept: in a
 * module's dict, in the dicts along a type's MRO, in an instance's dict or in its values beside the
 * keys of its class. No __getattribute__, no __getattr__, no descriptor is asked. In a dict only
 * exact strs are compared: a key of another kind could have an __eq__ of its own, and is passed by.
 */
#include "agent/cpython/cpy.h"

PyObject *
cpy_dict_scan(PyObject *dict, PyObject *key)
{
    PyObject *at, *value;
    Py_ssize_t i = 0;
    while (PyDict_Next(dict, &i, &at, &value))
        if (PyUnicode_CheckExact(at) && PyUnicode_Compare(at, key) == 0)
            return value;
    return NULL;
}

/* The first n bytes of a name, as a key; NULL without an exception. */
static PyObject *
key_of(const char *name, size_t n)
{
    PyObject *key = PyUnicode_FromStringAndSize(name, (Py_ssize_t)n);
    if (key == NULL)
        PyErr_Clear();
    return key;
}

PyObject *
cpy_dict_get(PyObject *dict, const char *name)
{
    PyObject *key = key_of(name, strlen(name));
    PyObject *value = key != NULL ? cpy_dict_find(dict, key) : NULL;
    Py_XDECREF(key);
    return value;
}

static PyObject *
find_in_type(const PyTypeObject *type, PyObject *key)
{
    PyObject *mro = type->tp_mro, *found = NULL;
    for (Py_ssize_t i = 0; mro != NULL && found == NULL && i < PyTuple_GET_SIZE(mro); i++) {
        PyObject *dict = cpy_type_dict((PyTypeObject *)PyTuple_GET_ITEM(mro, i));
        if (dict != NULL)
            found = cpy_dict_find(dict, key);
        Py_XDECREF(dict); /* the type has it, too */
    }
    return found;
}

PyObject *
cpy_type_get(const PyTypeObject *type, const char *name)
{
    PyObject *key = key_of(name, strlen(name));
    PyObject *value = key != NULL ? find_in_type(type, key) : NULL;
    Py_XDECREF(key);
    return value;
}

/* Keys that instances share are exact strs. */
static PyObject *
find_in_values(const PyTypeObject *type, const PyDictValues *values, PyObject *key)
{
    PyDictKeysObject *keys = ((const PyHeapTypeObject *)type)->ht_cached_keys;
    if (keys == NULL || keys->dk_kind == DICT_KEYS_GENERAL)
        return NULL;
    const PyDictUnicodeEntry *entries = DK_UNICODE_ENTRIES(keys);
    for (Py_ssize_t i = 0; i < keys->dk_nentries; i++)
        if (entries[i].me_key != NULL && PyUnicode_Compare(entries[i].me_key, key) == 0)
            return values->values[i];
    return NULL;
}

static PyObject *
find_in_instance(PyObject *object, PyObject *key)
{
    const PyTypeObject *type = Py_TYPE(object);
    PyObject *dict = NULL;
    if (type->tp_flags & Py_TPFLAGS_MANAGED_DICT) {
        const PyDictValues *values = cpyv_instance_values(object, &dict);
        if (values != NULL)
            return find_in_values(type, values, key);
    } else if (type->tp_dictoffset > 0) {
        dict = *(PyObject **)((char *)object + type->tp_dictoffset);
    }
    return dict != NULL ? cpy_dict_find(dict, key) : NULL;
}

PyObject *
cpy_instance_get(PyObject *object, const char *name)
{
    PyObject *key = key_of(name, strlen(name));
    PyObject *value = key != NULL ? find_in_instance(object, key) : NULL;
    Py_XDECREF(key);
    return value;
}

PyObject *
cpy_module(const char *name)
{
    /* not PyImport_GetModule, which waits for an import in progress: its thread may wait for us */
    PyObject *modules = PyImport_GetModuleDict();
    PyObject *module =
        modules != NULL && PyDict_Check(modules) ? cpy_dict_get(modules, name) : NULL;
    return Py_XNewRef(module);
}

static PyObject *
find_in(PyObject *object, PyObject *key)
{
    if (PyModule_Check(object)) {
        PyObject *dict = PyModule_GetDict(object);
        return dict != NULL ? cpy_dict_find(dict, key) : NULL;
    }
    if (PyType_Check(object))
        return find_in_type((PyTypeObject *)object, key);
    return find_in_instance(object, key);
}

PyObject *
cpy_lookup(const char *module, const char *path)
{
    PyObject *object = cpy_module(module);
    while (object != NULL && *path != '\0') {
        size_t n = strcspn(path, ".");
        PyObject *key = key_of(path, n);
        PyObject *next = key != NULL ? Py_XNewRef(find_in(object, key)) : NULL;
        Py_XDECREF(key);
        Py_DECREF(object);
        object = next;
        path += n + (path[n] == '.');
    }
    return object;
}

bool
cpy_is_from(PyObject *object, const char *module)
{
    PyObject *from = cpy_module(module);
    bool is = object != NULL && PyFunction_Check(object) && from != NULL && PyModule_Check(from) &&
              PyFunction_GET_GLOBALS(object) == PyModule_GetDict(from);
    Py_XDECREF(from);
    return is;
}

bool
cpy_finds_in_type(PyObject *object, const char *name)
{
    return Py_TYPE(object)->tp_getattro == PyObject_GenericGetAttr &&
           cpy_instance_get(object, name) == NULL;
}

bool
cpy_method_is_from(PyObject *object, const char *name, const char *module)
{
    return cpy_finds_in_type(object, name) &&
           cpy_is_from(cpy_type_get(Py_TYPE(object), name), module);
}

/* importlib marks a module that is still being executed with __spec__._initializing. */
bool
cpy_asyncio_ready(void)
{
    PyObject *task = cpy_lookup("_asyncio", "Task");
    PyObject *run = cpy_lookup("asyncio", "run");
    PyObject *initializing = cpy_lookup("asyncio", "__spec__._initializing");
    bool ready = task != NULL && run != NULL && (initializing == NULL || initializing == Py_False);
    Py_XDECREF(task);
    Py_XDECREF(run);
    Py_XDECREF(initializing);
    return ready;
}
