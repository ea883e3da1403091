/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID/maps as no kernel writes it. Held: mappings ascend and do not overlap, each path ends
 * within the text, and each mapping is found by its addresses.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "platform/maps_client.h"

/* LINK: src/platform/maps_client.c */

#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct maps maps;
    char *text = malloc(size + 1);
    size_t len;

    if (!text)
        return 0;
    memcpy(text, data, size);
    if (maps_parse(text, size, &maps) < 0)
        return 0;
    for (size_t i = 0; i < maps.count; i++) {
        const struct map *map = &maps.items[i];
        HOLDS(map->start < map->end && (i == 0 || map->start >= map[-1].end));
        HOLDS(map->path >= maps.text && map->path + strlen(map->path) < maps.text + size);
        HOLDS(maps_at(&maps, map->start) == map && maps_at(&maps, map->end - 1) == map);
        (void)map_name(map, &len);
        HOLDS(len <= strlen(map->path));
    }
    maps_done(&maps);
    return 0;
}
