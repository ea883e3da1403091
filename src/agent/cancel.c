// SPDX-License-Identifier: MIT
/*
 * See cancel.h. Requests under way stand in a list under a lock: the io thread makes, watches and
 * frees them, the gil thread sends, the callback in the loop's thread says that it arrived, and the
 * end hook how a watched task ended. A callback names its request by number, not by address, since
 * the request may be gone when the loop comes to it.
 */
#include "agent/cancel.h"

#include "agent/cpython/cpy.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/events.h"
#include "agent/gil.h"
#include "agent/gil_call.h"
#include "agent/gil_hold.h"
#include "agent/gil_release.h"
#include "agent/loops.h"
#include "agent/names.h"
#include "agent/record_view.h"
#include "agent/table_ids.h"
#include "agent/ticks.h"
#include "common/utf8.h"
#include "looptop/protocol.h"
#include "proto/json_out.h"

#define ROOM_WAIT_NS 100000000ull

struct entry {
    uint64_t id;
    uint32_t index;                   /* of the record; 0: gone before we came */
    bool begun, sent, arrived, known; /* begun: the gil thread came to it */
    enum looptop_outcome outcome;
    uint64_t ended;     /* ticks */
    uint32_t exception; /* string */
    char name[LOOPTOP_NAME_MAX];
    char reason[128];
    char at[256]; /* where a task stands that goes on */
};

struct cancel {
    struct cancel *next;
    uint64_t number;
    uint64_t begun, deadline; /* ticks */
    size_t count, sent;
    char *message; /* owned, or NULL */
    bool no_room;  /* it was waited for in vain */
    int peer_pid, peer_uid;
    struct entry entries[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct cancel *under_way;
static uint64_t last_number;
static PyObject *deliver; /* strong: the builtin below */

static void
entry_know(struct entry *entry, enum looptop_outcome outcome, const char *reason)
{
    pthread_mutex_lock(&lock);
    entry->known = true;
    entry->outcome = outcome;
    entry->ended = ticks_now();
    (void)utf8_copy(entry->reason, sizeof entry->reason, reason, strlen(reason));
    pthread_mutex_unlock(&lock);
}

static void
entry_init(struct entry *entry, uint64_t id, uint64_t now)
{
    struct record_view view;
    entry->id = id;
    entry->index = table_ids_find(id);
    if (entry->index == 0 || !record_view_read(entry->index, now, &view) || view.id != id) {
        entry_know(entry, LOOPTOP_OUTCOME_GONE, "no such task");
        return;
    }
    record_view_name(entry->index, entry->name);
    if (view.ended_ns >= 0)
        entry_know(entry, LOOPTOP_OUTCOME_GONE, "it had ended already");
}

struct cancel *
cancel_new(const uint64_t *ids, size_t count, const char *message, uint64_t wait_ns, int peer_pid,
    int peer_uid)
{
    struct cancel *cancel = calloc(1, sizeof *cancel + count * sizeof cancel->entries[0]);
    if (cancel == NULL)
        return NULL;
    if (message != NULL && (cancel->message = strdup(message)) == NULL) {
        free(cancel);
        return NULL;
    }
    uint64_t now = ticks_now();
    cancel->begun = now;
    cancel->deadline = now + ticks_from_ns(wait_ns);
    cancel->peer_pid = peer_pid;
    cancel->peer_uid = peer_uid;
    cancel->count = count;
    for (size_t i = 0; i < count; i++)
        entry_init(&cancel->entries[i], ids[i], now);
    pthread_mutex_lock(&lock);
    cancel->number = ++last_number;
    cancel->next = under_way;
    under_way = cancel;
    pthread_mutex_unlock(&lock);
    return cancel;
}

/* Under the lock. */
static struct cancel *
by_number(uint64_t number)
{
    struct cancel *cancel = under_way;
    while (cancel != NULL && cancel->number != number)
        cancel = cancel->next;
    return cancel;
}

/* In the loop's thread: (task, message or None, request, entry). */
static PyObject *
arrived(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    (void)self;
    if (n != 4)
        Py_RETURN_NONE;
    unsigned long long number = PyLong_AsUnsignedLongLong(args[2]);
    size_t i = PyLong_AsSize_t(args[3]);
    PyErr_Clear();
    pthread_mutex_lock(&lock);
    struct cancel *cancel = by_number(number);
    if (cancel != NULL && i < cancel->count)
        cancel->entries[i].arrived = true;
    pthread_mutex_unlock(&lock);

    PyObject *result = args[1] == Py_None ? PyObject_CallMethod(args[0], "cancel", NULL)
                                          : PyObject_CallMethod(args[0], "cancel", "O", args[1]);
    Py_XDECREF(result);
    /* an interrupt is the application's, as in any callback of its loop */
    if (result == NULL && (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) ||
                              PyErr_ExceptionMatches(PyExc_SystemExit)))
        return NULL;
    PyErr_Clear();
    gil_release_turn();
    Py_RETURN_NONE;
}

static PyMethodDef arrived_def = {
    "looptop_cancel", (PyCFunction)(void (*)(void))arrived, METH_FASTCALL, NULL};

int
cancel_init(void)
{
    if (deliver == NULL)
        deliver = PyCFunction_New(&arrived_def, NULL);
    PyErr_Clear();
    return deliver != NULL ? 0 : -ENOMEM;
}

/* The exception in flight as "Type: text" where the text is a plain str; clears it. */
static void
take_error(char *out, size_t size)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    const char *name = type != NULL ? ((PyTypeObject *)type)->tp_name : "error";
    PyObject *args = value != NULL ? ((PyBaseExceptionObject *)value)->args : NULL;
    const char *text = NULL;
    if (args != NULL && PyTuple_CheckExact(args) && PyTuple_GET_SIZE(args) > 0 &&
        PyUnicode_CheckExact(PyTuple_GET_ITEM(args, 0)))
        text = PyUnicode_AsUTF8(PyTuple_GET_ITEM(args, 0));
    (void)snprintf(out, size, "%s: %s", name, text != NULL ? text : "");
    Py_XDECREF(type);
    gil_release(traceback);
    gil_release(value);
    PyErr_Clear();
}

