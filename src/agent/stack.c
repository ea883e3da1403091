// SPDX-License-Identifier: MIT
/*
 * See stack.h. A suspended chain is followed from coroutine to coroutine; between two slices a
 * strong reference keeps the place, and a step taken meanwhile (the record counts them) makes
 * reading begin anew. Of a running chain the thread is looked for first; then it is read from the
 * thread's stack within the slice, since its frames are gone as soon as the GIL is given back.
 * There only the innermost frames show locals.
 */
#include "agent/stack.h"

#include <errno.h>

#include "agent/gil_release.h"
#include "agent/locals.h"
#include "agent/paths.h"
#include "agent/record_view.h"
#include "agent/table_ids.h"
#include "agent/ticks.h"
#include "looptop/limits.h"

#define RESTARTS_MAX 3
#define RUNNING_LOCALS 24 /* innermost frames of a running chain that show their locals */

/* Where the next slice goes on; the application's last reference is not dropped here. */
static void
follow(struct stack *stack, PyObject *next)
{
    gil_release(stack->next);
    stack->next = Py_XNewRef(next);
}

void
stack_init(struct stack *stack, uint64_t task, struct buf *buf)
{
    *stack = (struct stack){.task = task, .index = table_ids_search(task)};
    json_out_init(&stack->out, buf);
}

void
stack_done(struct stack *stack)
{
    follow(stack, NULL);
}

static const char *
kind_of(const PyCodeObject *code)
{
    if (code->co_flags & CO_ASYNC_GENERATOR)
        return "async generator";
    if (code->co_flags & CO_COROUTINE)
        return "coroutine";
    return code->co_flags & CO_GENERATOR ? "generator" : "function";
}

static void
write_text(struct json_out *out, const char *key, PyObject *text)
{
    char bytes[1024];
    size_t n = paths_unicode(text, bytes, sizeof bytes);
    json_out_key(out, key);
    json_out_string_n(out, bytes, n);
}

static void
write_frame(struct stack *stack, _PyInterpreterFrame *frame, bool with_locals)
{
    struct json_out *out = &stack->out;
    struct cpy_place place = {cpyv_frame_code(frame), 0};
    if (place.code == NULL)
        return;
    place.lasti = cpyv_frame_lasti(frame);
    json_out_object(out);
    json_out_kv_string(out, "kind", kind_of(place.code));
    write_text(out, "function", place.code->co_qualname);
    write_text(out, "file", place.code->co_filename);
    json_out_kv_uint(out, "line", cpy_line(&place));
    locals_write(out, frame, with_locals);
    json_out_object_end(out);
    stack->frames++;
}

static void
begin(struct stack *stack, const struct record *record)
{
    struct buf *buf = stack->out.buf;
    buf_clear(buf);
    json_out_init(&stack->out, buf);
    stack->begun = true;
    stack->step = record->steps;
    stack->frames = 0;
    stack->reason = stack->awaits = NULL;
    follow(stack, NULL);
    json_out_object(&stack->out);
    json_out_kv_uint(&stack->out, "id", stack->task);
    json_out_key(&stack->out, "frames");
    json_out_array(&stack->out);
}

static int
finish(struct stack *stack, const char *state)
{
    struct json_out *out = &stack->out;
    json_out_array_end(out);
    json_out_kv_string(out, "state", state);
    json_out_kv_bool(out, "complete", stack->reason == NULL);
    json_out_kv_string(out, "reason", stack->reason);
    json_out_kv_string(out, "awaits", stack->awaits);
    json_out_object_end(out);
    follow(stack, NULL);
    return 1;
}

static const char *
last_part(const char *dotted)
{
    const char *dot = strrchr(dotted, '.');
    return dot != NULL ? dot + 1 : dotted;
}

/*
 * Looks for the thread that runs a coroutine, for half of a slice; the rest is for reading. 0:
 * there are more to be looked at; 1: its frames from the inside out, none where no thread has it.
 */
static int
find_running(struct stack *stack, PyObject *coro, uint64_t start, uint64_t max_ns,
    _PyInterpreterFrame *const **ret_frames, size_t *ret_count)
{
    const _PyInterpreterFrame *root = cpyv_gen_frame((PyGenObject *)coro);
    PyThreadState *thread;
    while ((thread = cpy_thread_next(&stack->walk)) != NULL) {
        size_t count;
        *ret_frames = cpy_thread_frames(thread, &count);
        for (size_t i = 0; i < count; i++) {
            if ((*ret_frames)[i] == root) {
                *ret_count = i + 1;
                return 1;
            }
        }
        if (ticks_since_ns(start) > max_ns / 2) {
            cpy_thread_resume(&stack->walk);
            return 0;
        }
    }
    *ret_count = 0;
    return 1;
}

