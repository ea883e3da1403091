/* SPDX-License-Identifier: MIT */
/* A ring: the newest entry of a task counts, and the oldest entries give way. */
#include "client/model/outcomes.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"

#define SHOWN_NS (10 * CLOCK_NS_PER_S)

static struct outcome *
find(struct outcomes *outcomes, uint64_t id)
{
    for (size_t i = 0; i < OUTCOMES_MAX; i++)
        if (outcomes->ring[i].id == id)
            return &outcomes->ring[i];
    return NULL;
}

static struct outcome *
place(struct outcomes *outcomes, uint64_t id)
{
    struct outcome *outcome = find(outcomes, id);

    if (!outcome) {
        outcome = &outcomes->ring[outcomes->next];
        outcomes->next = (outcomes->next + 1) % OUTCOMES_MAX;
    }
    memset(outcome, 0, sizeof *outcome);
    outcome->id = id;
    return outcome;
}

enum note_kind
outcome_kind(enum looptop_outcome outcome)
{
    switch (outcome) {
    case LOOPTOP_OUTCOME_CANCELLED:
    case LOOPTOP_OUTCOME_FINISHED:
    case LOOPTOP_OUTCOME_GONE:
        return NOTE_INFO;
    case LOOPTOP_OUTCOME_FAILED:
    case LOOPTOP_OUTCOME_PENDING:
        return NOTE_WARNING;
    default:
        return NOTE_ERROR;
    }
}

void
outcomes_asked(struct outcomes *outcomes, uint64_t id, uint64_t now_ns)
{
    struct outcome *outcome = place(outcomes, id);

    outcome->at_ns = now_ns;
    outcome->open = true;
    outcome->kind = NOTE_WARNING;
    snprintf(outcome->text, sizeof outcome->text, "cancelling…");
}

void
outcomes_answered(struct outcomes *outcomes, const struct cancel_result *result, uint64_t now_ns)
{
    struct outcome *outcome = place(outcomes, result->id);

    outcome->at_ns = now_ns;
    outcome->kind = outcome_kind(result->outcome);
    cancel_describe(result, outcome->text, sizeof outcome->text);
}

void
outcomes_failed(struct outcomes *outcomes, uint64_t id, const char *text, uint64_t now_ns)
{
    struct outcome *outcome = place(outcomes, id);

    outcome->at_ns = now_ns;
    outcome->kind = NOTE_ERROR;
    snprintf(outcome->text, sizeof outcome->text, "not cancelled: %s", text);
}

const struct outcome *
outcomes_find(const struct outcomes *outcomes, uint64_t id, uint64_t now_ns)
{
    for (size_t i = 0; i < OUTCOMES_MAX; i++) {
        const struct outcome *outcome = &outcomes->ring[i];
        if (outcome->id == id && id != 0)
            return outcome->open || now_ns < outcome->at_ns + SHOWN_NS ? outcome : NULL;
    }
    return NULL;
}
