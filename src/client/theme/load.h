/* SPDX-License-Identifier: MIT */
/*
 * Finds a theme: a path (with a `/`), else NAME.theme in the user's configuration, beside the
 * program, or in its share directory; the names `default` and `mono` are built in.
 */
#ifndef LOOPTOP_THEME_LOAD_H
#define LOOPTOP_THEME_LOAD_H

#include <stddef.h>

#include "client/theme/theme.h"

#define THEME_FAULTS_MAX 8 /* kept one by one */

/* Lines that are wrong. */
struct theme_faults {
    unsigned count;                   /* of all of them */
    char text[THEME_FAULTS_MAX][320]; /* the first ones, as "FILE:LINE: what" */
};

/*
 * Fills *ret_theme. 0; -ENOENT, -EINVAL (a bad name, or no file) or other -errno, and then nothing
 * is written. Lines that are wrong do not fail: they are passed over and told in *ret_faults.
 */
int theme_load(const char *name, struct theme *ret_theme, struct theme_faults *ret_faults);

/* The built-in theme of a name as text, NULL: none. */
const char *theme_builtin(const char *name);

#endif