/* Reads as many frames as the slice has time for, and puts them the right way round afterwards. */
static void
write_running(struct stack *stack, _PyInterpreterFrame *const *frames, size_t count, uint64_t start,
    uint64_t max_ns)
{
    uint32_t ends[CPY_CHAIN_MAX + 1] = {0};
    size_t read = 0;
    struct json_out whole = stack->out;
    struct buf buf;

    buf_init(&buf, whole.buf->max);
    while (read < count && read < CPY_CHAIN_MAX && (read == 0 || ticks_since_ns(start) < max_ns)) {
        json_out_init(&stack->out, &buf);
        write_frame(stack, frames[read], read < RUNNING_LOCALS);
        ends[++read] = (uint32_t)buf.len;
    }
    stack->out = whole;
    for (size_t i = read; i-- > 0 && buf.error == 0;)
        if (ends[i + 1] > ends[i])
            json_out_raw(&stack->out, buf.data + ends[i], ends[i + 1] - ends[i]);
    if (count == 0)
        stack->reason = "it runs, and no thread's stack shows it";
    else if (read < count)
        stack->reason = "too much for one look: only the innermost frames are shown";
    buf_done(&buf);
}

/* Follows the chain; 0: the time is over, 1: it has ended. */
static int
write_suspended(struct stack *stack, PyObject *at, uint64_t start, uint64_t max_ns)
{
    while (at != NULL && cpy_is_gen(at)) {
        if (ticks_since_ns(start) > max_ns) {
            if (gil_release_full()) {
                stack->reason =
                    "cut: neither the main thread nor a loop had a turn to free what others left";
                return 1;
            }
            follow(stack, at);
            return 0;
        }
        PyGenObject *gen = (PyGenObject *)at;
        if (!cpyv_gen_suspended(gen) && !cpyv_gen_created(gen))
            break;
        if (stack->frames == LOOPTOP_FRAMES_MAX) {
            stack->reason = "too deep: the innermost frames are not shown";
            return 1;
        }
        write_frame(stack, cpyv_gen_frame(gen), true);
        at = cpy_awaited(at);
    }
    if (at != NULL && !cpy_is_gen(at))
        stack->awaits = last_part(Py_TYPE(at)->tp_name);
    return 1;
}

static const char *
state_name(uint32_t index)
{
    static const char *const names[] = LOOPTOP_STATE_NAMES;
    uint64_t id;
    uint32_t loop;
    enum looptop_state state;
    return record_view_state(index, ticks_now(), &id, &state, &loop) ? names[state] : "done";
}

int
stack_slice(struct stack *stack, uint64_t max_ns)
{
    uint64_t start = ticks_now();
    const struct record *record = &table_records[stack->index];
    if (stack->index == 0 || record->id != stack->task)
        return -ENOENT;
    PyObject *task = record->task;
    if (!stack->begun || record->steps != stack->step) {
        if (stack->begun && ++stack->restarts > RESTARTS_MAX) {
            stack->reason = "the task went on while it was read";
            return finish(stack, state_name(stack->index));
        }
        begin(stack, record);
        stack->walk = (struct cpy_threads){0};
    }
    PyObject *coro = task != NULL ? cpy_task_field(task, cpy_layout.coro) : NULL;
    if (coro == NULL)
        return finish(stack, state_name(stack->index));
    if (cpy_is_gen(coro) && cpyv_gen_executing((PyGenObject *)coro)) {
        _PyInterpreterFrame *const *frames = NULL;
        size_t count = 0;
        if (find_running(stack, coro, start, max_ns, &frames, &count) == 0)
            return 0;
        begin(stack, record);
        write_running(stack, frames, count, start, max_ns);
        return finish(stack, state_name(stack->index));
    }
    if (write_suspended(stack, stack->next != NULL ? stack->next : coro, start, max_ns) == 0)
        return 0;
    PyObject *waiter = cpy_task_field(task, cpy_layout.waiter);
    if (waiter != NULL)
        stack->awaits = last_part(Py_TYPE(waiter)->tp_name);
    return finish(stack, state_name(stack->index));
}
