// SPDX-License-Identifier: MIT
/*
 * Measures where Task and Future keep their fields. A task of our own, on a loop and a future of
 * our own, is taken through its life; each field is found by the value that must appear in it, and
 * each finding is checked against what the others say. Nothing of the application is touched: the
 * task has a name (so that the counter of default names stays), logs nothing, and ends here. Its
 * code takes nothing from the application's builtins, which may have been replaced.
 */
#include "agent/cpython/cpy.h"

#include <errno.h>
#include <stdio.h>

#include <internal/pycore_runtime.h>

#define TASK_SIZE_MAX 512

HOT_DATA struct cpy_layout cpy_layout;

/* Compiling them takes longest; between them the application has its turn. */
static const char life_loop[] =
    "def init(self): self.calls = []\n"
    "def call_soon(self, callback, *args, context=None): self.calls.append(callback)\n"
    "Loop = type('Loop', (), {'__init__': init, 'call_soon': call_soon,\n"
    "  'get_debug': lambda self: False, 'is_running': lambda self: False,\n"
    "  'call_exception_handler': lambda self, context: None})\n";
static const char life_awaited[] =
    "def init(self, loop): self._loop = loop\n"
    "def add_done_callback(self, callback, context=None): self.callback = callback\n"
    "def awaiting(self): yield self\n"
    "Awaited = type('Awaited', (), {'_asyncio_future_blocking': True, 'callback': None,\n"
    "  '__init__': init, 'get_loop': lambda self: self._loop,\n"
    "  'add_done_callback': add_done_callback, 'cancel': lambda self, *args, **kwargs: True,\n"
    "  'result': lambda self: None, '__await__': awaiting})\n"
    "async def wait(awaited): await awaited\n";
static const char life_begin[] = "loop = Loop()\n"
                                 "awaited = Awaited(loop)\n"
                                 "coro = wait(awaited)\n"
                                 "name = 'looptop-calibration'\n"
                                 "task = Task(coro, loop=loop, name=name)\n"
                                 "task._log_destroy_pending = False\n"
                                 "step = loop.calls.pop()\n";
static const char life_step[] = "set_running_loop(loop)\n"
                                "try: step()\n"
                                "finally: set_running_loop(None)\n"
                                "wakeup = awaited.callback\n";
static const char life_cancel[] = "task.cancel()\n";
static const char life_end[] = "set_running_loop(loop)\n"
                               "try: wakeup(awaited)\n"
                               "finally: set_running_loop(None)\n"
                               "failure = ValueError()\n"
                               "failed = Future(loop=loop)\n"
                               "failed.set_exception(failure)\n"
                               "failed._log_traceback = False\n";

/* Runs one part of the life; too short for another thread to be given its turn. 0 or -ENOTSUP. */
static int
run(const char *code, PyObject *vars)
{
    bool collecting = cpy_gc_hold();
    PyObject *result = PyRun_String(code, Py_file_input, vars, vars);
    int rc = result != NULL ? 0 : -ENOTSUP;
    PyErr_Clear();
    Py_XDECREF(result);
    cpy_gc_release(collecting);
    return rc;
}

/* Offset of a pointer in an object, -1 where it is not or stands twice. */
static ptrdiff_t
find_pointer(const PyObject *object, const void *value, Py_ssize_t size)
{
    ptrdiff_t found = -1;
    for (ptrdiff_t at = (ptrdiff_t)sizeof(PyObject); at + 8 <= size; at += 8) {
        if (*(void *const *)((const char *)object + at) != value)
            continue;
        if (found >= 0)
            return -1;
        found = at;
    }
    return found;
}

/* Offset of the one int that was `before` in the copy and is `after` now; -1 where not just one. */
static ptrdiff_t
find_int(const char *copy, const PyObject *object, Py_ssize_t size, int before, int after)
{
    ptrdiff_t found = -1;
    for (ptrdiff_t at = (ptrdiff_t)sizeof(PyObject); at + 4 <= size; at += 4) {
        int was, is;
        memcpy(&was, copy + at, sizeof was);
        memcpy(&is, (const char *)object + at, sizeof is);
        if (was != before || is != after)
            continue;
        if (found >= 0)
            return -1;
        found = at;
    }
    return found;
}

