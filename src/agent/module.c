// SPDX-License-Identifier: MIT
/* The Python module `_agent`: start and stop, for the package `looptop`. */
#include "agent/cpython/cpy.h"

#include <errno.h>

#include "agent/agent.h"
#include "agent/callbacks.h"
#include "agent/elder.h"

static PyObject *
module_stop(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    char reason[256];
    Py_BEGIN_ALLOW_THREADS;
    if (elder_is_there())
        (void)elder_start(LOOPTOP_AGENT_STOP, reason, sizeof reason);
    agent_stop();
    Py_END_ALLOW_THREADS;
    Py_RETURN_NONE;
}

/* What the interpreter has, but most programs never import: the gil thread, which works with them,
 * imports nothing. */
static void
import_own(void)
{
    static const char *const names[] = {"posix", "atexit", "_signal", "_posixsubprocess", "gc"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        Py_XDECREF(PyImport_ImportModuleLevel(names[i], NULL, NULL, NULL, 0));
        PyErr_Clear();
    }
}

/* 0, or an error with its reason. GIL held, and given back meanwhile. */
static int
start_elder(bool readonly, char *reason, size_t size)
{
    unsigned flags = LOOPTOP_AGENT_LISTEN | (readonly ? LOOPTOP_AGENT_READONLY : 0u);
    int rc;
    Py_BEGIN_ALLOW_THREADS;
    rc = elder_start(flags, reason, size);
    Py_END_ALLOW_THREADS;
    return rc;
}

static PyObject *
module_start(PyObject *self, PyObject *args)
{
    (void)self;
    char reason[256] = "";
    int readonly = 0, rc;
    if (!PyArg_ParseTuple(args, "|p:start", &readonly))
        return NULL;
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
        PyErr_SetString(PyExc_RuntimeError, "looptop does not work in a subinterpreter");
        return NULL;
    }
    if (elder_is_there()) {
        if (start_elder(readonly != 0, reason, sizeof reason) == 0)
            Py_RETURN_NONE;
        PyErr_SetString(PyExc_RuntimeError, reason);
        return NULL;
    }
    import_own();
    if (callbacks_register(reason, sizeof reason) < 0) {
        PyErr_SetString(PyExc_RuntimeError, reason);
        return NULL;
    }
    agent_child();
    Py_BEGIN_ALLOW_THREADS;
    rc = agent_start(
        (struct agent_options){.readonly = readonly != 0, .listen = true}, reason, sizeof reason);
    Py_END_ALLOW_THREADS;
    if (rc < 0 && rc != -EALREADY) {
        PyErr_SetString(PyExc_RuntimeError, reason);
        return NULL;
    }
    if (cpy_asyncio_ready())
        callbacks_install_now();
    if (agent_hooks() == LOOPTOP_HOOKS_REFUSED) {
        char message[LOOPTOP_AGENT_TEXT];
        PyErr_SetString(PyExc_RuntimeError, agent_message(message) ? message : "refused");
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
module_imported(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    if (agent_running() && agent_hooks() == LOOPTOP_HOOKS_WAITING)
        callbacks_install_now();
    Py_RETURN_NONE;
}

static PyObject *
module_socket(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    char path[LOOPTOP_AGENT_TEXT];
    /* whoever starts it then tries it again */
    if (!elder_socket(path) && (!agent_socket(path) || agent_owes_threads()))
        Py_RETURN_NONE;
    return PyUnicode_DecodeFSDefault(path);
}

static PyMethodDef methods[] = {
    {"start", module_start, METH_VARARGS,
        "start(readonly=False)\n\nStart the agent; returns when its hooks are in, or at once where "
        "asyncio is not imported."},
    {"stop", module_stop, METH_NOARGS, "Stop the agent; its hooks become inactive."},
    {"asyncio_imported", module_imported, METH_NOARGS, "asyncio has just been imported."},
    {"socket_path", module_socket, METH_NOARGS,
        "Where the agent listens, or None: it does not, or has no threads to do so."},
    {0}};

static int
module_exec(PyObject *module)
{
    (void)module;
    if (PyInterpreterState_Get() == PyInterpreterState_Main()) {
        elder_look();
        return 0;
    }
    PyErr_SetString(PyExc_ImportError, "looptop does not work in a subinterpreter");
    return -1;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, __extension__(void *) module_exec},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
    {0, NULL}};

static struct PyModuleDef module_def = {PyModuleDef_HEAD_INIT, .m_name = "_agent",
    .m_doc = "looptop's agent.", .m_size = 0, .m_methods = methods, .m_slots = slots};

PyMODINIT_FUNC PyInit__agent(void);

PyMODINIT_FUNC
PyInit__agent(void)
{
    return PyModuleDef_Init(&module_def);
}
