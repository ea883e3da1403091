/* SPDX-License-Identifier: MIT */
/* The methods `hello`, `status` and `loops`. io thread. */
#ifndef LOOPTOP_AGENT_REPORT_H
#define LOOPTOP_AGENT_REPORT_H

#include <stdbool.h>

#include "proto/json_out.h"

/* At each start: the interpreter's version, since when. GIL: any. */
void report_init(void);

/* A second has passed: rates. */
void report_sample(void);

void report_hello(struct json_out *out);
void report_status(struct json_out *out, unsigned clients);
void report_loops(struct json_out *out, bool history);

#endif
