/* SPDX-License-Identifier: MIT */
/*
 * Finds a theme: a path (with a `/`), else NAME.theme in the user's configuration, beside the
 * program, or in its share directory; the names `default` and `mono` are built in.
 */
#ifndef LOOPTOP_THEME_LOAD_H
#define LOOPTOP_THEME_LOAD_H

#include <stddef.h>

#include "client/theme/theme.h"

/*
 * Fills *ret_theme. 0; -ENOENT, -EINVAL (a bad name) or other -errno, and then nothing is written.
 * Lines that are wrong do not fail: their count goes to *ret_wrong and the first, as "FILE:LINE:
 * what", to note.
 */
int theme_load(
    const char *name, struct theme *ret_theme, unsigned *ret_wrong, char *note, size_t note_size);

/* The built-in theme of a name as text, NULL: none. */
const char *theme_builtin(const char *name);

#endif
