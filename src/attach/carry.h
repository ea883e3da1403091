/* SPDX-License-Identifier: MIT */
/*
 * The agent's file, brought to where another process can load it from: into a memfd of that
 * process's, or where that cannot be, as a file in its root, for as long as it is being loaded.
 */
#ifndef LOOPTOP_ATTACH_CARRY_H
#define LOOPTOP_ATTACH_CARRY_H

#include <stdbool.h>
#include <stddef.h>

#include "attach/target.h"

struct carry {
    const unsigned char *data; /* the agent's file, mapped */
    size_t size;
    char inside[128]; /* where it stands as a file, as the process sees it; "" it does not */
    int dir;          /* … in what directory, as we do; a descriptor, owned */
};

/* Maps the agent's file. 0; -ENOENT; -ENOEXEC: it is none; -errno. */
int carry_open(const char *path, struct carry *ret_carry);

/* Unmaps it, and removes the file. For CLEANUP. */
void carry_done(struct carry *carry);

/* Writes what a loader maps of it. 0, -errno. */
int carry_write(const struct carry *carry, int fd);

/* Whether the process sees a /proc to load a memfd from. */
bool carry_has_proc(const struct target *target);

/*
 * Writes it as a file into the first directory of the process's that takes one to be run, readable
 * by its user alone; name is how the file's name begins. 0; -ENOSPC: there is no such directory.
 */
int carry_file(struct carry *carry, const struct target *target, const char *name);

/* The same of a text that is a file's content; carry is empty before. */
int carry_text(struct carry *carry, const struct target *target, const char *name, const char *text,
    size_t size);

#endif
