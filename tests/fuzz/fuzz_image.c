/* SPDX-License-Identifier: MIT */
/*
 * An ELF image in the memory of a process that means ill: the input is what its memory holds from
 * the header on. Held: symbols are looked for within the memory, in bounded time; an address is
 * given only with success.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "attach/image.h"

/* LINK: src/attach/image.c src/attach/memory.c */

#define AT 0x400000u
#define READS_MAX 20000 /* a chain of 4096 symbols, three reads each, and some */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *bytes;
static size_t bytes_size;
static unsigned reads;

static int
read_bytes(const struct memory *memory, uint64_t address, void *out, size_t size)
{
    (void)memory;
    if (++reads > READS_MAX)
        abort();
    if (address < AT || address - AT > bytes_size || size > bytes_size - (address - AT))
        return -EFAULT;
    memcpy(out, bytes + (address - AT), size);
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"_PyRuntime", "dlopen", "f", ""};
    struct memory memory = {.read = read_bytes};
    struct image image;

    bytes = data;
    bytes_size = size;
    reads = 0;
    if (image_open(&memory, AT, &image) < 0)
        return 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        uint64_t address = 7;
        reads = 0;
        if (image_symbol(&image, names[i], &address) < 0 && address != 7)
            abort();
    }
    return 0;
}
