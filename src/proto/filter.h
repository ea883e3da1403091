/* SPDX-License-Identifier: MIT */
/*
 * The filter language, for agent and client alike:
 *
 *     name:web* state:wait age>30s coro~handler at:app.py idle>=5m | state:run
 *
 * Terms stand side by side (and) or with `|` between groups (or); `!` before a term negates it;
 * everything is case-insensitive. A term is FIELD OP VALUE or a bare word. Fields, of which
 * coroutine, waiting_on, created_at, exception, busy_pct and max_step are other names of coro,
 * wait, created, exc, pct and max: id name state coro wait at created parent loop exc (text; `:`
 * glob match where * and ? are wild, of a text without wild characters: contains for at, created,
 * wait and coro, equals for the others; `~` contains; `=` equals; `!=`) and age idle busy pct steps
 * max id parent loop (numbers; `:` `=` `!=`
 * `<` `<=` `>`
 * `>=`; times take ns us ms s m h d, plain numbers are seconds). A bare word looks for itself in
 * name, coroutine, waiting-on and at, with * and ? wild. A value with blanks stands in double
 * quotes. A place (at, created) is "FILE:LINE FUNCTION"; `=` and wild characters fit all of it,
 * FILE:LINE, both also without directories, FILE, the file's name, or FUNCTION. A whole state may
 * be given as the label of the table: canc is cancelling, fail failed, cncld cancelled. Pure; no
 * allocation.
 */
#ifndef LOOPTOP_PROTO_FILTER_H
#define LOOPTOP_PROTO_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "looptop/limits.h"
#include "looptop/protocol.h"

#define FILTER_TERMS_MAX 32

enum filter_field {
    FILTER_ANY, /* a bare word */
    FILTER_ID,
    FILTER_NAME,
    FILTER_STATE,
    FILTER_CORO,
    FILTER_WAIT,
    FILTER_AT,
    FILTER_CREATED,
    FILTER_EXC,
    FILTER_PARENT,
    FILTER_LOOP,
    FILTER_AGE,
    FILTER_IDLE,
    FILTER_BUSY,
    FILTER_PCT,
    FILTER_STEPS,
    FILTER_MAX,
    FILTER_FIELDS
};

enum filter_op {
    FILTER_GLOB, /* : */
    FILTER_CONTAINS,
    FILTER_EQ,
    FILTER_NE,
    FILTER_LT,
    FILTER_LE,
    FILTER_GT,
    FILTER_GE,
};

struct filter_term {
    enum filter_field field;
    enum filter_op op;
    bool negate;
    bool first_of_group; /* a `|` stands before it, or it is the first */
    double number;       /* numbers: the value; times in ns */
    uint16_t text;       /* offset of the lower-cased value in filter.text */
};

struct filter {
    unsigned count; /* terms; 0 matches everything */
    struct filter_term terms[FILTER_TERMS_MAX];
    char text[2 * LOOPTOP_FILTER_MAX];
};

/* One task as the filter sees it: texts are borrowed, may be NULL (matches nothing but `!`). */
struct filter_task {
    uint64_t id, parent, loop, steps;
    enum looptop_state state;
    double age_ns, idle_ns, busy_ns, max_step_ns, busy_pct;
    const char *name, *coroutine, *waiting_on, *exception;
    const char *at_file, *at_function;
    const char *created_file, *created_function;
    uint32_t at_line, created_line;
};

/*
 * Parses text. 0, or -EINVAL with *ret_column (in characters, from 1) and a message of at most size
 * bytes that says what was expected.
 */
int filter_parse(
    const char *text, struct filter *ret_filter, int *ret_column, char *message, size_t size);

bool filter_match(const struct filter *filter, const struct filter_task *task);

#endif
