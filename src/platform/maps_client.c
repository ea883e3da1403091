/* SPDX-License-Identifier: MIT */
/* See maps_client.h. The file is read in one go as far as the kernel allows: each read is
 * consistent in itself, and a process that maps meanwhile is seen before or after. */
#include "platform/maps_client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"

#define TEXT_FIRST 65536

/* Digits of base 16 or 10 at *text, followed by `after`; both are moved over. */
static bool
take_number(char **text, int base, char after, uint64_t *ret_value)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t value = 0;
    char *at = *text;
    const char *digit;

    while (*at && (digit = memchr(digits, *at, (size_t)base)) != NULL) {
        if (value > UINT64_MAX / 16)
            return false;
        value = value * (uint64_t)base + (uint64_t)(digit - digits);
        at++;
    }
    if (at == *text || *at != after)
        return false;
    *text = at + 1;
    *ret_value = value;
    return true;
}

static bool
take_access(char **text, unsigned *ret_access)
{
    const char *at = *text;

    for (int i = 0; i < 3; i++)
        if (at[i] != '-' && at[i] != "rwx"[i])
            return false;
    if ((at[3] != 'p' && at[3] != 's') || at[4] != ' ')
        return false;
    *ret_access = (at[0] == 'r' ? MAPS_READ : 0u) | (at[1] == 'w' ? MAPS_WRITE : 0u) |
                  (at[2] == 'x' ? MAPS_EXECUTE : 0u);
    *text += 5;
    return true;
}

/*
 * The kernel hands the file out in parts of a page, and the process may map in between: what
 * overlaps with what was read is older, or newer, than that. Of it the rest is taken. Whether there
 * is a rest.
 */
static bool
clip(struct map *map, uint64_t from)
{
    if (map->end <= from)
        return false;
    if (map->start < from) {
        map->offset += from - map->start;
        map->start = from;
    }
    return true;
}

/* "7f0a2000-7f0a4000 r-xp 00001000 fe:00 131 /usr/lib/libc.so.6", ended by NUL. */
static bool
parse_line(char *line, struct map *ret_map)
{
    struct map map = {0};
    uint64_t major, minor;

    if (!take_number(&line, 16, '-', &map.start) || !take_number(&line, 16, ' ', &map.end) ||
        !take_access(&line, &map.access) || !take_number(&line, 16, ' ', &map.offset) ||
        !take_number(&line, 16, ':', &major) || !take_number(&line, 16, ' ', &minor) ||
        map.end <= map.start)
        return false;
    /* the inode has a blank behind it, always */
    if (!take_number(&line, 10, ' ', &map.inode))
        return false;
    map.path = line + strspn(line, " ");
    *ret_map = map;
    return true;
}

static int
parse_lines(struct maps *maps, size_t len)
{
    char *line = maps->text, *end = maps->text + len;

    while (line < end) {
        char *newline = memchr(line, '\n', (size_t)(end - line));
        struct map *map = &maps->items[maps->count];

        /* a name with a newline is written with \012: what is left are whole lines */
        if (!newline)
            return -EBADMSG;
        *newline = '\0';
        if (strlen(line) != (size_t)(newline - line) || !parse_line(line, map))
            return -EBADMSG;
        if (clip(map, maps->count > 0 ? map[-1].end : 0))
            maps->count++;
        line = newline + 1;
    }
    return 0;
}

int
maps_parse(char *text, size_t len, struct maps *ret_maps)
{
    CLEANUP(maps_done) struct maps maps = {.text = text};
    int r;

    size_t lines = 0;
    for (size_t i = 0; i < len; i++)
        lines += text[i] == '\n';
    maps.items = calloc(lines + 1, sizeof(*maps.items));
    if (!maps.items)
        return -ENOMEM;
    r = parse_lines(&maps, len);
    if (r < 0)
        return r;
    *ret_maps = maps;
    maps = (struct maps){0};
    return 0;
}

/* Doubles the room until all is there. */
static int
read_all(int fd, char **ret_text, size_t *ret_len)
{
    CLEANUP_FREE char *text = malloc(TEXT_FIRST);
    size_t len = 0, room = TEXT_FIRST;

    while (text) {
        ssize_t n = read(fd, text + len, room - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        len += (size_t)n;
        if (len < room)
            continue;
        if (room >= MAPS_TEXT_MAX)
            return -EFBIG;
        char *larger = realloc(text, room * 2);
        if (!larger)
            return -ENOMEM;
        text = larger;
        room *= 2;
    }
    *ret_text = TAKE(text);
    *ret_len = len;
    return *ret_text ? 0 : -ENOMEM;
}

int
maps_read(pid_t pid, struct maps *ret_maps)
{
    char path[64], *text;
    size_t len;

    (void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    int r = read_all(fd, &text, &len);
    return r < 0 ? r : maps_parse(text, len, ret_maps);
}

void
maps_done(struct maps *maps)
{
    free(maps->items);
    free(maps->text);
    *maps = (struct maps){0};
}

const struct map *
maps_at(const struct maps *maps, uint64_t address)
{
    size_t low = 0, high = maps->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (maps->items[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low < maps->count && maps->items[low].start <= address ? &maps->items[low] : NULL;
}

const char *
map_name(const struct map *map, size_t *ret_len)
{
    static const char deleted[] = " (deleted)";
    const char *slash = strrchr(map->path, '/'), *name = slash ? slash + 1 : map->path;
    size_t len = strlen(name), cut = sizeof(deleted) - 1;

    if (len > cut && memcmp(name + len - cut, deleted, cut) == 0)
        len -= cut;
    *ret_len = len;
    return name;
}
