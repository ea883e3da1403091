// SPDX-License-Identifier: MIT
/* See hooks.h. */
#include "agent/hooks.h"

#include <errno.h>

#include "agent/loops.h"
#include "agent/paths.h"

HOT_DATA bool hooks_active;
HOT_DATA PyInterpreterState *hooks_interp;

static PyInterpreterState *const unknown;
HOT_DATA PyInterpreterState *const *hooks_newest = &unknown;

static bool installed;

bool
hooks_in_main(void)
{
    return PyInterpreterState_Get() == hooks_interp;
}

int
hooks_replace_method(PyTypeObject *type, PyMethodDef *def)
{
    if (Py_TYPE(type) != &PyType_Type)
        return -ENOTSUP;
    PyObject *descr = PyDescr_NewMethod(type, def);
    int rc = descr != NULL ? PyObject_SetAttrString((PyObject *)type, def->ml_name, descr) : -1;
    Py_XDECREF(descr);
    PyErr_Clear();
    return rc < 0 ? -ENOTSUP : 0;
}

int
hooks_measure(void (*pause)(void), char *reason, size_t size)
{
    return installed ? 0 : cpy_calibrate(pause, reason, size);
}

int
hooks_install(char *reason, size_t size)
{
    if (installed)
        return 0;
    if (loops_init(reason, size) < 0 || paths_init() < 0)
        return -ENOTSUP;
    hooks_interp = PyInterpreterState_Get();
    if (cpy_newest_interpreter() != NULL)
        hooks_newest = cpy_newest_interpreter();
    if (hooks_loop_install(reason, size) < 0 || hooks_task_install(reason, size) < 0)
        return -ENOTSUP;
    hooks_handle_install();
    hooks_wake_install();
    installed = true;
    return 0;
}

void
hooks_switch(bool active)
{
    STORE(hooks_active, active && installed);
}