/* Has the loop call the task's cancel(). 0, -1 with an exception. */
static int
send_to_loop(const struct cancel *cancel, size_t i, PyObject *task)
{
    PyObject *message =
        cancel->message != NULL
            ? PyUnicode_DecodeUTF8(cancel->message, (Py_ssize_t)strlen(cancel->message), "replace")
            : Py_NewRef(Py_None);
    PyObject *number = PyLong_FromUnsignedLongLong(cancel->number), *at = PyLong_FromSize_t(i);
    PyObject *const args[] = {task, message, number, at};
    int rc = -1;
    if (message != NULL && number != NULL && at != NULL)
        rc = gil_call_soon(cpy_task_field(task, cpy_layout.loop), deliver, args, 4);
    Py_XDECREF(at);
    Py_XDECREF(number);
    Py_XDECREF(message);
    return rc;
}

/* Whether what one more call leaves may wait. Where too much does, those who drop it are asked to,
 * and given a moment. */
static bool
have_room(struct cancel *cancel)
{
    uint64_t start = ticks_now();
    if (!gil_release_full() || cancel->no_room)
        return !gil_release_full();
    loops_release();
    while (gil_release_full() && ticks_since_ns(start) < ROOM_WAIT_NS && !gil_stopping())
        gil_yield();
    cancel->no_room = gil_release_full();
    return !cancel->no_room;
}

static void
send_one(struct cancel *cancel, size_t i)
{
    struct entry *entry = &cancel->entries[i];
    struct record *record = &table_records[entry->index];
    if (entry->known)
        return;
    pthread_mutex_lock(&lock);
    entry->begun = true;
    pthread_mutex_unlock(&lock);
    bool room = have_room(cancel);
    PyObject *task = record->task;
    /* a task without references is being deallocated, by code of the application that gave the GIL
     * away */
    if (record->id != entry->id || task == NULL || Py_REFCNT(task) <= 0) {
        entry_know(entry, LOOPTOP_OUTCOME_GONE, "it ended before it could be cancelled");
        return;
    }
    if (!room) {
        entry_know(entry, LOOPTOP_OUTCOME_REFUSED,
            "what others left is not freed yet: neither the main thread nor a loop had a turn");
        return;
    }
    Py_INCREF(task);
    STORE(record->flags, (uint16_t)(record->flags | RECORD_WATCHED));
    int rc = send_to_loop(cancel, i, task);
    if (rc < 0) {
        char reason[sizeof entry->reason];
        take_error(reason, sizeof reason);
        entry_know(entry, LOOPTOP_OUTCOME_REFUSED, reason);
    }
    pthread_mutex_lock(&lock);
    entry->sent = rc == 0;
    pthread_mutex_unlock(&lock);
    gil_release(task);
    PyErr_Clear();
}

bool
cancel_send(struct cancel *cancel, uint64_t max_ns)
{
    uint64_t start = ticks_now();
    while (cancel->sent < cancel->count && ticks_since_ns(start) < max_ns)
        send_one(cancel, cancel->sent++);
    return cancel->sent < cancel->count;
}

/* Sends come from the gil thread while this is read: what is not known yet is so a tick later. */
void
cancel_ended(struct record *record, unsigned outcome, uint64_t now)
{
    pthread_mutex_lock(&lock);
    for (struct cancel *cancel = under_way; cancel != NULL; cancel = cancel->next) {
        for (size_t i = 0; i < cancel->count; i++) {
            struct entry *entry = &cancel->entries[i];
            if (entry->id != record->id || entry->known)
                continue;
            entry->outcome = outcome == RECORD_CANCELLED ? LOOPTOP_OUTCOME_CANCELLED
                             : outcome == RECORD_DONE    ? LOOPTOP_OUTCOME_FINISHED
                                                         : LOOPTOP_OUTCOME_FAILED;
            entry->exception = record->exception;
            entry->ended = now;
            entry->known = true;
        }
    }
    pthread_mutex_unlock(&lock);
}

