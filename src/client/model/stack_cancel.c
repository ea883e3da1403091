/* SPDX-License-Identifier: MIT */
/* The answer of `cancel`: what became of each task, and how that is said. */
#include "client/model/stack.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/model/json_in.h"
#include "common/fmt.h"
#include "vendor/cjson/cJSON.h"

static const char *const outcome_names[LOOPTOP_OUTCOMES] = LOOPTOP_OUTCOME_NAMES;

static int
decode_outcome(const cJSON *item, enum looptop_outcome *ret_outcome)
{
    char name[16];

    if (json_in_text(item, "outcome", name, sizeof(name)) < 0)
        return -EPROTO;
    for (size_t i = 0; i < LOOPTOP_OUTCOMES; i++) {
        if (strcmp(name, outcome_names[i]) == 0) {
            *ret_outcome = (enum looptop_outcome)i;
            return 0;
        }
    }
    return -EPROTO;
}

static int
decode_one(const cJSON *item, struct cancel_result *out)
{
    if (!cJSON_IsObject(item) || json_in_uint(item, "id", 0, &out->id) < 0 ||
        json_in_text(item, "name", out->name, sizeof(out->name)) < 0 ||
        decode_outcome(item, &out->outcome) < 0 ||
        json_in_uint(item, "after_ns", 0, &out->after_ns) < 0 ||
        json_in_text(item, "at", out->at, sizeof(out->at)) < 0 ||
        json_in_text(item, "reason", out->reason, sizeof(out->reason)) < 0)
        return -EPROTO;
    return 0;
}

int
cancel_decode(const cJSON *result, struct cancel_result *ret_results, size_t max)
{
    const cJSON *list, *item;
    size_t count = 0;

    if (!cJSON_IsObject(result) || json_in_array(result, "results", &list) < 0 || !list)
        return -EPROTO;
    cJSON_ArrayForEach(item, list)
    {
        struct cancel_result one = {0};

        if (count == max || decode_one(item, &one) < 0)
            return -EPROTO;
        ret_results[count++] = one;
    }
    return (int)count;
}

/* Where a task stands, its file without the directories: as in the table, and a line is short. */
static const char *
short_place(const char *at)
{
    const char *slash = strrchr(at, '/');

    return slash ? slash + 1 : at;
}

void
cancel_describe(const struct cancel_result *result, char *out, size_t size)
{
    char after[FMT_SIZE], line[1024];
    const char *at = short_place(result->at), *reason = result->reason;

    (void)fmt_duration(after, (double)result->after_ns);
    switch (result->outcome) {
    case LOOPTOP_OUTCOME_CANCELLED:
        (void)snprintf(line, sizeof(line), "cancelled after %s", after);
        break;
    case LOOPTOP_OUTCOME_FINISHED:
        (void)snprintf(line, sizeof(line), "finished after %s: it returned all the same", after);
        break;
    case LOOPTOP_OUTCOME_FAILED:
        (void)snprintf(
            line, sizeof(line), "failed after %s%s%s", after, *reason ? ": " : "", reason);
        break;
    case LOOPTOP_OUTCOME_SUPPRESSED:
        (void)snprintf(line, sizeof(line),
            "still runs after %s%s%s: it swallowed the cancellation, or cleans up", after,
            *at ? " at " : "", at);
        break;
    case LOOPTOP_OUTCOME_PENDING:
        (void)snprintf(line, sizeof(line), "not cancelled within %s, nor given up%s%s", after,
            *reason ? ": " : "", reason);
        break;
    case LOOPTOP_OUTCOME_GONE:
        (void)snprintf(line, sizeof(line), "gone: %s",
            *reason ? reason : "no such task, or it had ended before");
        break;
    case LOOPTOP_OUTCOME_REFUSED:
    case LOOPTOP_OUTCOMES:
        (void)snprintf(line, sizeof(line), "refused%s%s", *reason ? ": " : "", reason);
        break;
    }
    (void)fmt_clean(out, size, line);
}
