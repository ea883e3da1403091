/* SPDX-License-Identifier: MIT */
/* A short list, searched from end to end: a person marks tens, the bound is a thousand. */
#include "client/model/tags.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES 112 /* of a place */

void
tags_done(struct tags *tags)
{
    free(tags->tags);
    memset(tags, 0, sizeof *tags);
}

/* The end of a path counts: what is too long loses directories. */
static const char *
path_end(const char *file)
{
    size_t len = strlen(file);
    const char *slash = len > PATH_BYTES ? strchr(file + len - PATH_BYTES, '/') : NULL;

    return slash ? slash : file;
}

void
tag_of(const struct task_row *row, struct tag *ret_tag)
{
    *ret_tag = (struct tag){.id = row->id, .running = row->state == LOOPTOP_RUN};
    snprintf(ret_tag->name, sizeof ret_tag->name, "%s", row->name);
    snprintf(
        ret_tag->coroutine, sizeof ret_tag->coroutine, "%s", row->coroutine ? row->coroutine : "");
    if (!row->at)
        return;
    const char *file = path_end(row->at->file);
    snprintf(ret_tag->at, sizeof ret_tag->at, "%s%.*s:%u %.60s", file == row->at->file ? "" : "…",
        PATH_BYTES, file, row->at->line, row->at->function);
}

static size_t
find(const struct tags *tags, uint64_t id)
{
    size_t i = 0;

    while (i < tags->count && tags->tags[i].id != id)
        i++;
    return i;
}

bool
tags_has(const struct tags *tags, uint64_t id)
{
    return find(tags, id) < tags->count;
}

int
tags_add(struct tags *tags, const struct tag *tag)
{
    if (tags_has(tags, tag->id))
        return 0;
    if (tags->count == LOOPTOP_CANCEL_MAX)
        return -E2BIG;
    if (tags->count == tags->cap) {
        size_t cap = tags->cap ? tags->cap * 2 : 16;
        struct tag *grown = realloc(tags->tags, cap * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        tags->tags = grown;
        tags->cap = cap;
    }
    tags->tags[tags->count++] = *tag;
    return 0;
}

int
tags_toggle(struct tags *tags, const struct tag *tag)
{
    size_t place = find(tags, tag->id);

    if (place == tags->count)
        return tags_add(tags, tag);
    tags->count--;
    memmove(&tags->tags[place], &tags->tags[place + 1], (tags->count - place) * sizeof *tags->tags);
    return 0;
}

void
tags_clear(struct tags *tags)
{
    tags->count = 0;
}
