/* SPDX-License-Identifier: MIT */
/* What is wrong with a theme is said before the screen opens: it is there again when it closes. */
#include <errno.h>
#include <string.h>

#include "client/top.h"
#include "client/verb.h"

int
top_theme(const char *name, struct theme *ret_theme, struct theme_faults *ret_faults)
{
    int error = theme_load(name, ret_theme, ret_faults);

    if (error == -ENOENT) {
        (void)verb_fail(
            0, "no theme '%s': give the name of an installed one, or the path of a file", name);
        return error;
    }
    if (error < 0) {
        (void)verb_fail(0, "theme '%s': %s", name,
            error == -EINVAL ? "neither a file nor a name" : strerror(-error));
        return error;
    }
    for (unsigned i = 0; i < ret_faults->count && i < THEME_FAULTS_MAX; i++)
        (void)verb_fail(0, "theme %s", ret_faults->text[i]);
    if (ret_faults->count > THEME_FAULTS_MAX)
        (void)verb_fail(0, "theme: %u more lines are wrong", ret_faults->count - THEME_FAULTS_MAX);
    return 0;
}
