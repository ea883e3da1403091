/* SPDX-License-Identifier: MIT */
/*
 * What became of the tasks that were cancelled from here: shown in their rows for a while. A task
 * whose outcome is not known yet has one that says so.
 */
#ifndef LOOPTOP_CLIENT_MODEL_OUTCOMES_H
#define LOOPTOP_CLIENT_MODEL_OUTCOMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/model/stack.h"

#define OUTCOMES_MAX 256

enum note_kind { NOTE_INFO, NOTE_WARNING, NOTE_ERROR };

struct outcome {
    uint64_t id;
    uint64_t at_ns; /* when it was learned; asked, while it is open */
    bool open;      /* no answer yet */
    enum note_kind kind;
    char text[200];
};

struct outcomes {
    struct outcome ring[OUTCOMES_MAX];
    size_t next; /* place of the next one */
};

/* The cancellation was sent off. */
void outcomes_asked(struct outcomes *outcomes, uint64_t id, uint64_t now_ns);

/* The agent answered. */
void outcomes_answered(
    struct outcomes *outcomes, const struct cancel_result *result, uint64_t now_ns);

/* No answer will come; text says why. */
void outcomes_failed(struct outcomes *outcomes, uint64_t id, const char *text, uint64_t now_ns);

/* What is to be shown of a task now, NULL: nothing, or not any more. */
const struct outcome *outcomes_find(const struct outcomes *outcomes, uint64_t id, uint64_t now_ns);

enum note_kind outcome_kind(enum looptop_outcome outcome);

#endif
