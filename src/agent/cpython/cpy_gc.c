// SPDX-License-Identifier: MIT
/* The collector's own state: `struct _gc_runtime_state` of the interpreter. */
#include "agent/cpython/cpy.h"

#include <internal/pycore_interp.h>

/* Whether it is where the headers say: its switch is seen to move. Nobody else sees that, for the
 * GIL is held all the time. */
static bool
is_there(const int *enabled)
{
    int was = PyGC_Disable();
    bool found = *enabled == 0;
    (void)PyGC_Enable();
    found = found && *enabled == 1;
    if (!was)
        (void)PyGC_Disable();
    return found;
}

static int *
collecting(void)
{
    static int *found;
    static bool looked;
    if (!looked) {
        PyInterpreterState *interp = PyInterpreterState_Main();
        if (is_there(&interp->gc.enabled))
            found = &interp->gc.collecting;
        looked = true;
    }
    return found;
}

PyObject *
cpy_gc_callbacks(void)
{
    PyObject *callbacks = cpy_gc_known() ? PyInterpreterState_Main()->gc.callbacks : NULL;
    return callbacks != NULL && PyList_CheckExact(callbacks) ? callbacks : NULL;
}

bool
cpy_gc_known(void)
{
    return collecting() != NULL;
}

bool
cpy_gc_hold(void)
{
    int *under_way = collecting();
    if (under_way == NULL || *under_way != 0)
        return false;
    *under_way = 1;
    return true;
}

void
cpy_gc_release(bool held)
{
    if (held)
        *collecting() = 0;
}
