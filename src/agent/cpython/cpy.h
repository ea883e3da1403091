/* SPDX-License-Identifier: MIT */
/*
 * The door to CPython's internals: everything that depends on a minor version or on a struct that
 * is no public API is behind the functions here. The layout of Task and Future is measured in the
 * running interpreter at installation (cpy_calibrate), never assumed; where a measurement does not
 * come out as it must, the agent refuses and the application is untouched.
 *
 * GIL: held for every function here unless it says otherwise. References are borrowed unless said.
 */
#ifndef LOOPTOP_AGENT_CPYTHON_CPY_H
#define LOOPTOP_AGENT_CPYTHON_CPY_H

#ifndef Py_BUILD_CORE_MODULE
#define Py_BUILD_CORE_MODULE 1
#endif
#include <Python.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/hidden.h"
#include "common/hot.h"

#if PY_VERSION_HEX >= 0x03100000 || PY_VERSION_HEX < 0x030B0000
#error "looptop knows CPython 3.11 to 3.15"
#elif PY_VERSION_HEX >= 0x030F0000
#include "agent/cpython/cpy_315.h"
#elif PY_VERSION_HEX >= 0x030E0000
#include "agent/cpython/cpy_314.h"
#elif PY_VERSION_HEX >= 0x030D0000
#include "agent/cpython/cpy_313.h"
#elif PY_VERSION_HEX >= 0x030C0000
#include "agent/cpython/cpy_312.h"
#else
#include "agent/cpython/cpy_311.h"
#endif
#ifdef Py_GIL_DISABLED
#error "free-threaded builds are not supported"
#endif

#define CPY_CHAIN_MAX 1024  /* frames of one await chain that are followed */
#define CPY_CALLERS_MAX 64  /* frames looked at for a creation site */
#define CPY_THREAD_MAX 4096 /* thread states looked at */
#define CPY_FRAMES_MAX 8192 /* frames of one thread looked at */

/* state of a Future or Task: fut_state of Modules/_asynciomodule.c */
enum cpy_task_state { CPY_PENDING, CPY_CANCELLED, CPY_FINISHED };

/* Measured once by cpy_calibrate; offsets are from the object's start, of a Task unless said. */
struct cpy_layout {
    PyTypeObject *task;   /* strong: _asyncio.Task */
    PyTypeObject *future; /* strong: _asyncio.Future */
    PyTypeObject *step;   /* strong: TaskStepMethWrapper */
    PyMethodDef *wakeup;  /* of the builtin that futures call back */
    ptrdiff_t state;      /* int, enum cpy_task_state; of a Future too */
    ptrdiff_t exception;  /* PyObject *, of a Future too */
    ptrdiff_t loop;       /* PyObject *, of a Future too */
    ptrdiff_t coro;       /* PyObject * */
    ptrdiff_t name;       /* PyObject *: str, or int N of a lazy "Task-N" */
    ptrdiff_t waiter;     /* PyObject *: the future awaited, or NULL */
    ptrdiff_t cancels;    /* int: cancellations requested and not taken back */
    ptrdiff_t pad;        /* 4 bytes of padding where a record's index is kept */
    ptrdiff_t node;       /* 3.14+: its place in the list of tasks */
};
extern HIDDEN struct cpy_layout cpy_layout;

/* A step wrapper's task; TaskStepMethWrapper of Modules/_asynciomodule.c, the same on 3.11 to 3.15.
 */
struct cpy_step {
    PyObject_HEAD PyObject *task;
    PyObject *arg;
};

/*
 * Measures the layout. Call in a thread of our own that runs no loop, after asyncio is imported.
 * pause gives the GIL back for a moment; it is called between long pieces of work. 0, or -ENOTSUP
 * with a reason.
 */
int cpy_calibrate(void (*pause)(void), char *reason, size_t size);

/*
 * Between the two no collection begins, in any thread, for the interpreter takes it that one is
 * under way: it would run finalizers of the application. hold: whether it holds, to be given to
 * release; where a collection is under way, or this is held already, it does not.
 */
bool cpy_gc_hold(void);
void cpy_gc_release(bool held);

/* gc.callbacks, borrowed, also where nobody imported gc; NULL: the collector's state is not known.
 */
PyObject *cpy_gc_callbacks(void);

/* Whether the collector's state is where the headers say; without, nothing is ever held. */
bool cpy_gc_known(void);

/* Whether asyncio is imported and not still being imported. */
bool cpy_asyncio_ready(void);

static inline int
cpy_task_state(const PyObject *task)
{
    return *(const int *)((const char *)task + cpy_layout.state);
}

static inline int
cpy_task_cancels(const PyObject *task)
{
    return *(const int *)((const char *)task + cpy_layout.cancels);
}

static inline uint32_t *
cpy_task_pad(PyObject *task)
{
    return (uint32_t *)((char *)task + cpy_layout.pad);
}

static inline PyObject *
cpy_task_field(const PyObject *task, ptrdiff_t offset)
{
    return *(PyObject *const *)((const char *)task + offset);
}

