/* SPDX-License-Identifier: MIT */
/* What is noted of a task at its birth, or when it is met for the first time. GIL held. */
#ifndef LOOPTOP_AGENT_HOOKS_BIRTH_H
#define LOOPTOP_AGENT_HOOKS_BIRTH_H

#include "agent/cpython/cpy.h"

#include "agent/table.h"

/* Names and modules looked for. 0, -ENOMEM. Once. */
int hooks_birth_prepare(void);

/*
 * A task was made: its __init__ has run. within: the id of its record, if its first step made that
 * necessary before (loops_thread.making), or 0; pad: what its padding held before.
 */
void hooks_birth(PyObject *task, uint64_t within, uint32_t pad);

/* Its __init__ failed; it may have ended before. */
void hooks_birth_take_back(uint32_t index, uint64_t id, const PyObject *task);

/*
 * The record of a task whose __init__ will run its first step, as far as it is known before; NULL
 * where the table is full.
 */
struct record *hooks_birth_begin(PyObject *task);

/* What stands in the task object: name, coroutine, loop. */
void hooks_read_task(struct record *record, PyObject *task);

/* Whether cancellations of it are asked for. */
static inline void
hooks_read_cancels(struct record *record, PyObject *task)
{
    bool cancelling = (record->flags & RECORD_CANCELLING) != 0;
    if (unlikely((cpy_task_cancels(task) > 0) != cancelling))
        STORE(record->flags, (uint16_t)(record->flags ^ RECORD_CANCELLING));
}

/*
 * What stands in the task object as far as Task's arguments say it, for a task whose first step
 * comes before its fields are to be read.
 */
void hooks_read_arguments(struct record *record, PyObject *args, PyObject *kwargs);

/* A name as Task keeps it: "Task-N" as its number, anything else as text. */
void hooks_set_name(struct record *record, PyObject *name);

/* Keywords of Task: the one that asks for an eager start, and those that create_task gives it
 * beside. Strong. */
extern HIDDEN PyObject *hooks_eager_start, *hooks_usual_keywords[3];

/* Whether the keywords of Task ask for an eager start, and whether they may. */
COLD bool hooks_asks_eager(PyObject *kwargs);

static inline bool
hooks_may_ask_eager(PyObject *kwargs)
{
    return CPY_CAN_BE_EAGER && kwargs != NULL &&
           !cpy_dict_lacks(kwargs, hooks_eager_start, hooks_usual_keywords);
}

/* Whether Task.__init__ has run the first step. */
bool hooks_did_start(PyObject *task);

/* A record for a task that has none, NULL when it ended or the table is full. */
struct record *hooks_record_unseen(PyObject *task);

/* The record of a task, taken in where the agent did not see its birth. */
static inline struct record *
hooks_record(PyObject *task)
{
    struct record *record = table_find(*cpy_task_pad(task), task);
    return likely(record != NULL) ? record : hooks_record_unseen(task);
}

#endif
