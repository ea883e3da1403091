/* SPDX-License-Identifier: MIT */
/* Filter expressions made of others; the language is that of proto/filter.h. Pure. */
#ifndef LOOPTOP_CLIENT_MODEL_FIND_H
#define LOOPTOP_CLIENT_MODEL_FIND_H

#include <stddef.h>
#include <stdint.h>

/*
 * What matches both base (NULL: everything) and text, or is the task `also` (0: none). The language
 * has no brackets, so groups are multiplied out. 0, -E2BIG.
 */
int find_filter(const char *base, const char *text, uint64_t also, char *out, size_t size);

#endif