/* Py_TYPE of an object that is only read. */
static inline PyTypeObject *
cpy_type(const PyObject *object)
{
    return object->ob_type;
}

static inline bool
cpy_is_task(const PyObject *object)
{
    return PyType_IsSubtype(cpy_type(object), cpy_layout.task);
}

/* A C future or a C task. */
static inline bool
cpy_is_future(const PyObject *object)
{
    return PyType_IsSubtype(cpy_type(object), cpy_layout.future) || cpy_is_task(object);
}

/* What a weak reference refers to, borrowed; NULL: it is gone, or about to. GIL held. */
static inline PyObject *
cpy_weak_referent(PyObject *weak)
{
    PyObject *referent = ((PyWeakReference *)weak)->wr_object;
    return referent != Py_None && Py_REFCNT(referent) > 0 ? referent : NULL;
}

/* A coroutine, generator or async generator: something with a frame of its own. */
static inline bool
cpy_is_gen(const PyObject *object)
{
    const PyTypeObject *type = cpy_type(object);
    return likely(type == &PyCoro_Type) || type == &PyGen_Type || type == &PyAsyncGen_Type;
}

/* The code of a coroutine or generator that does not run, if it bears its code's name; or NULL. */
static inline PyCodeObject *
cpy_named_code(PyObject *coro)
{
    PyGenObject *gen = (PyGenObject *)coro;
    if (unlikely(coro == NULL || !cpy_is_gen(coro)) ||
        unlikely(!cpyv_gen_created(gen) && !cpyv_gen_suspended(gen)))
        return NULL;
    PyCodeObject *code = cpyv_frame_code(cpyv_gen_frame(gen));
    return likely(code != NULL && code->co_qualname == gen->gi_qualname) ? code : NULL;
}

/* Behind the C wrappers that stand between frames (asend, coroutine_wrapper …): what they wrap. */
PyObject *cpy_unwrap(PyObject *awaited);

/* What a suspended generator awaits, behind wrappers; NULL in a plain yield. */
static inline PyObject *
cpy_awaited(PyObject *gen)
{
    PyObject *awaited = cpyv_gen_awaited((PyGenObject *)gen);
    if (awaited == NULL || cpy_is_gen(awaited))
        return awaited;
    return cpy_unwrap(awaited);
}

/* Code and byte offset of an instruction. */
struct cpy_place {
    PyCodeObject *code; /* borrowed */
    int lasti;
};

/*
 * The frames of the calling thread from the inside out, frames of the interpreter left out; frames
 * whose globals are one of skip[0..skips) too. Writes the first; returns 1, or 0 where there is
 * none.
 */
int cpy_caller(PyObject *const *skip, size_t skips, struct cpy_place *ret_place);

/*
 * A walk through the thread states, newest first; all 0 at its beginning. When the GIL was given
 * back it is resumed, and goes on where it was, whatever threads have come and gone.
 */
struct cpy_threads {
    PyThreadState *at; /* the last one; NULL: to be found again */
    uint64_t id;       /* … and its id */
    unsigned seen;
};

/* The next one, NULL at the end. */
PyThreadState *cpy_thread_next(struct cpy_threads *walk);
void cpy_thread_resume(struct cpy_threads *walk);

/*
 * The frames of a thread from the inside out, those without code among them. Valid until the next
 * call, or until the GIL is given back.
 */
_PyInterpreterFrame *const *cpy_thread_frames(PyThreadState *ts, size_t *ret_count);

/* Whether a frame is a generator's or coroutine's. */
static inline bool
cpy_frame_of_gen(const _PyInterpreterFrame *frame)
{
    return frame->owner == FRAME_OWNED_BY_GENERATOR;
}

/*
 * Codes that are watched call `died`, with the GIL held, when they are freed; also when so many are
 * watched that all are given up. Once; then cpy_watch_code for each, false where that cannot be.
 */
void cpy_watch_codes(void (*died)(void));
bool cpy_watch_code(PyCodeObject *code);

/* Memory that the watching takes. GIL: any. */
uint64_t cpy_watched_bytes(void);

/* Line of a place, 0 where there is none. */
uint32_t cpy_line(const struct cpy_place *place);

/* The task lists: a cursor over the tasks the interpreter knows. See cpy_population.c. */
struct cpy_cursor {
    int source;       /* which set or list */
    Py_ssize_t index; /* sets: next slot */
    void *table;      /* sets: as it was, to notice a resize */
    Py_ssize_t mask;
    void *node;        /* lists: next node; NULL: start of the list */
    void *owner;       /* lists: its thread state, NULL the interpreter's */
    unsigned restarts; /* how often the walk of a source began anew */
    bool done;
};

/* Calls visit for up to max tasks; moves the cursor. visit runs no Python code. */
void cpy_population(
    struct cpy_cursor *cursor, unsigned max, void (*visit)(PyObject *task, void *arg), void *arg);

/*
 * A task is about to be taken off its list (its step may end it, or it is being freed): a cursor
 * that stands on it moves on.
 */
