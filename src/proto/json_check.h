/* SPDX-License-Identifier: MIT */
/*
 * Checks text against JSON's grammar before a parser builds anything from it: depth, UTF-8, no NUL
 * in a string (which C strings cannot hold), nothing behind the value. cJSON by itself takes
 * control characters as blanks, "01" as a number and cuts a string at "\u0000". Pure; no
 * allocation.
 */
#ifndef LOOPTOP_PROTO_JSON_CHECK_H
#define LOOPTOP_PROTO_JSON_CHECK_H

#include <stddef.h>

/* A piece of the text checked; text NULL: there is none. */
struct json_span {
    const char *text; /* borrowed */
    size_t n;
};

/*
 * 0: one valid value, nested at most max_depth deep (a scalar has depth 0), and *ret_member, where
 * not NULL, is the value of the first member so called of the outermost object, as it is written.
 * Errors: -EBADMSG not JSON, -EILSEQ not UTF-8, half of a surrogate pair or a NUL,
 * -ELOOP nested too deep.
 */
int json_check(const char *text, size_t n, unsigned max_depth, const char *member,
    struct json_span *ret_member);

#endif
