// SPDX-License-Identifier: MIT
/*
 * Codes tell when they are freed: by a weak reference to each, whose callback is a builtin. (Their
 * slots for other tools' data would tell too, but a code that has one slot has all, and the tools
 * would be asked to free what they never put there.)
 *
 * We keep the references in a table by their own address, open-addressed, until they have called; a
 * code's is found again in the list that the code has of them. The collector does not see them: all
 * they lead to is the builtin.
 */
#include "agent/cpython/cpy.h"

#include "agent/atomic.h"

#define SLOTS 8192u
#define WATCHED_MAX (SLOTS / 4 * 3)
#define REFERENCES_MAX 16  /* of one code that are looked at; past these it is given another one */
#define IMMORTAL (1 << 29) /* at least so many references has what is never freed */

static PyObject *kept[SLOTS]; /* strong */
static unsigned watched;
static PyObject *callback; /* strong */
static void (*code_died)(void);

static uint32_t
home_of(const PyObject *weak)
{
    return (uint32_t)(((uint64_t)(uintptr_t)weak >> 4) * 0x9E3779B97F4A7C15u >> 40) % SLOTS;
}

/* The slot of a reference, or the free one where it belongs. */
static uint32_t
slot_of(const PyObject *weak)
{
    uint32_t i = home_of(weak);
    while (kept[i] != NULL && kept[i] != weak)
        i = (i + 1) % SLOTS;
    return i;
}

/* What stands behind moves up where it may, so that each is found from its home. */
static void
close_gap(uint32_t gap)
{
    for (uint32_t i = (gap + 1) % SLOTS; kept[i] != NULL; i = (i + 1) % SLOTS) {
        if ((i - home_of(kept[i])) % SLOTS < (i - gap) % SLOTS)
            continue;
        kept[gap] = kept[i];
        gap = i;
    }
    kept[gap] = NULL;
}

/* Anybody can find it and call it, with anything. */
static PyObject *
code_gone(PyObject *self, PyObject *weak)
{
    (void)self;
    uint32_t slot = slot_of(weak);
    if (kept[slot] == weak) {
        close_gap(slot);
        STORE(watched, watched - 1);
        Py_DECREF(weak);
    }
    code_died();
    Py_RETURN_NONE;
}

static PyMethodDef code_gone_def = {"looptop_code_gone", code_gone, METH_O, NULL};

/* All are watched no more, as if they had died. */
static void
unwatch_all(void)
{
    for (uint32_t i = 0; i < SLOTS; i++)
        Py_CLEAR(kept[i]);
    STORE(watched, 0);
    code_died();
}

void
cpy_watch_codes(void (*died)(void))
{
    code_died = died;
    if (callback == NULL)
        callback = PyCFunction_New(&code_gone_def, NULL);
    PyErr_Clear();
}

static bool
is_watched(const PyCodeObject *code)
{
    const PyWeakReference *weak = (const PyWeakReference *)code->co_weakreflist;
    for (int i = 0; weak != NULL && i < REFERENCES_MAX; i++, weak = weak->wr_next)
        if (weak->wr_callback == callback)
            return true;
    return false;
}

bool
cpy_watch_code(PyCodeObject *code)
{
    if (callback == NULL)
        return false;
    if (Py_REFCNT(code) >= IMMORTAL || is_watched(code))
        return true;
    if (watched == WATCHED_MAX)
        unwatch_all();
    bool collecting = cpy_gc_hold();
    PyObject *weak = PyWeakref_NewRef((PyObject *)code, callback);
    cpy_gc_release(collecting);
    if (weak == NULL) {
        PyErr_Clear();
        return false;
    }
    PyObject_GC_UnTrack(weak);
    kept[slot_of(weak)] = weak;
    STORE(watched, watched + 1);
    return true;
}

uint64_t
cpy_watched_bytes(void)
{
    return LOAD(watched) *
           (sizeof(PyWeakReference) + 2 * sizeof(void *)); /* the collector's head */
}
