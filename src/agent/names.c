// SPDX-License-Identifier: MIT
/* See names.h. Both tables are open-addressed by content; a slot holds a number, 0 is free. */
#include "agent/names.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "agent/atomic.h"

#define SLOTS 65536u /* of each table: never more than half full */

struct names {
    char text[NAMES_TEXT_MAX];
    uint32_t offsets[NAMES_STRINGS_MAX]; /* where a string begins in text */
    uint32_t string_slots[SLOTS];
    struct site sites[NAMES_SITES_MAX];
    uint32_t site_slots[SLOTS];
};

static struct names *names;
static uint32_t strings = 1, sites = 1; /* next numbers; 0 is "not known" */
static uint32_t text_used = 1;

int
names_init(void)
{
    if (names != NULL)
        return 0;
    void *memory = mmap(NULL, sizeof *names, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return -ENOMEM;
    names = memory;
    static const char full[] = "(too many names)";
    (void)names_string(full, sizeof full - 1);
    return 0;
}

/* FNV-1a; texts are short and come rarely: a cache by pointer stands before it */
static uint32_t
hash_bytes(const void *bytes, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3u;
    return (uint32_t)(h ^ (h >> 32));
}

static uint32_t
add_string(const char *text, size_t n, uint32_t *slot)
{
    if (strings == NAMES_STRINGS_MAX || text_used + n + 1 > NAMES_TEXT_MAX)
        return NAMES_FULL;
    memcpy(names->text + text_used, text, n);
    names->text[text_used + n] = '\0';
    names->offsets[strings] = text_used;
    STORE(text_used, text_used + (uint32_t)n + 1);
    *slot = strings;
    STORE_RELEASE(strings, strings + 1);
    return *slot;
}

uint32_t
names_string(const char *text, size_t n)
{
    if (n >= NAMES_STRING_MAX) {
        n = NAMES_STRING_MAX - 1;
        while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80)
            n--;
    }
    for (uint32_t i = hash_bytes(text, n);; i++) {
        uint32_t *slot = &names->string_slots[i % SLOTS];
        if (*slot == 0)
            return add_string(text, n, slot);
        const char *known = names->text + names->offsets[*slot];
        if (strncmp(known, text, n) == 0 && known[n] == '\0')
            return *slot;
    }
}

uint32_t
names_site(uint32_t file, uint32_t function, uint32_t line)
{
    struct site site = {.file = file, .function = function, .line = line};
    for (uint32_t i = hash_bytes(&site, sizeof site);; i++) {
        uint32_t *slot = &names->site_slots[i % SLOTS];
        if (*slot == 0) {
            if (sites == NAMES_SITES_MAX)
                return 0;
            names->sites[sites] = site;
            *slot = sites;
            STORE_RELEASE(sites, sites + 1);
            return *slot;
        }
        if (memcmp(&names->sites[*slot], &site, sizeof site) == 0)
            return *slot;
    }
}

const char *
names_text(uint32_t string)
{
    if (string == 0 || string >= LOAD_ACQUIRE(strings))
        return NULL;
    return names->text + names->offsets[string];
}

struct site
names_place(uint32_t site)
{
    if (site == 0 || site >= LOAD_ACQUIRE(sites))
        return (struct site){0};
    return names->sites[site];
}

uint32_t
names_string_count(void)
{
    return LOAD_ACQUIRE(strings);
}

uint32_t
names_site_count(void)
{
    return LOAD_ACQUIRE(sites);
}

uint64_t
names_bytes(void)
{
    return LOAD(text_used) + (uint64_t)LOAD(strings) * 12 +
           (uint64_t)LOAD(sites) * (sizeof(struct site) + 8);
}