static PyObject *
var(PyObject *vars, const char *name)
{
    return PyDict_GetItemString(vars, name);
}

/* Fields that hold an object known by identity, after the first step. */
static int
find_objects(PyObject *vars, struct cpy_layout *layout)
{
    PyObject *task = var(vars, "task"), *step = var(vars, "step"), *wakeup = var(vars, "wakeup");
    Py_ssize_t size = Py_TYPE(task)->tp_basicsize;
    if (size > TASK_SIZE_MAX || !PyCFunction_CheckExact(wakeup) ||
        Py_TYPE(step)->tp_basicsize != (Py_ssize_t)sizeof(struct cpy_step) ||
        ((struct cpy_step *)step)->task != task || PyCFunction_GET_SELF(wakeup) != task)
        return -ENOTSUP;
    layout->task = Py_TYPE(task);
    layout->step = Py_TYPE(step);
    layout->wakeup = ((PyCFunctionObject *)wakeup)->m_ml;
    layout->loop = find_pointer(task, var(vars, "loop"), size);
    layout->coro = find_pointer(task, var(vars, "coro"), size);
    layout->name = find_pointer(task, var(vars, "name"), size);
    layout->waiter = find_pointer(task, var(vars, "awaited"), size);
    if (layout->loop < 0 || layout->coro < 0 || layout->name < 0 || layout->waiter < 0)
        return -ENOTSUP;
    return 0;
}

/* The counter of cancellations, and the padding behind it. */
static int
find_cancels(PyObject *vars, struct cpy_layout *layout)
{
    char copy[TASK_SIZE_MAX];
    PyObject *task = var(vars, "task");
    Py_ssize_t size = layout->task->tp_basicsize;

    memcpy(copy, task, (size_t)size);
    if (run(life_cancel, vars) < 0)
        return -ENOTSUP;
    layout->cancels = find_int(copy, task, size, 0, 1);
    memcpy(copy, task, (size_t)size);
    if (run(life_cancel, vars) < 0 || find_int(copy, task, size, 1, 2) != layout->cancels)
        return -ENOTSUP;
    /*
     * The counter is an int that ends four bytes before an 8-byte boundary; what follows is a
     * pointer or the object's end, so that the four bytes between belong to nobody.
     */
    layout->pad = layout->cancels + 4;
    if (layout->cancels < 0 || layout->cancels % 8 != 0 ||
        (layout->pad + 4 != layout->waiter && layout->pad + 4 != size) || *cpy_task_pad(task) != 0)
        return -ENOTSUP;
    return 0;
}

/* State and exception, as the task ends. */
static int
find_end(PyObject *vars, struct cpy_layout *layout)
{
    char copy[TASK_SIZE_MAX];
    PyObject *task = var(vars, "task");
    Py_ssize_t size = layout->task->tp_basicsize;

    memcpy(copy, task, (size_t)size);
    if (run(life_end, vars) < 0)
        return -ENOTSUP;
    layout->state = find_int(copy, task, size, CPY_PENDING, CPY_FINISHED);
    PyObject *failed = var(vars, "failed");
    layout->exception = find_pointer(failed, var(vars, "failure"), Py_TYPE(failed)->tp_basicsize);
    if (layout->state < 0 || layout->exception < 0 ||
        *(int *)((char *)failed + layout->state) != CPY_FINISHED ||
        cpy_task_field(failed, layout->loop) != var(vars, "loop") || *cpy_task_pad(task) != 0)
        return -ENOTSUP;
    return 0;
}

#ifdef CPY_TASKS_IN_LISTS
/* Our thread runs no other task, so its list is this one. */
static int
find_node(PyObject *vars, struct cpy_layout *layout)
{
    PyObject *task = var(vars, "task");
    _PyThreadStateImpl *ts = (_PyThreadStateImpl *)PyThreadState_Get();
    struct llist_node *node = ts->asyncio_tasks_head.next;
    ptrdiff_t offset = (char *)node - (char *)task;
    if (offset <= 0 || offset >= Py_TYPE(task)->tp_basicsize || node->next != node->prev ||
        node->next != &ts->asyncio_tasks_head)
        return -ENOTSUP;
    layout->node = offset;
    const struct llist_node *head = &ts->base.interp->asyncio_tasks_head;
    return head->next != NULL && head->next->prev == head ? 0 : -ENOTSUP;
}
#else
static int
find_node(PyObject *vars, struct cpy_layout *layout)
{
    (void)vars;
    layout->node = -1;
    return 0;
}
#endif

