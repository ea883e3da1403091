/* SPDX-License-Identifier: MIT */
/* The local variables of one frame as JSON. GIL held; runs no Python code. */
#ifndef LOOPTOP_AGENT_LOCALS_H
#define LOOPTOP_AGENT_LOCALS_H

#include "agent/cpython/cpy.h"

#include "proto/json_out.h"

/*
 * Writes the keys "locals" and "more_locals" of a frame; without `show` an empty list and how many
 * there are.
 */
void locals_write(struct json_out *out, _PyInterpreterFrame *frame, bool show);

#endif
