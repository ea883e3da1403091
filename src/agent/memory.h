/* SPDX-License-Identifier: MIT */
/*
 * Memory of the process, once a second: resident size, C heap, Python's own blocks, and the garbage
 * collector's pauses, with ten minutes of history.
 */
#ifndef LOOPTOP_AGENT_MEMORY_H
#define LOOPTOP_AGENT_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

struct json_out;

/* Appends a callback in C to gc.callbacks. GIL held, once. */
void memory_gc_install(void);

/* Whether counting Python's blocks is due: it costs up to a millisecond, so rarely. gil thread. */
bool memory_blocks_due(void);

/* Whether counting them takes a good part of a slice, as far as is known. gil thread. */
bool memory_blocks_are_dear(void);

/* Counts them. GIL held. */
void memory_blocks_sample(void);

/* One sample of everything that needs no GIL. io thread, once a second. */
void memory_sample(uint64_t tasks);

/* Memory of the agent itself, bytes. */
uint64_t memory_agent_bytes(void);

/* Writes MEMORY of looptop-protocol(7). io thread. */
void memory_report(struct json_out *out, bool history);

/* Starts anew in a forked child. */
void memory_reset(void);

#endif
