// SPDX-License-Identifier: MIT
/*
 * See running.h. A step is found on the stack of its thread by the frame of the task's coroutine.
 * To be done with many loops in many threads, the coroutines are collected first; then the frames
 * of each thread are gone through once. In between, and between two threads, the GIL may be given
 * back: what is found is the task's only if it still says so.
 */
#include "agent/running.h"

#include "agent/cpython/cpy.h"

#include <stdlib.h>

#include "agent/gil.h"
#include "agent/hooks_birth.h"
#include "agent/loops.h"
#include "agent/paths.h"
#include "agent/table.h"

/* The frame with which a loop's step began. */
struct root {
    const _PyInterpreterFrame *frame;
    uint32_t loop;
};

static struct root roots[LOOPS_MAX];
static size_t roots_count, roots_found;

/* The coroutine of the task that a loop has in a step, borrowed; NULL: none, or it has none. */
static PyObject *
coroutine_of(const struct loop *loop, struct record **ret_record)
{
    struct record *record = &table_records[loop->running];
    if (loop->running == 0 || record->task == NULL)
        return NULL;
    PyObject *coro = cpy_task_field(record->task, cpy_layout.coro);
    *ret_record = record;
    return coro != NULL && cpy_is_gen(coro) ? coro : NULL;
}

static void
collect(uint32_t index)
{
    struct record *record;
    PyObject *coro = coroutine_of(&loops[index], &record);
    if (coro == NULL)
        return;
    if (record->name_number == 0 && record->name[0] == '\0') /* eager: named in its step */
        hooks_set_name(record, cpy_task_field(record->task, cpy_layout.name));
    if (cpyv_gen_executing((PyGenObject *)coro)) {
        roots[roots_count++] = (struct root){cpyv_gen_frame((PyGenObject *)coro), index};
    } else if (record->flags & RECORD_AGE_INEXACT) {
        /* its step began before the hooks were in, and has ended unseen */
        STORE(loops[index].running, 0);
        paths_update(record, record->task);
    }
}

static int
compare(const void *a, const void *b)
{
    const struct root *x = a, *y = b;
    return x->frame < y->frame ? -1 : x->frame > y->frame;
}

/* Whether any of a thread's frames began a step; frames are from the inside out. */
static void
look_through(_PyInterpreterFrame *const *frames, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!cpy_frame_of_gen(frames[i]))
            continue;
        const struct root key = {.frame = frames[i]};
        const struct root *root = bsearch(&key, roots, roots_count, sizeof key, compare);
        if (root == NULL)
            continue;
        roots_found++;
        struct record *record;
        PyObject *coro = coroutine_of(&loops[root->loop], &record);
        if (coro != NULL && cpyv_gen_executing((PyGenObject *)coro) &&
            cpyv_gen_frame((PyGenObject *)coro) == frames[i])
            paths_update_running(record, frames, i + 1);
    }
}

void
running_refresh(void)
{
    struct cpy_threads walk = {0};
    PyThreadState *thread;

    roots_count = roots_found = 0;
    for (uint32_t i = 0; i < loops_high; i++) {
        collect(i);
        (void)gil_give_way();
    }
    qsort(roots, roots_count, sizeof roots[0], compare);
    while (roots_found < roots_count && (thread = cpy_thread_next(&walk)) != NULL) {
        size_t count;
        _PyInterpreterFrame *const *frames = cpy_thread_frames(thread, &count);
        look_through(frames, count);
        if (gil_give_way())
            cpy_thread_resume(&walk);
    }
}
