/* SPDX-License-Identifier: MIT */
/*
 * The whole await chain of a task with its locals, read from frames and generators. Nothing of the
 * application runs: values are shown only of exact str, bytes, int, float, bool and None, lengths
 * only of exact containers, everything else by the name of its type.
 */
#ifndef LOOPTOP_AGENT_STACK_H
#define LOOPTOP_AGENT_STACK_H

#include "agent/cpython/cpy.h"

#include "proto/json_out.h"
#include "proto/rpc.h"

/* A chain that is being read, slice by slice. */
struct stack {
    uint64_t task;           /* id */
    uint32_t index;          /* of its record */
    uint64_t step;           /* the task's number of steps when reading began */
    PyObject *next;          /* strong: where the next slice goes on; NULL: at the coroutine */
    struct cpy_threads walk; /* threads looked at for a running chain */
    unsigned frames;         /* written so far */
    unsigned restarts;
    bool begun, done;
    struct json_out out;
    const char *reason; /* why it is not complete; NULL: it is */
    const char *awaits; /* type of what the last frame awaits */
};

/* Prepares reading the task's chain into buf; goes through the table for it. GIL not held. */
void stack_init(struct stack *stack, uint64_t task, struct buf *buf);

/*
 * Reads for at most about max_ns. 0: more to do; 1: done, the buffer holds the result; -ENOENT: the
 * task is gone. GIL held.
 */
int stack_slice(struct stack *stack, uint64_t max_ns);

/* Lets go of what it holds. GIL held. */
void stack_done(struct stack *stack);

#endif
