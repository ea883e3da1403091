/* SPDX-License-Identifier: MIT */
/* Whether a command line is the one that a person means by a few letters of it. Pure. */
#ifndef LOOPTOP_CLIENT_MODEL_MATCH_H
#define LOOPTOP_CLIENT_MODEL_MATCH_H

#include <stdbool.h>

/*
 * A pattern with one of `*?[` is a glob that the whole line has to match, any other one has to be a
 * part of the line. Case counts. An empty pattern matches every line.
 */
bool match_line(const char *pattern, const char *line);

#endif
