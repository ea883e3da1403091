/* SPDX-License-Identifier: MIT */
/*
 * The one task that is looked at closely: its row, its await chain, and the source lines of the
 * frames. Both parts arrive on their own; each may be missing. Owns what it holds.
 */
#ifndef LOOPTOP_CLIENT_MODEL_DETAIL_H
#define LOOPTOP_CLIENT_MODEL_DETAIL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "client/model/stack.h"
#include "client/model/tasks.h"
#include "looptop/limits.h"

#define DETAIL_SOURCE_MAX 200 /* bytes of a source line kept */
#define DETAIL_SOURCES 128    /* source lines kept */

struct detail_source {
    uint64_t file_hash;
    uint32_t line;
    char text[DETAIL_SOURCE_MAX]; /* "" where the file cannot be read */
};

struct detail {
    uint64_t id; /* 0: no task is looked at */
    bool have_stack, gone;
    bool ended; /* the frames are those seen last before it ended */
    struct stack stack;
    struct task_page page; /* of the one row */
    uint64_t parent_asked; /* whose name was asked for: the task that created this one */
    char parent_name[LOOPTOP_NAME_MAX]; /* "" not known */
    uint64_t asked_ns;                  /* when the stack was asked for; 0: no answer is awaited */
    char error[256];                    /* why there is no newer stack, "" none */
    struct detail_source sources[DETAIL_SOURCES];
    size_t sources_count;
};

/* Looks at another task, or at none (0). */
void detail_open(struct detail *detail, uint64_t id);
void detail_done(struct detail *detail);

/* Takes the answers. */
void detail_take_stack(struct detail *detail, struct stack *stack, pid_t pid);
void detail_take_page(struct detail *detail, struct task_page *page);
/* A page that may have the row of the task that created this one; borrowed. */
void detail_take_parent(struct detail *detail, const struct task_page *page);

/* The row, NULL: not here. */
const struct task_row *detail_row(const struct detail *detail);

/* The source line a frame stands at, "" where it is not known. Lines are read by detail_take_stack.
 */
const char *detail_source(const struct detail *detail, const struct stack_frame *frame);

#endif
