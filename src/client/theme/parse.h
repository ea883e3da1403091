/* SPDX-License-Identifier: MIT */
/*
 * Reads looptop-theme(5): `palette`, `style`, `gradient` and `inherit` lines. A line that is wrong
 * is reported with its number and passed over; the rest counts. Pure but for `inherit`, which asks
 * the caller for the other theme.
 */
#ifndef LOOPTOP_THEME_PARSE_H
#define LOOPTOP_THEME_PARSE_H

#include <stddef.h>

#include "client/theme/theme.h"

struct theme_source {
    /* Each thing wrong: line from 1. May be NULL. */
    void (*report)(void *arg, unsigned line, const char *text);
    /* Fills theme with another one's styles. 0, or -errno where there is none. May be NULL. */
    int (*inherit)(void *arg, const char *name, struct theme *theme);
    void *arg;
};

/* Lays the n bytes of text over *theme; returns how many lines were wrong. */
unsigned theme_parse(
    const char *text, size_t n, const struct theme_source *source, struct theme *theme);

#endif
