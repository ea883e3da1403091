// SPDX-License-Identifier: MIT
/*
 * Methods of Task that change what a record says: cancel, uncancel and set_name, patched where
 * they stand, in their PyMethodDef. One that is called in an unexpected way is left alone; what it
 * changes is seen at the end of the task's next step, but a name.
 */
#include "agent/hooks.h"

#include "agent/hooks_birth.h"
#include "agent/table.h"

static PyMethodDef *cancel_def, *uncancel_def, *set_name_def;
static PyCFunction stock_cancel, stock_uncancel, stock_set_name;

/* After anything that may change how many cancellations are asked for. */
static void
note_cancels(PyObject *task)
{
    if (!hooks_on() || !cpy_is_task(task))
        return;
    struct record *record = table_find(*cpy_task_pad(task), task);
    if (record != NULL)
        hooks_read_cancels(record, task);
}

typedef PyObject *(*fastcall)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);

static PyObject *
hook_cancel(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    PyObject *result = ((fastcall)(void (*)(void))stock_cancel)(self, args, n, names);
    note_cancels(self);
    return result;
}

static PyObject *
hook_uncancel(PyObject *self, PyObject *unused)
{
    PyObject *result = stock_uncancel(self, unused);
    note_cancels(self);
    return result;
}

static PyObject *
hook_set_name(PyObject *self, PyObject *name)
{
    PyObject *result = stock_set_name(self, name);
    if (result != NULL && hooks_on() && cpy_is_task(self)) {
        struct record *record = table_find(*cpy_task_pad(self), self);
        if (record != NULL) {
            STORE(record->name[0], '\0'); /* a number may follow a text */
            hooks_set_name(record, cpy_task_field(self, cpy_layout.name));
        }
    }
    return result;
}

/* The PyMethodDef of a method of Task, if it is called in the way expected. */
static PyMethodDef *
method_def(const char *name, int flags)
{
    PyObject *dict = cpy_type_dict(cpy_layout.task);
    PyObject *method = dict != NULL ? cpy_dict_get(dict, name) : NULL;
    PyMethodDef *def = NULL;
    if (method != NULL && Py_TYPE(method) == &PyMethodDescr_Type &&
        ((PyMethodDescrObject *)method)->d_method->ml_flags == flags)
        def = ((PyMethodDescrObject *)method)->d_method;
    Py_XDECREF(dict);
    return def;
}

static void
patch_method(
    const char *name, int flags, PyCFunction hook, PyMethodDef **ret_def, PyCFunction *ret_stock)
{
    *ret_def = method_def(name, flags);
    if (*ret_def == NULL)
        return;
    *ret_stock = (*ret_def)->ml_meth;
    (*ret_def)->ml_meth = hook;
}

void
hooks_methods_install(void)
{
    patch_method("cancel", METH_FASTCALL | METH_KEYWORDS, (PyCFunction)(void (*)(void))hook_cancel,
        &cancel_def, &stock_cancel);
    patch_method("uncancel", METH_NOARGS, hook_uncancel, &uncancel_def, &stock_uncancel);
    patch_method("set_name", METH_O, hook_set_name, &set_name_def, &stock_set_name);
}
