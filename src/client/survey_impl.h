/* SPDX-License-Identifier: MIT */
/* What survey.c and survey_once.c share. Nobody else includes this. */
#ifndef LOOPTOP_CLIENT_SURVEY_IMPL_H
#define LOOPTOP_CLIENT_SURVEY_IMPL_H

#include "client/ask.h"
#include "client/survey.h"

#define SURVEY_PATIENCE_NS 300000000ull /* for an answer, before it is said to be missing */

struct survey_link {
    struct ask ask;
    uint64_t cpu_ns, sampled_ns; /* the CPU clock, and when it was read; 0: not yet */
    bool postponed;              /* to be connected when others are done with */
};

/* Reads the CPU clock; says what it went by since the time before, if that was long enough ago. */
void survey_sample(struct process_row *row, struct survey_link *link);

#endif
