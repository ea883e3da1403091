/* SPDX-License-Identifier: MIT */
/*
 * Where a task stands: its await chain as "at" (the deepest frame of the user's own code) and
 * "waiting on" (what that frame awaits). The chain's instruction pointers are hashed; a hash seen
 * before needs no further look, so that classification runs once for each path through the code.
 * Nothing of the application is kept alive by it.
 *
 * GIL: held everywhere. Runs no Python code.
 */
#ifndef LOOPTOP_AGENT_PATHS_H
#define LOOPTOP_AGENT_PATHS_H

#include "agent/cpython/cpy.h"

struct record;

/*
 * Learns where the standard library is. 0, -ENOMEM. Once, after asyncio is imported.
 */
int paths_init(void);

/* Writes path, at, waiting_on and at_step of a task that is not running. */
void paths_update(struct record *record, PyObject *task);

/* Writes `at` of a running task from the frames of its step, from the inside out. */
void paths_update_running(struct record *record, _PyInterpreterFrame *const *frames, size_t count);

/* The site of a place in code; 0 where there is no room. */
uint32_t paths_site(const struct cpy_place *place);

/* The qualified name of a coroutine or generator as a string number; its type's otherwise. */
uint32_t paths_coroutine(PyObject *coro);

/* Writes created_at and coroutine of a task's record at its birth. */
void paths_birth(struct record *record, const struct cpy_place *place, PyObject *coro);

/* What is known by the address of a code is known for this generation. */
extern HIDDEN uint32_t paths_generation;

/* A type's name without its module as a string number. */
uint32_t paths_type(PyTypeObject *type);

/* A text object as UTF-8, cut to size and terminated; returns its length. Nothing is cached in it.
 */
size_t paths_unicode(PyObject *text, char *out, size_t size);

#endif
