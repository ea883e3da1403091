// SPDX-License-Identifier: MIT
/* See callbacks.h. */
#include "agent/callbacks.h"

#include "agent/cpython/cpy.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "agent/agent.h"
#include "agent/gil.h"
#include "agent/loops.h"

static bool fork_registered, exit_registered, marked;
static __thread bool exec_follows; /* in subprocess's fork_exec, which runs the fork handlers */

static PyObject *
at_end(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    Py_BEGIN_ALLOW_THREADS;
    agent_stop();
    Py_END_ALLOW_THREADS;
    loops_exit();
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
    Py_BEGIN_ALLOW_THREADS;
    agent_resume();
    Py_END_ALLOW_THREADS;
    Py_RETURN_NONE;
}

void
callbacks_install_now(void)
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
    if (exec_follows)
        Py_RETURN_NONE;
    agent_child_restart();
    if (agent_running())
        callbacks_install_now();
    Py_RETURN_NONE;
}

static PyMethodDef fork_defs[] = {{"looptop_before_fork", before_fork, METH_NOARGS, NULL},
    {"looptop_after_fork_parent", after_fork_parent, METH_NOARGS, NULL},
    {"looptop_after_fork_child", after_fork_child, METH_NOARGS, NULL},
    {"looptop_exit", at_end, METH_NOARGS, NULL}};

static PyObject *
builtin(size_t i)
{
    return PyCFunction_New(&fork_defs[i], NULL);
}

/*
 * A builtin function of one of the interpreter's own modules, strong, or NULL: the module is not
 * imported, or the function replaced. No __import__ and no __getattribute__ of the application is
 * asked.
 */
static PyObject *
function_of(const char *module, const char *name)
{
    PyObject *function = cpy_lookup(module, name);
    if (function != NULL && !PyCFunction_CheckExact(function))
        Py_CLEAR(function);
    return function;
}

/* os.register_at_fork(before=…, after_in_parent=…, after_in_child=…) */
static int
register_fork(void)
{
    PyObject *function = function_of("posix", "register_at_fork");
    PyObject *none = PyTuple_New(0);
    PyObject *kwargs = Py_BuildValue("{s:N,s:N,s:N}", "before", builtin(0), "after_in_parent",
        builtin(1), "after_in_child", builtin(2));
    PyObject *result = function != NULL && none != NULL && kwargs != NULL
                           ? PyObject_Call(function, none, kwargs)
                           : NULL;
    Py_XDECREF(kwargs);
    Py_XDECREF(none);
    Py_XDECREF(function);
    Py_XDECREF(result);
    return result != NULL ? 0 : -1;
}

static int
register_exit(void)
{
    PyObject *function = function_of("atexit", "register");
    PyObject *stop = builtin(3);
    PyObject *result =
        function != NULL && stop != NULL ? PyObject_CallOneArg(function, stop) : NULL;
    Py_XDECREF(stop);
    Py_XDECREF(function);
    Py_XDECREF(result);
    return result != NULL ? 0 : -1;
}

/*
 * A function of the interpreter that ends this program: the socket goes first, and comes back if it
 * did not end; or one that has to be known.
 */
struct patch {
    const char *module, *name;
    int flags;
    PyCFunction hook;
    PyCFunction stock; /* once it is patched */
};

typedef PyObject *(*fastcall)(PyObject *, PyObject *const *, Py_ssize_t);
typedef PyObject *(*fastcall_names)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);
#define ANY(function) ((void (*)(void))(function))

enum { EXECV, EXECVE, EXIT, RAISE_SIGNAL, FORK_EXEC, FORK_EXEC_311, PATCHES };
static struct patch patches[PATCHES];

/* The process goes on as it was: the call has come back. */
static PyObject *
came_back(bool running, PyObject *result)
{
    if (running)
        agent_link();
    return result;
}

static PyObject *
hook_execv(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    bool running = agent_running();
    agent_unlink();
    return came_back(running, ((fastcall)ANY(patches[EXECV].stock))(self, args, n));
}

static PyObject *
hook_execve(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    bool running = agent_running();
    agent_unlink();
    return came_back(running, ((fastcall_names)ANY(patches[EXECVE].stock))(self, args, n, names));
}

static PyObject *
hook_exit(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    bool running = agent_running();
    agent_unlink();
    return came_back(running, ((fastcall_names)ANY(patches[EXIT].stock))(self, args, n, names));
}