/* Each stage, and what the refusal calls it. */
static int
measure(PyObject *vars, void (*pause)(void), const char **ret_stage)
{
    struct cpy_layout layout = {0};
    *ret_stage = "a task's life";
    if (run(life_loop, vars) < 0)
        return -ENOTSUP;
    pause();
    if (run(life_awaited, vars) < 0)
        return -ENOTSUP;
    pause();
    if (run(life_begin, vars) < 0)
        return -ENOTSUP;
    *ret_stage = "the list of tasks";
    if (find_node(vars, &layout) < 0 || run(life_step, vars) < 0)
        return -ENOTSUP;
    *ret_stage = "Task's fields";
    if (find_objects(vars, &layout) < 0)
        return -ENOTSUP;
    cpy_layout = layout;
    *ret_stage = "Task's cancellations";
    if (find_cancels(vars, &cpy_layout) < 0)
        return -ENOTSUP;
    *ret_stage = "Task's state";
    if (find_end(vars, &cpy_layout) < 0)
        return -ENOTSUP;
    cpy_layout.future = Py_TYPE(var(vars, "failed"));
    Py_INCREF(cpy_layout.task);
    Py_INCREF(cpy_layout.future);
    Py_INCREF(cpy_layout.step);
    return 0;
}

/* What the life needs: asyncio's own, in C, and two builtins. 0 or -ENOTSUP. */
static int
give(PyObject *vars)
{
    PyObject *task = cpy_lookup("_asyncio", "Task"), *future = cpy_lookup("_asyncio", "Future");
    PyObject *set_loop = cpy_lookup("_asyncio", "_set_running_loop");
    PyObject *builtins = PyDict_New();
    bool given = builtins != NULL && task != NULL && cpy_is_c_type(task) && future != NULL &&
                 cpy_is_c_type(future) && set_loop != NULL && PyCFunction_CheckExact(set_loop) &&
                 PyDict_SetItemString(vars, "__builtins__", builtins) == 0 &&
                 PyDict_SetItemString(vars, "__name__", Py_None) == 0 &&
                 PyDict_SetItemString(vars, "type", (PyObject *)&PyType_Type) == 0 &&
                 PyDict_SetItemString(vars, "ValueError", PyExc_ValueError) == 0 &&
                 PyDict_SetItemString(vars, "Task", task) == 0 &&
                 PyDict_SetItemString(vars, "Future", future) == 0 &&
                 PyDict_SetItemString(vars, "set_running_loop", set_loop) == 0;
    Py_XDECREF(task);
    Py_XDECREF(future);
    Py_XDECREF(set_loop);
    Py_XDECREF(builtins);
    return given ? 0 : -ENOTSUP;
}

int
cpy_calibrate(void (*pause)(void), char *reason, size_t size)
{
    const char *stage = cpy_gc_known() ? "_asyncio" : "the collector's state";
    int rc = -ENOTSUP;
    PyObject *vars = PyDict_New();
    if (cpy_gc_known() && vars != NULL && give(vars) == 0)
        rc = measure(vars, pause, &stage);
    PyErr_Clear();
    if (rc < 0)
        (void)snprintf(reason, size,
            "this build of CPython %s keeps %s differently from what looptop knows", PY_VERSION,
            stage);
    if (vars != NULL)
        PyDict_Clear(vars);
    Py_XDECREF(vars);
    return rc;
}

PyInterpreterState *const *
cpy_newest_interpreter(void)
{
    bool known = _PyRuntime.interpreters.head == PyInterpreterState_Head() &&
                 _PyRuntime.interpreters.main == PyInterpreterState_Main();
    return known ? &_PyRuntime.interpreters.head : NULL;
}
