/* SPDX-License-Identifier: MIT */
/* Where the parts of looptop that are not this program are: agents, Python package, demo. */
#ifndef LOOPTOP_CLIENT_LIBDIR_H
#define LOOPTOP_CLIENT_LIBDIR_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * The directory with agent/, python/ and demo/: $LOOPTOP_LIBDIR, or what stands beside this program
 * in a build tree, or ../lib/looptop from it, or the place it was built to be installed to. 0,
 * -ENOENT.
 */
int libdir_find(char out[PATH_MAX]);

/*
 * Prepares our environment so that Python programs started with it load the agent. 0, or -errno:
 * the directory was not found, no memory.
 */
int libdir_set_environment(bool readonly);

#endif
