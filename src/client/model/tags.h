/* SPDX-License-Identifier: MIT */
/* The tasks a person marked, with what they were called then: their rows may be out of sight. */
#ifndef LOOPTOP_CLIENT_MODEL_TAGS_H
#define LOOPTOP_CLIENT_MODEL_TAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/model/tasks.h"
#include "looptop/limits.h"

struct tag {
    uint64_t id;
    char name[LOOPTOP_NAME_MAX];
    char coroutine[128];
    char at[192]; /* "file:line function", "" not known */
    bool running; /* in a step: nothing reaches it before its next await */
};

struct tags {
    struct tag *tags; /* owned, in the order of marking */
    size_t count, cap;
};

void tags_done(struct tags *tags);

/* What a task is called, for when its row is out of sight. */
void tag_of(const struct task_row *row, struct tag *ret_tag);

bool tags_has(const struct tags *tags, uint64_t id);

/* Marks; once is enough. 0, -ENOMEM, -E2BIG: LOOPTOP_CANCEL_MAX are marked already. */
int tags_add(struct tags *tags, const struct tag *tag);

/* Marks, or unmarks what is marked. As tags_add. */
int tags_toggle(struct tags *tags, const struct tag *tag);

void tags_clear(struct tags *tags);

#endif
