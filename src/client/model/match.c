/* SPDX-License-Identifier: MIT */
/*
 * Bytes that are no text in the locale would make fnmatch refuse the whole line: callers hand in
 * lines that went through fmt_clean.
 */
#include "client/model/match.h"

#include <fnmatch.h>
#include <string.h>

bool
match_line(const char *pattern, const char *line)
{
    if (strpbrk(pattern, "*?["))
        return fnmatch(pattern, line, 0) == 0;
    return strstr(line, pattern) != NULL;
}
