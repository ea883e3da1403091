// SPDX-License-Identifier: MIT
/*
 * The Python module `_agent`: start, stop, and what has to happen around fork, exec and the end of
 * the interpreter. Everything the application could see of it is a few callbacks in C in the lists
 * meant for them (atexit, os.register_at_fork) and a few patched PyMethodDefs (os.execv and
 * os.execve, os._exit, signal.raise_signal), so that no socket is left behind.
 */
#include "agent/cpython/cpy.h"

#include <errno.h>
#include <signal.h>

#include "agent/agent.h"
#include "agent/gil.h"
#include "agent/hooks.h"
#include "agent/report.h"

static bool registered;

static PyObject *
module_stop(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    Py_BEGIN_ALLOW_THREADS;
    agent_stop();
    Py_END_ALLOW_THREADS;
    Py_RETURN_NONE;
}

static PyObject *
before_fork(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    Py_BEGIN_ALLOW_THREADS;
    agent_pause();
    Py_END_ALLOW_THREADS;
    Py_RETURN_NONE;
}

static PyObject *
after_fork_parent(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    agent_resume();
    Py_RETURN_NONE;
}

/* The GIL is given back so that the hooks are in before the child goes on. */
static void
install_now(void)
{
    Py_BEGIN_ALLOW_THREADS;
    gil_install_now();
    Py_END_ALLOW_THREADS;
}

static PyObject *
after_fork_child(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    agent_child();
    if (agent_running())
        install_now();
    Py_RETURN_NONE;
}

static PyMethodDef fork_defs[] = {{"looptop_before_fork", before_fork, METH_NOARGS, NULL},
    {"looptop_after_fork_parent", after_fork_parent, METH_NOARGS, NULL},
    {"looptop_after_fork_child", after_fork_child, METH_NOARGS, NULL},
    {"looptop_stop", module_stop, METH_NOARGS, NULL}};

static PyObject *
builtin(size_t i)
{
    return PyCFunction_New(&fork_defs[i], NULL);
}

/* os.register_at_fork(before=…, after_in_parent=…, after_in_child=…) */
static int
register_fork(void)
{
    PyObject *os = PyImport_ImportModule("os");
    PyObject *function = os != NULL ? PyObject_GetAttrString(os, "register_at_fork") : NULL;
    PyObject *none = PyTuple_New(0);
    PyObject *kwargs = Py_BuildValue("{s:N,s:N,s:N}", "before", builtin(0), "after_in_parent",
        builtin(1), "after_in_child", builtin(2));
    PyObject *result = function != NULL && none != NULL && kwargs != NULL
                           ? PyObject_Call(function, none, kwargs)
                           : NULL;
    Py_XDECREF(kwargs);
    Py_XDECREF(none);
    Py_XDECREF(function);
    Py_XDECREF(os);
    Py_XDECREF(result);
    return result != NULL ? 0 : -1;
}

static int
register_exit(void)
{
    PyObject *atexit = PyImport_ImportModule("atexit");
    PyObject *stop = builtin(3);
    PyObject *result =
        atexit != NULL && stop != NULL ? PyObject_CallMethod(atexit, "register", "O", stop) : NULL;
    Py_XDECREF(stop);
    Py_XDECREF(atexit);
    Py_XDECREF(result);
    return result != NULL ? 0 : -1;
}

/* A function of the interpreter that ends this program: the socket goes first, and comes back if it
 * failed. */
struct ending {
    const char *name;
    PyMethodDef *def;
    PyCFunction stock;
    PyCFunction hook;
    int flags;
};

typedef PyObject *(*fastcall)(PyObject *, PyObject *const *, Py_ssize_t);
typedef PyObject *(*fastcall_names)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);

static struct ending endings[4];

/* exec came back: it failed, and the process goes on as it was. */
static PyObject *
exec_failed(PyObject *result)
{
    PyObject *exception = cpy_take_exception();
    Py_BEGIN_ALLOW_THREADS;
    agent_link();
    Py_END_ALLOW_THREADS;
    if (exception != NULL)
        cpy_raise(exception);
    return result;
}

