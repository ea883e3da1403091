// SPDX-License-Identifier: MIT
/*
 * See stack.h. A suspended chain is followed from coroutine to coroutine; between two slices a
 * strong reference keeps the place, and a step taken meanwhile (the record counts them) makes
 * reading begin anew. A running chain is read in one slice from the stack of the thread that runs
 * it, since its frames are gone as soon as the GIL is given back; there only the innermost frames
 * show locals.
 */
#include "agent/stack.h"

#include <errno.h>

#include "agent/gil_call.h"
#include "agent/locals.h"
#include "agent/paths.h"
#include "agent/record_view.h"
#include "agent/ticks.h"
#include "looptop/limits.h"

#define RESTARTS_MAX 3
#define RUNNING_LOCALS 24 /* innermost frames of a running chain that show their locals */

void
stack_init(struct stack *stack, uint64_t task, struct buf *buf)
{
    *stack = (struct stack){.task = task};
    json_out_init(&stack->out, buf);
}

void
stack_done(struct stack *stack)
{
    gil_release(stack->next);
    stack->next = NULL;
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
    gil_release(stack->next);
    stack->next = NULL;
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
    gil_release(stack->next);
    stack->next = NULL;
    return 1;
}

static const char *
last_part(const char *dotted)
{
    const char *dot = strrchr(dotted, '.');
    return dot != NULL ? dot + 1 : dotted;
}

/*
 * The frames of a running chain, read from the inside out for as long as a slice may last, and put
 * the right way round afterwards.
 */
static void
write_running(struct stack *stack, PyObject *coro, uint64_t start, uint64_t max_ns)
{
    _PyInterpreterFrame *frames[CPY_CHAIN_MAX];
    uint32_t ends[CPY_CHAIN_MAX + 1] = {0};
    size_t read = 0;
    struct json_out whole = stack->out;
    struct buf buf;
    size_t count = cpy_running_frames(coro, frames, CPY_CHAIN_MAX);

    buf_init(&buf, whole.buf->max);
    while (read < count && (read == 0 || ticks_since_ns(start) < max_ns)) {
        json_out_init(&stack->out, &buf);
        write_frame(stack, frames[count - 1 - read], read < RUNNING_LOCALS);
        ends[++read] = (uint32_t)buf.len;
    }
    stack->out = whole;
    for (size_t i = read; i-- > 0 && buf.error == 0;)
        if (ends[i + 1] > ends[i])
            json_out_raw(&stack->out, buf.data + ends[i], ends[i + 1] - ends[i]);
    if (count == 0)
        stack->reason = "it runs, and no thread's stack shows it";
    else if (read < count || count == CPY_CHAIN_MAX)
        stack->reason = "too much for one look: only the innermost frames are shown";
    buf_done(&buf);
}

/* Follows the chain; 0: the time is over, 1: it has ended. */
static int
write_suspended(struct stack *stack, PyObject *at, uint64_t start, uint64_t max_ns)
{
    while (at != NULL && cpy_is_gen(at)) {
        if (ticks_since_ns(start) > max_ns) {
            gil_release(stack->next);
            stack->next = Py_NewRef(at);
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
    if (!stack->begun)
        stack->index = record_view_find(stack->task);
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
    }
    PyObject *coro = task != NULL ? cpy_task_field(task, cpy_layout.coro) : NULL;
    if (coro == NULL)
        return finish(stack, state_name(stack->index));
    if (cpy_is_gen(coro) && cpyv_gen_executing((PyGenObject *)coro)) {
        begin(stack, record);
        write_running(stack, coro, start, max_ns);
        return finish(stack, state_name(stack->index));
    }
    if (write_suspended(stack, stack->next != NULL ? stack->next : coro, start, max_ns) == 0)
        return 0;
    PyObject *waiter = cpy_task_field(task, cpy_layout.waiter);
    if (waiter != NULL)
        stack->awaits = last_part(Py_TYPE(waiter)->tp_name);
    return finish(stack, state_name(stack->index));
}
