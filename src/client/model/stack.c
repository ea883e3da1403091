/* SPDX-License-Identifier: MIT */
/*
 * A stack is one allocation: frames first, then locals, then text, sized by a pass that also checks
 * every type and bound.
 */
#include "client/model/stack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/model/json_in.h"
#include "looptop/limits.h"
#include "vendor/cjson/cJSON.h"

static const char *const state_names[LOOPTOP_STATES] = LOOPTOP_STATE_NAMES;

/* The three parts of the allocation, first as sizes, then as places still free. */
struct layout {
    size_t frames, locals, text;
    struct stack_local *next_local;
    char *next_text;
};

/* Checks a text field and counts its bytes; absent or null is fine. */
static int
measure_text(const cJSON *object, const char *key, struct layout *layout)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

    if (!item || cJSON_IsNull(item))
        return 0;
    if (!cJSON_IsString(item))
        return -EPROTO;
    layout->text += strlen(item->valuestring) + 1;
    return 0;
}

static int
measure_frame(const cJSON *frame, struct layout *layout)
{
    const cJSON *locals, *local;
    size_t count = 0;

    if (!cJSON_IsObject(frame) || measure_text(frame, "kind", layout) < 0 ||
        measure_text(frame, "function", layout) < 0 || measure_text(frame, "file", layout) < 0 ||
        json_in_array(frame, "locals", &locals) < 0)
        return -EPROTO;
    cJSON_ArrayForEach(local, locals)
    {
        if (++count > LOOPTOP_LOCALS_MAX || !cJSON_IsObject(local) ||
            measure_text(local, "name", layout) < 0 || measure_text(local, "type", layout) < 0 ||
            measure_text(local, "value", layout) < 0)
            return -EPROTO;
    }
    layout->locals += count;
    return 0;
}

static int
measure(const cJSON *result, const cJSON *frames, struct layout *layout)
{
    const cJSON *frame;

    if (measure_text(result, "reason", layout) < 0 || measure_text(result, "awaits", layout) < 0)
        return -EPROTO;
    cJSON_ArrayForEach(frame, frames)
    {
        if (++layout->frames > LOOPTOP_FRAMES_MAX || measure_frame(frame, layout) < 0)
            return -EPROTO;
    }
    return 0;
}

static const char *
keep_text(const cJSON *object, const char *key, const char *fallback, struct layout *layout)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    char *copy = layout->next_text;
    size_t n;

    if (!cJSON_IsString(item))
        return fallback;
    n = strlen(item->valuestring) + 1;
    memcpy(copy, item->valuestring, n);
    layout->next_text += n;
    return copy;
}

static int
decode_local(const cJSON *item, struct stack_local *local, struct layout *layout)
{
    local->name = keep_text(item, "name", "", layout);
    local->type = keep_text(item, "type", "", layout);
    local->value = keep_text(item, "value", NULL, layout);
    return json_in_int(item, "length", -1, &local->length);
}

static int
decode_frame(const cJSON *item, struct stack_frame *frame, struct layout *layout)
{
    const cJSON *locals = cJSON_GetObjectItemCaseSensitive(item, "locals"), *local;
    uint64_t line;

    frame->kind = keep_text(item, "kind", "", layout);
    frame->function = keep_text(item, "function", "", layout);
    frame->file = keep_text(item, "file", "", layout);
    if (json_in_uint(item, "line", 0, &line) < 0 || line > INT32_MAX ||
        json_in_uint(item, "more_locals", 0, &frame->more_locals) < 0)
        return -EPROTO;
    frame->line = (uint32_t)line;
    frame->locals = layout->next_local;
    cJSON_ArrayForEach(local, locals)
    {
        if (decode_local(local, layout->next_local, layout) < 0)
            return -EPROTO;
        layout->next_local++;
        frame->locals_count++;
    }
    return 0;
}

static int
state_by_name(const cJSON *result, enum looptop_state *ret_state)
{
    char name[16];

    if (json_in_text(result, "state", name, sizeof(name)) < 0)
        return -EPROTO;
    for (size_t i = 0; i < LOOPTOP_STATES; i++) {
        if (strcmp(name, state_names[i]) == 0) {
            *ret_state = (enum looptop_state)i;
            return 0;
        }
    }
    return -EPROTO;
}

static int
decode_into(const cJSON *result, const cJSON *frames, struct stack *out, struct layout *layout)
{
    const cJSON *frame;

    if (json_in_uint(result, "id", 0, &out->id) < 0 || state_by_name(result, &out->state) < 0 ||
        json_in_bool(result, "complete", true, &out->complete) < 0)
        return -EPROTO;
    out->reason = keep_text(result, "reason", NULL, layout);
    out->awaits = keep_text(result, "awaits", NULL, layout);
    cJSON_ArrayForEach(frame, frames)
    {
        if (decode_frame(frame, &out->frames[out->count], layout) < 0)
            return -EPROTO;
        out->count++;
    }
    return 0;
}

int
stack_decode(const cJSON *result, struct stack *ret_stack)
{
    struct layout layout = {.text = 1};
    struct stack out = {0};
    const cJSON *frames;
    int r;

    if (!cJSON_IsObject(result) || json_in_array(result, "frames", &frames) < 0 ||
        measure(result, frames, &layout) < 0)
        return -EPROTO;
    out.arena = calloc(1, layout.frames * sizeof(struct stack_frame) +
                              layout.locals * sizeof(struct stack_local) + layout.text);
    if (!out.arena)
        return -ENOMEM;
    out.frames = out.arena;
    layout.next_local = (struct stack_local *)(out.frames + layout.frames);
    layout.next_text = (char *)(layout.next_local + layout.locals);
    r = decode_into(result, frames, &out, &layout);
    if (r < 0)
        stack_done(&out);
    else
        *ret_stack = out;
    return r;
}

void
stack_done(struct stack *stack)
{
    if (!stack)
        return;
    free(stack->arena);
    *stack = (struct stack){0};
}
