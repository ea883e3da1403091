/* SPDX-License-Identifier: MIT */
/*
 * A loaded ELF object, read from a process's memory alone: no file, so that it does not matter
 * whether there still is one, in whose mount namespace, or how much of it was stripped. What is
 * found through the dynamic section: its exported symbols. The layout is that of elf(5).
 *
 * All of it is the process's to write: every offset and every chain is bounded.
 */
#ifndef LOOPTOP_ATTACH_IMAGE_H
#define LOOPTOP_ATTACH_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attach/memory.h"

struct image {
    struct memory memory;
    uint64_t base;       /* where its ELF header is */
    uint64_t bias;       /* added to the addresses that it was linked for */
    uint64_t start, end; /* what its segments span */
    uint64_t symbols, strings, strings_size;
    uint64_t gnu_hash, hash; /* 0: not there */
    uint16_t machine;        /* e_machine */
};

/*
 * Reads the header and the dynamic section of what is loaded at base. 0; -ENOEXEC: no ELF object of
 * this machine's class and byte order; -ENOENT: it has no dynamic symbols; -errno of the memory.
 */
int image_open(const struct memory *memory, uint64_t base, struct image *ret_image);

/*
 * The address of a symbol that it defines and exports. 0; -ENOENT: none; -EBADMSG: its tables do
 * not hold together; -errno of the memory.
 */
int image_symbol(const struct image *image, const char *name, uint64_t *ret_address);

#endif