void cpy_population_leave(struct cpy_cursor *cursor, PyObject *task);

/* The exception in flight as one object with its traceback, strong; it is in flight no more. */
PyObject *cpy_take_exception(void);

/* Raises it again; takes the reference. */
void cpy_raise(PyObject *exception);

/*
 * Where the runtime keeps the interpreter made last, to be compared in place of a call: while there
 * is one interpreter it is that. NULL where the runtime does not look as it should.
 */
PyInterpreterState *const *cpy_newest_interpreter(void);

/* The dict of a type itself, strong. */
PyObject *cpy_type_dict(PyTypeObject *type);

/* Kinds of variables: Include/internal/pycore_code.h, the same on 3.11 to 3.15. */
#define CPY_FAST_CELL 0x40
#define CPY_FAST_FREE 0x80

/* Bits of an exact int. */
size_t cpy_int_bits(PyObject *value);

/* An exact int that is positive and fits, 0 any other. */
static inline uint64_t
cpy_int_number(PyObject *value)
{
#if PY_VERSION_HEX >= 0x030C0000
    if (likely(PyUnstable_Long_IsCompact((PyLongObject *)value))) {
        Py_ssize_t small = PyUnstable_Long_CompactValue((PyLongObject *)value);
        return small > 0 ? (uint64_t)small : 0;
    }
#endif
    int overflow;
    long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
    return number > 0 ? (uint64_t)number : 0;
}

/* Blocks of memory the interpreter's allocator has in use; -1 without the function. */
Py_ssize_t cpy_allocated_blocks(void);

/*
 * The value of an exact str in a dict, borrowed, or NULL; keys of another kind are passed by. Like
 * all lookups here it runs none of the application's code and leaves no exception.
 */
PyObject *cpy_dict_scan(PyObject *dict, PyObject *key);

static inline PyObject *
cpy_dict_find(PyObject *dict, PyObject *key)
{
    if (likely(((PyDictObject *)dict)->ma_keys->dk_kind != DICT_KEYS_GENERAL))
        return PyDict_GetItemWithError(dict, key);
    return cpy_dict_scan(dict, key);
}

/* Task.__init__ has eager_start. */
#define CPY_CAN_BE_EAGER (PY_VERSION_HEX >= 0x030C0000)

/*
 * Whether a small dict has None, False or nothing under an interned key, all its other keys being
 * three interned ones; true is certain. Told by addresses, a fraction of what a search costs.
 */
static inline bool
cpy_dict_lacks(PyObject *dict, const PyObject *key, PyObject *const others[3])
{
    PyDictKeysObject *keys = ((PyDictObject *)dict)->ma_keys;
    /* of a size known beforehand, as Cython's are, it is a general one */
    bool general = keys->dk_kind == DICT_KEYS_GENERAL;
    size_t stride = general ? sizeof(PyDictKeyEntry) : sizeof(PyDictUnicodeEntry);
    const char *entry =
        general ? (char *)&DK_ENTRIES(keys)->me_key : (char *)&DK_UNICODE_ENTRIES(keys)->me_key;
    if (unlikely(keys->dk_kind == DICT_KEYS_SPLIT))
        return false;
    for (Py_ssize_t i = 0; i < keys->dk_nentries; i++, entry += stride) {
        const PyObject *const *at = (const PyObject *const *)entry; /* me_key, me_value */
        if (likely(at[0] == others[0] || at[0] == others[1] || at[0] == others[2]))
            continue;
        if (unlikely(at[0] != key || (at[1] != Py_None && at[1] != Py_False)))
            return false;
    }
    return true;
}

PyObject *cpy_dict_get(PyObject *dict, const char *name);

/* What a type has under a name, or inherits; a descriptor as it is. Borrowed, or NULL. */
PyObject *cpy_type_get(const PyTypeObject *type, const char *name);

/* What an instance has in its own dict. Borrowed, or NULL. */
PyObject *cpy_instance_get(PyObject *object, const char *name);

/* sys.modules[name], or NULL; imports nothing. Returns a strong reference. */
PyObject *cpy_module(const char *name);

/* module.attr.attr…, each as it is kept in a module, type or instance. Strong, or NULL. */
PyObject *cpy_lookup(const char *module, const char *path);

/* Whether it is a Python function that was made in this module. */
bool cpy_is_from(PyObject *object, const char *module);

/* Whether an attribute of an object is found where its type has it, and nobody is asked for it. */
bool cpy_finds_in_type(PyObject *object, const char *name);

/* Whether a method of an object is what a module has made, and would be found. */
bool cpy_method_is_from(PyObject *object, const char *name, const char *module);

/* Whether it is a type made in C, which Python code cannot make or change. */
static inline bool
cpy_is_c_type(PyObject *object)
{
    unsigned long flags = PyType_Check(object) ? ((PyTypeObject *)object)->tp_flags : 0;
    return PyType_Check(object) &&
           (!(flags & Py_TPFLAGS_HEAPTYPE) || (flags & Py_TPFLAGS_IMMUTABLETYPE));
}

#endif
