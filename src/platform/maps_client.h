/* SPDX-License-Identifier: MIT */
/*
 * The memory map of another process, /proc/PID/maps: proc_pid_maps(5). Client side only. What
 * stands in it is the process's to choose: names are bytes, mappings many. No state, any thread.
 */
#ifndef LOOPTOP_PLATFORM_MAPS_CLIENT_H
#define LOOPTOP_PLATFORM_MAPS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MAPS_TEXT_MAX (16u << 20) /* bytes of the file that are read: some 150,000 mappings */

enum maps_access { MAPS_READ = 1, MAPS_WRITE = 2, MAPS_EXECUTE = 4 };

struct map {
    uint64_t start, end; /* end is the first byte behind it */
    uint64_t offset;     /* in the file */
    unsigned access;     /* bits of enum maps_access */
    uint64_t inode;      /* 0: no file */
    const char *path;    /* "" none; as the kernel writes it, "[stack]" and " (deleted)" included */
};

struct maps {
    struct map *items; /* in the order of their addresses */
    size_t count;
    char *text; /* owned; the paths stand in it */
};

/*
 * Parses the text of a maps file, taking it over in any case (it is changed, and freed with the
 * result or at once). 0; -EBADMSG: a line that does not read as one; -ENOMEM.
 */
int maps_parse(char *text, size_t len, struct maps *ret_maps);

/* Reads a process's. -ESRCH gone, -EACCES not ours to read, -EFBIG larger than MAPS_TEXT_MAX. A
 * kernel thread or zombie has an empty one. */
int maps_read(pid_t pid, struct maps *ret_maps);

/* For CLEANUP; leaves an empty map. */
void maps_done(struct maps *maps);

/* The mapping that an address is in, or NULL. */
const struct map *maps_at(const struct maps *maps, uint64_t address);

/* The last component of a mapping's path, without " (deleted)": its length goes to ret_len. */
const char *map_name(const struct map *map, size_t *ret_len);

#endif
