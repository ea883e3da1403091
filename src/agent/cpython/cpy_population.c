// SPDX-License-Identifier: MIT
/*
 * The tasks that exist already, read from the interpreter's own containers in slices. Between two
 * slices the application runs, so a cursor must survive whatever it does.
 *
 * Up to 3.13 tasks stand in sets: a WeakSet's `data`, and from 3.12 on the set of eager tasks. The
 * cursor is a slot index; when the table was replaced or resized the walk begins anew (a task seen
 * twice is known by its record). From 3.14 on they stand in linked lists, one a thread state and
 * one of the interpreter for threads that ended. The cursor is the next node; it rests only on a
 * task that is not running, and whoever takes a task off its list tells us first (a step that may
 * end it, or the deallocation: cpy_population_leave). A node found off its list begins the walk
 * anew.
 */
#include "agent/cpython/cpy.h"

#define RESTARTS_MAX 64

#ifdef CPY_TASKS_IN_SETS

/* Source 0: the WeakSet's data, 1: the eager ones. Strong, or NULL. */
static PyObject *
source_set(int source)
{
    PyObject *set = source == 0 ? cpy_lookup("asyncio.tasks", CPY_SCHEDULED_TASKS ".data")
                                : cpy_lookup("asyncio.tasks", "_eager_tasks");
    if (set != NULL && !PyAnySet_CheckExact(set))
        Py_CLEAR(set);
    return set;
}

/* The task in a slot, NULL where there is none. */
static PyObject *
slot_task(const setentry *entry)
{
    PyObject *key = entry->key;
    if (key == NULL || entry->hash == -1)
        return NULL;
    if (PyWeakref_Check(key)) {
        key = ((PyWeakReference *)key)->wr_object;
        if (key == Py_None || Py_REFCNT(key) == 0)
            return NULL;
    }
    return cpy_is_task(key) ? key : NULL;
}

void
cpy_population(
    struct cpy_cursor *cursor, unsigned max, void (*visit)(PyObject *task, void *arg), void *arg)
{
    PyObject *held = source_set(cursor->source);
    PySetObject *set = (PySetObject *)held;
    if (set != NULL && (cursor->table != set->table || cursor->mask != set->mask)) {
        if (cursor->table != NULL && ++cursor->restarts > RESTARTS_MAX)
            Py_CLEAR(held);
        cursor->index = 0;
        cursor->table = set->table;
        cursor->mask = set->mask;
    }
    for (; held != NULL && max > 0 && cursor->index <= set->mask; max--) {
        PyObject *task = slot_task(&set->table[cursor->index++]);
        if (task != NULL)
            visit(task, arg);
    }
    if (held == NULL || cursor->index > set->mask) {
        cursor->table = NULL;
        cursor->done = ++cursor->source > 1;
    }
    Py_XDECREF(held);
}

void
cpy_population_leave(struct cpy_cursor *cursor, PyObject *task)
{
    (void)cursor;
    (void)task;
}

#else /* CPY_TASKS_IN_LISTS */

static PyObject *
node_task(struct llist_node *node)
{
    return (PyObject *)((char *)node - cpy_layout.node);
}

/* Thread state number `source` of the list, or NULL past its end; source 0 is the interpreter's. */
static struct llist_node *
source_head(int source, void **ret_owner)
{
    PyInterpreterState *interp = PyInterpreterState_Get();
    *ret_owner = NULL;
    if (source == 0)
        return &interp->asyncio_tasks_head;
    PyThreadState *ts = PyInterpreterState_ThreadHead(interp);
    for (int i = 1; ts != NULL && i < source && i < CPY_THREAD_MAX; i++)
        ts = PyThreadState_Next(ts);
    *ret_owner = ts;
    return ts != NULL ? &((_PyThreadStateImpl *)ts)->asyncio_tasks_head : NULL;
}

/* Whether the cursor's list is still what it was; a thread that came or went shifts the numbers. */
static struct llist_node *
resume(struct cpy_cursor *cursor)
{
    void *owner;
    struct llist_node *head = source_head(cursor->source, &owner);
    if (head == NULL)
        return NULL;
    struct llist_node *node = cursor->node;
    if (node != NULL && (owner != cursor->owner || node->next == NULL)) {
        /* all sources anew: which list a task went to is not known */
        cursor->source = 0;
        cursor->node = NULL;
        cursor->restarts++;
        head = source_head(0, &owner);
    }
    cursor->owner = owner;
    return cursor->restarts > RESTARTS_MAX ? NULL : head;
}

/* A resting place must not be a running task: its step ends without our being told before. */
static bool
is_running(PyObject *task)
{
    PyObject *coro = cpy_task_field(task, cpy_layout.coro);
    return coro != NULL && cpy_is_gen(coro) && cpyv_gen_executing((PyGenObject *)coro);
}

void
cpy_population(
    struct cpy_cursor *cursor, unsigned max, void (*visit)(PyObject *task, void *arg), void *arg)
{
    struct llist_node *head = resume(cursor);
    if (head == NULL) {
        cursor->done = true;
        return;
    }
    struct llist_node *node = cursor->node != NULL ? cursor->node : head->next;
    /* a thread's list may never have been used: its head is zero then */
    for (; node != NULL && node != head; node = node->next) {
        PyObject *task = node_task(node);
        if (max == 0 && !is_running(task))
            break;
        visit(task, arg);
        if (max > 0)
            max--;
    }
    cursor->node = node;
    if (node == NULL || node == head) {
        cursor->node = NULL;
        cursor->source++;
    }
}

void
cpy_population_leave(struct cpy_cursor *cursor, PyObject *task)
{
    struct llist_node *node = (struct llist_node *)((char *)task + cpy_layout.node);
    if (cursor->node == node)
        cursor->node = node->next;
}

#endif
