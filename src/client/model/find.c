/* SPDX-License-Identifier: MIT */
/* (a | b) and (c | d) is written as a c | a d | b c | b d. */
#include "client/model/find.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define GROUPS_MAX 16

struct group {
    const char *text;
    int len;
};

/* Splits at each `|` outside of quotes; returns how many groups, -E2BIG. */
static int
split(const char *text, struct group groups[GROUPS_MAX])
{
    const char *start = text;
    bool quoted = false;
    int count = 0;

    for (const char *p = text;; p++) {
        if (*p == '"')
            quoted = !quoted;
        if (*p != '\0' && (*p != '|' || quoted))
            continue;
        if (count == GROUPS_MAX)
            return -E2BIG;
        groups[count++] = (struct group){start, (int)(p - start)};
        if (*p == '\0')
            return count;
        start = p + 1;
    }
}

int
find_filter(const char *base, const char *text, uint64_t also, char *out, size_t size)
{
    struct group bases[GROUPS_MAX] = {{"", 0}}, texts[GROUPS_MAX];
    int base_count = base && *base ? split(base, bases) : 1, text_count = split(text, texts);
    size_t n = 0;

    if (base_count < 0 || text_count < 0)
        return -E2BIG;
    for (int b = 0; b < base_count; b++) {
        for (int t = 0; t < text_count; t++) {
            int more = snprintf(out + n, size - n, "%s%.*s %.*s", n ? " | " : "", bases[b].len,
                bases[b].text, texts[t].len, texts[t].text);
            if (more < 0 || (size_t)more >= size - n)
                return -E2BIG;
            n += (size_t)more;
        }
    }
    if (also &&
        (size_t)snprintf(out + n, size - n, " | id:%llu", (unsigned long long)also) >= size - n)
        return -E2BIG;
    return 0;
}