bool
cancel_settled(struct cancel *cancel)
{
    bool all = true;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < cancel->count && all; i++)
        all = cancel->entries[i].known;
    pthread_mutex_unlock(&lock);
    return all || ticks_now() >= cancel->deadline;
}

/* Why it has not arrived. */
static const char *
hindrance(const struct entry *entry)
{
    if (entry->sent)
        return "it is queued; its loop has not come to it: blocked, or not running";
    if (gil_calling_ns() > 0)
        return entry->begun
                   ? "its loop's call_soon_threadsafe has not returned"
                   : "it waits its turn: a call_soon_threadsafe before it has not returned";
    return gil_waiting_ns() > 0 ? "it waits to be queued: the GIL is not free"
                                : "it waits to be queued: the agent has not come to it";
}

/* The time is over and the task has not ended: where does it stand? */
static void
unsettled(struct entry *entry, uint64_t now)
{
    struct record_view view;
    entry->ended = now;
    entry->outcome = entry->arrived ? LOOPTOP_OUTCOME_SUPPRESSED : LOOPTOP_OUTCOME_PENDING;
    if (!entry->arrived)
        (void)snprintf(entry->reason, sizeof entry->reason, "%s", hindrance(entry));
    if (!record_view_read(entry->index, now, &view) || view.id != entry->id)
        return;
    struct site site = names_place(view.at);
    const char *file = names_text(site.file), *function = names_text(site.function);
    if (file != NULL && function != NULL)
        (void)snprintf(entry->at, sizeof entry->at, "%s:%u %s", file, site.line, function);
}

static const char *const outcome_names[] = LOOPTOP_OUTCOME_NAMES;

static void
note_event(const struct cancel *cancel, const struct entry *entry, uint64_t after_ns)
{
    struct event event = {.kind = "cancel",
        .task = entry->id,
        .peer_pid = cancel->peer_pid,
        .peer_uid = cancel->peer_uid};
    memcpy(event.name, entry->name, sizeof event.name);
    (void)snprintf(event.text, sizeof event.text, "%s after %llu.%llu ms%s%.80s%s%.60s",
        outcome_names[entry->outcome], (unsigned long long)(after_ns / 1000000),
        (unsigned long long)(after_ns / 100000 % 10), entry->at[0] != '\0' ? " at " : "", entry->at,
        entry->reason[0] != '\0' ? ": " : "", entry->reason);
    events_add(&event);
}

static void
report_entry(const struct cancel *cancel, struct entry *entry, struct json_out *out)
{
    const char *exception = names_text(entry->exception);
    if (entry->outcome == LOOPTOP_OUTCOME_FAILED && exception != NULL)
        (void)snprintf(entry->reason, sizeof entry->reason, "%s", exception);
    uint64_t after_ns =
        entry->ended > cancel->begun ? ticks_to_ns(entry->ended - cancel->begun) : 0;
    json_out_object(out);
    json_out_kv_uint(out, "id", entry->id);
    json_out_kv_string(out, "name", entry->name);
    json_out_kv_string(out, "outcome", outcome_names[entry->outcome]);
    json_out_kv_uint(out, "after_ns", after_ns);
    json_out_kv_string(out, "at", entry->at[0] != '\0' ? entry->at : NULL);
    json_out_kv_string(out, "reason", entry->reason[0] != '\0' ? entry->reason : NULL);
    json_out_object_end(out);
    note_event(cancel, entry, after_ns);
}

void
cancel_report(struct cancel *cancel, struct json_out *out)
{
    uint64_t now = ticks_now();
    json_out_object(out);
    json_out_key(out, "results");
    json_out_array(out);
    for (size_t i = 0; i < cancel->count; i++) {
        /* a copy: what is still on its way goes on being written, and is still to be sent */
        pthread_mutex_lock(&lock);
        struct entry entry = cancel->entries[i];
        pthread_mutex_unlock(&lock);
        if (!entry.known)
            unsettled(&entry, now);
        report_entry(cancel, &entry, out);
    }
    json_out_array_end(out);
    json_out_object_end(out);
}

void
cancel_free(struct cancel *cancel)
{
    if (cancel == NULL)
        return;
    pthread_mutex_lock(&lock);
    struct cancel **link = &under_way;
    while (*link != NULL && *link != cancel)
        link = &(*link)->next;
    if (*link != NULL)
        *link = cancel->next;
    pthread_mutex_unlock(&lock);
    free(cancel->message);
    free(cancel);
}

void
cancel_child(void)
{
    pthread_mutex_init(&lock, NULL);
    under_way = NULL;
}