/* Whether a signal's default action, if it is in force, is this program's end. */
static bool
would_end(PyObject *number)
{
    struct sigaction action;
    int overflow;
    long signal = PyLong_Check(number) ? PyLong_AsLongAndOverflow(number, &overflow) : -1;
    return (signal == SIGTERM || signal == SIGINT || signal == SIGHUP || signal == SIGQUIT) &&
           sigaction((int)signal, NULL, &action) == 0 && action.sa_handler == SIG_DFL;
}

/* uvicorn ends so: handlers restored, the signal that made it stop raised again. */
static PyObject *
hook_raise_signal(PyObject *self, PyObject *number)
{
    bool running = agent_running() && would_end(number);
    if (running)
        agent_unlink();
    return came_back(running, patches[RAISE_SIGNAL].stock(self, number));
}

static PyObject *
hook_fork_exec(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    exec_follows = true;
    PyObject *result = ((fastcall)ANY(patches[FORK_EXEC].stock))(self, args, n);
    exec_follows = false;
    return result;
}

static PyObject *
hook_fork_exec_311(PyObject *self, PyObject *args)
{
    exec_follows = true;
    PyObject *result = patches[FORK_EXEC_311].stock(self, args);
    exec_follows = false;
    return result;
}

static struct patch patches[PATCHES] = {
    [EXECV] = {"posix", "execv", METH_FASTCALL, (PyCFunction)ANY(hook_execv), NULL},
    [EXECVE] = {"posix", "execve", METH_FASTCALL | METH_KEYWORDS, (PyCFunction)ANY(hook_execve),
        NULL},
    [EXIT] = {"posix", "_exit", METH_FASTCALL | METH_KEYWORDS, (PyCFunction)ANY(hook_exit), NULL},
    [RAISE_SIGNAL] = {"_signal", "raise_signal", METH_O, hook_raise_signal, NULL},
    [FORK_EXEC] = {"_posixsubprocess", "fork_exec", METH_FASTCALL, (PyCFunction)ANY(hook_fork_exec),
        NULL},
    [FORK_EXEC_311] = {"_posixsubprocess", "fork_exec", METH_VARARGS, hook_fork_exec_311, NULL},
};

/* Where the function is another's, or takes its arguments in another way, it stays as it is. */
static void
patch(struct patch *patch)
{
    PyObject *function = function_of(patch->module, patch->name);
    if (function != NULL) {
        PyMethodDef *def = ((PyCFunctionObject *)function)->m_ml;
        if (def->ml_flags == patch->flags && patch->stock == NULL) {
            patch->stock = def->ml_meth;
            def->ml_meth = patch->hook;
        }
    }
    Py_XDECREF(function);
    PyErr_Clear();
}

/*
 * Whether the interpreter has been ended and begun again since the agent was first started: at the
 * same address, but with none of the objects that the agent knows.
 */
static bool
is_second_life(void)
{
    PyObject *dict = PyInterpreterState_GetDict(PyInterpreterState_Main());
    bool found = dict != NULL && PyDict_GetItemString(dict, "looptop") != NULL;
    bool second = marked && !found;
    if (dict != NULL && !marked)
        marked = PyDict_SetItemString(dict, "looptop", Py_True) == 0;
    PyErr_Clear();
    return second;
}

/* -EAGAIN: its module is not there yet; -EINVAL: it is, and the function is none of its own. */
static int
why_not(const char *module, const char *name)
{
    PyObject *function = cpy_lookup(module, name);
    int rc = function != NULL ? -EINVAL : -EAGAIN;
    Py_XDECREF(function);
    return rc;
}

int
callbacks_register(char *reason, size_t size)
{
    if (is_second_life()) {
        (void)snprintf(reason, size,
            "looptop works until the interpreter is ended the first time; this one was begun "
            "again");
        return -EINVAL;
    }
    if (!fork_registered)
        fork_registered = register_fork() == 0;
    if (!exit_registered)
        exit_registered = register_exit() == 0;
    for (size_t i = 0; i < PATCHES; i++)
        if (patches[i].stock == NULL)
            patch(&patches[i]);
    PyErr_Clear();
    if (fork_registered && exit_registered)
        return 0;
    (void)snprintf(reason, size, "os.register_at_fork or atexit.register is replaced");
    int rc = fork_registered ? 0 : why_not("posix", "register_at_fork");
    return rc == 0 && !exit_registered ? why_not("atexit", "register") : rc;
}