static PyObject *
hook_execv(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    bool running = agent_running();
    agent_unlink();
    PyObject *result = ((fastcall)(void (*)(void))endings[0].stock)(self, args, n);
    return running ? exec_failed(result) : result;
}

static PyObject *
hook_execve(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    bool running = agent_running();
    agent_unlink();
    PyObject *result = ((fastcall_names)(void (*)(void))endings[1].stock)(self, args, n, names);
    return running ? exec_failed(result) : result;
}

static PyObject *
hook_exit(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    agent_unlink();
    return ((fastcall_names)(void (*)(void))endings[2].stock)(self, args, n, names);
}

/* uvicorn ends so: handlers restored, the signal that made it stop raised again. */
static PyObject *
hook_raise_signal(PyObject *self, PyObject *number)
{
    struct sigaction action;
    int overflow;
    long signal = PyLong_CheckExact(number) ? PyLong_AsLongAndOverflow(number, &overflow) : -1;
    if ((signal == SIGTERM || signal == SIGINT || signal == SIGHUP || signal == SIGQUIT) &&
        sigaction((int)signal, NULL, &action) == 0 && action.sa_handler == SIG_DFL)
        agent_unlink();
    return endings[3].stock(self, number);
}

static struct ending endings[4] = {
    {"execv", NULL, NULL, (PyCFunction)(void (*)(void))hook_execv, METH_FASTCALL},
    {"execve", NULL, NULL, (PyCFunction)(void (*)(void))hook_execve, METH_FASTCALL | METH_KEYWORDS},
    {"_exit", NULL, NULL, (PyCFunction)(void (*)(void))hook_exit, METH_FASTCALL | METH_KEYWORDS},
    {"raise_signal", NULL, NULL, hook_raise_signal, METH_O}};

static void
patch_endings(void)
{
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        struct ending *ending = &endings[i];
        PyObject *function = cpy_lookup(i < 3 ? "posix" : "_signal", ending->name);
        if (function != NULL && PyCFunction_CheckExact(function) &&
            ((PyCFunctionObject *)function)->m_ml->ml_flags == ending->flags) {
            ending->def = ((PyCFunctionObject *)function)->m_ml;
            ending->stock = ending->def->ml_meth;
            ending->def->ml_meth = ending->hook;
        }
        Py_XDECREF(function);
    }
}

static int
register_all(void)
{
    if (registered)
        return 0;
    if (register_fork() < 0 || register_exit() < 0)
        return -1;
    patch_endings();
    registered = true;
    return 0;
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
    if (register_all() < 0)
        return NULL;
    report_init();
    Py_BEGIN_ALLOW_THREADS;
    rc = agent_start(readonly != 0, reason, sizeof reason);
    Py_END_ALLOW_THREADS;
    if (rc < 0 && rc != -EALREADY) {
        PyErr_SetString(PyExc_RuntimeError, reason);
        return NULL;
    }
    if (cpy_asyncio_ready())
        install_now();
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
        install_now();
    Py_RETURN_NONE;
}

static PyObject *
module_socket(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    char path[LOOPTOP_AGENT_TEXT];
    if (!agent_socket(path))
        Py_RETURN_NONE;
    return PyUnicode_DecodeFSDefault(path);
}

static PyMethodDef methods[] = {
    {"start", module_start, METH_VARARGS,
        "start(readonly=False)\n\nStart the agent; returns when its hooks are in, or at once where "
        "asyncio is not imported."},
    {"stop", module_stop, METH_NOARGS, "Stop the agent; its hooks become inactive."},
    {"asyncio_imported", module_imported, METH_NOARGS, "asyncio has just been imported."},
    {"socket_path", module_socket, METH_NOARGS, "Where the agent listens, or None."}, {0}};

static int
module_exec(PyObject *module)
{
    (void)module;
    if (PyInterpreterState_Get() == PyInterpreterState_Main())
        return 0;
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
