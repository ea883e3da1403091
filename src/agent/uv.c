// SPDX-License-Identifier: MIT
/*
 * See uv.h. uv_loop_configure(UV_METRICS_IDLE_TIME) is allowed on a loop that runs and cannot be
 * taken back; it makes libuv ask epoll a second time in each iteration that waits, which a busy
 * server feels: so it waits until somebody watches. uv_metrics_idle_time may be called from any
 * thread; uv_metrics_info copies counters that the loop's thread writes, a word at a time. The loop
 * is read only while it runs, under uv_lock, and so never after uv_loop_close.
 */
#include "agent/uv.h"

#include <dlfcn.h>

#include "agent/hooks.h"
#include "agent/loops.h"

#define UV_METRICS_IDLE_TIME 1 /* enum uv_loop_option of uv.h, fixed by libuv's ABI */

/* uv_metrics_t of uv.h, libuv 1.45 and later */
struct uv_metrics {
    uint64_t loop_count, events, events_waiting, *reserved[13];
};

static struct {
    bool looked;
    PyObject *get_pointer; /* strong: uvloop.loop.libuv_get_loop_t_ptr */
    int (*configure)(void *loop, int option, ...);
    uint64_t (*idle_time)(void *loop);
    int (*info)(void *loop, struct uv_metrics *metrics);
} uv;

/* By the name of a class made in C: any other can be called so. */
PyTypeObject *
uv_loop_type(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    while (type != NULL &&
           (strcmp(type->tp_name, "uvloop.loop.Loop") != 0 || !cpy_is_c_type((PyObject *)type)))
        type = type->tp_base;
    return type;
}

bool
uv_says(PyObject *loop, const char *method)
{
    const PyTypeObject *type = uv_loop_type(loop);
    PyObject *function = type != NULL ? cpy_type_get(type, method) : NULL;
    PyObject *answer = function != NULL ? PyObject_CallOneArg(function, loop) : NULL;
    bool yes = answer == Py_True;
    Py_XDECREF(answer);
    PyErr_Clear();
    return yes;
}

/* Whether it is a function in C, of the kind that uvloop's own methods are or a plain builtin. */
static bool
is_c_function(const PyTypeObject *type, const PyObject *object)
{
    const PyObject *method = cpy_type_get(type, "is_closed");
    return object != NULL && (PyCFunction_CheckExact(object) ||
                                 (method != NULL && Py_TYPE(object) == Py_TYPE(method)));
}

/* The symbols of the object that holds uvloop's C code, or of what it is linked with. */
static void
look(PyObject *object)
{
    uv.looked = true;
    PyTypeObject *type = uv_loop_type(object);
    Dl_info info;
    if (type == NULL || dladdr(*(void **)&type->tp_new, &info) == 0)
        return;
    void *handle = dlopen(info.dli_fname, RTLD_NOLOAD | RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL)
        return;
    *(void **)&uv.configure = dlsym(handle, "uv_loop_configure");
    *(void **)&uv.idle_time = dlsym(handle, "uv_metrics_idle_time");
    *(void **)&uv.info = dlsym(handle, "uv_metrics_info");
    uv.get_pointer = cpy_lookup("uvloop.loop", "libuv_get_loop_t_ptr");
    if (!is_c_function(type, uv.get_pointer))
        Py_CLEAR(uv.get_pointer);
    (void)dlclose(handle);
}

void
uv_loop_started(struct loop *loop)
{
    if (!uv.looked)
        look(loop->object);
    if (uv.get_pointer == NULL || uv.configure == NULL || uv.idle_time == NULL)
        return;
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *capsule = PyObject_CallOneArg(uv.get_pointer, loop->object);
    if (capsule != NULL && PyCapsule_CheckExact(capsule)) {
        void *pointer = PyCapsule_GetPointer(capsule, PyCapsule_GetName(capsule));
        if (pointer != NULL) {
            pthread_mutex_lock(&loop->uv_lock);
            loop->uv = pointer;
            loop->uv_measured = false;
            pthread_mutex_unlock(&loop->uv_lock);
        }
    }
    Py_XDECREF(capsule);
    PyErr_Clear();
    PyErr_Restore(type, value, traceback);
}

void
uv_loop_measure(struct loop *loop)
{
    pthread_mutex_lock(&loop->uv_lock);
    if (loop->uv != NULL && !loop->uv_measured)
        loop->uv_measured = uv.configure(loop->uv, UV_METRICS_IDLE_TIME) == 0;
    pthread_mutex_unlock(&loop->uv_lock);
}

void
uv_loop_stopped(struct loop *loop)
{
    if (!loop->is_uvloop)
        return;
    pthread_mutex_lock(&loop->uv_lock);
    loop->uv = NULL;
    pthread_mutex_unlock(&loop->uv_lock);
}

/* Under the lock. Without hooks nobody said if the loop has been closed. */
static bool
may_read(const struct loop *loop)
{
    return loop->uv != NULL && LOAD(hooks_active);
}

bool
uv_idle_ns(struct loop *loop, uint64_t *ret_ns)
{
    pthread_mutex_lock(&loop->uv_lock);
    bool known = may_read(loop) && loop->uv_measured;
    if (known)
        *ret_ns = uv.idle_time(loop->uv);
    pthread_mutex_unlock(&loop->uv_lock);
    return known;
}

bool
uv_iterations(struct loop *loop, uint64_t *ret_count)
{
    struct uv_metrics metrics = {0};
    pthread_mutex_lock(&loop->uv_lock);
    bool known = may_read(loop) && uv.info != NULL && uv.info(loop->uv, &metrics) == 0;
    pthread_mutex_unlock(&loop->uv_lock);
    if (known)
        *ret_count = metrics.loop_count;
    return known;
}
