/* SPDX-License-Identifier: MIT */
/* The answers of `stack` and `cancel` as structs; each owns its text. */
#ifndef LOOPTOP_CLIENT_MODEL_STACK_H
#define LOOPTOP_CLIENT_MODEL_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "looptop/protocol.h"

struct cJSON;

struct stack_local {
    const char *name, *type;
    const char *value; /* NULL: not shown */
    int64_t length;    /* -1: does not apply */
};

struct stack_frame {
    const char *kind, *function, *file;
    uint32_t line; /* 0: not known */
    struct stack_local *locals;
    size_t locals_count;
    uint64_t more_locals;
};

struct stack {
    uint64_t id;
    enum looptop_state state;
    bool complete;
    const char *reason;         /* NULL when complete */
    const char *awaits;         /* type of what the innermost frame awaits; NULL: nothing */
    struct stack_frame *frames; /* outermost first */
    size_t count;
    void *arena; /* owned: everything above */
};

/* 0, -EPROTO, -ENOMEM. */
int stack_decode(const struct cJSON *result, struct stack *ret_stack);
void stack_done(struct stack *stack);

/*
 * The source line a frame stands at, as the file system shows it now, seen from the target's root
 * (/proc/PID/root) and cwd for relative names; leading blanks dropped, control characters replaced,
 * cut at size. 0, -ENOENT, other -errno. Reads at most 4 MiB of a regular file.
 */
int stack_source_line(pid_t pid, const char *file, uint32_t line, char *out, size_t size);

struct cancel_result {
    uint64_t id;
    char name[64];
    enum looptop_outcome outcome;
    uint64_t after_ns;
    char at[256];     /* "file:line function", "" none */
    char reason[256]; /* "" none */
};

/* Decodes up to max results; returns how many, or -EPROTO. */
int cancel_decode(const struct cJSON *result, struct cancel_result *ret_results, size_t max);

/* The outcome in words: "cancelled after 3 ms", "still runs after 2 s: it swallowed the …". */
void cancel_describe(const struct cancel_result *result, char *out, size_t size);

#endif
