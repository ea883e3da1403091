/* SPDX-License-Identifier: MIT */
/* See target.h. Where symbols are found: notes/attach.md C. */
#include "attach/target.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "attach/arch.h"
#include "common/cleanup.h"
#include "common/clock.h"

#define OBJECTS_MAX 4096
#define AGENTS_MAX 8                 /* objects that may be one; the process chooses their names */
#define LOOK_NS (2 * CLOCK_NS_PER_S) /* … and their number, and their symbol tables */
#define VERSION_FIRST 0x030b0000u
#define VERSION_END 0x03100000u /* the first that there is no agent for */
#define CODE_MAX (8u << 20)     /* bytes of libc's code that are searched */
#define CODE_PART 8192

static bool
has_prefix(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* It is its own linker, and has several names. */
static bool
is_musl(const char *name)
{
    return has_prefix(name, "ld-musl-") || has_prefix(name, "libc.musl-") ||
           strcmp(name, "libc.so") == 0;
}

/* glibc's, before and since 2.34, and musl's. */
static bool
is_libc(const char *name)
{
    return has_prefix(name, "libc.so.6") || has_prefix(name, "libc-2.") || is_musl(name);
}

static bool
is_linker(const char *name)
{
    return has_prefix(name, "ld-linux") || has_prefix(name, "ld-2.") || has_prefix(name, "ld.so") ||
           is_musl(name);
}

static bool
is_agent(const struct map *map)
{
    size_t len;
    const char *name = map_name(map, &len);

    return has_prefix(map->path, "/memfd:looptop-agent") || has_prefix(name, "looptop_agent.") ||
           has_prefix(name, "looptop-agent");
}

/* Where a file's header is: the mapping of its first page. */
static bool
is_first(const struct map *map)
{
    return map->offset == 0 && map->path[0] == '/' && (map->access & MAPS_READ);
}

static const struct map *
find_named(const struct target *target, bool (*matches)(const char *name))
{
    size_t len;

    for (size_t i = 0; i < target->maps.count; i++)
        if (is_first(&target->maps.items[i]) && matches(map_name(&target->maps.items[i], &len)))
            return &target->maps.items[i];
    return NULL;
}

const struct map *
target_object(const struct target *target, const struct map *map)
{
    const struct map *first = NULL;

    if (map->path[0] != '/')
        return NULL;
    for (const struct map *at = map; at >= target->maps.items; at--) {
        if (at->inode == map->inode && strcmp(at->path, map->path) == 0) {
            first = at;
            if (is_first(at))
                return at;
        }
    }
    return first && is_first(first) ? first : NULL;
}

bool
target_is_critical(const struct target *target, uint64_t ip)
{
    size_t len;
    const struct map *map = maps_at(&target->maps, ip);
    if (!map)
        return true;
    const char *name = map_name(map, &len);
    return strcmp(map->path, "[vdso]") == 0 || strcmp(map->path, "[vsyscall]") == 0 ||
           is_libc(name) || is_linker(name) || has_prefix(name, "libpthread") || is_agent(map);
}

const char *
target_version(unsigned version, char out[TARGET_VERSION])
{
    (void)snprintf(out, TARGET_VERSION, "%u.%u.%u", version >> 24 & 0xff, version >> 16 & 0xff,
        version >> 8 & 0xff);
    return out;
}

void
target_agent_file(const struct target *target, const char *dir, char out[PATH_MAX])
{
    (void)snprintf(out, PATH_MAX, "%s/looptop_agent.cpython-%u%u-%s-linux-%s.so", dir,
        target->version >> 24 & 0xff, target->version >> 16 & 0xff, arch_name,
        target->musl ? "musl" : "gnu");
}

/* 0: this object is the interpreter. */
static int
try_python(struct target *target, const struct map *map)
{
    struct image image;
    uint64_t address;
    size_t len;
    int r = image_open(&target->memory, map->start, &image);

    if (r == 0)
        r = image_symbol(&image, "_PyRuntime", &address);
    if (r < 0)
        return r;
    target->python = image;
    const char *name = map_name(map, &len);
    if (has_prefix(name, "libpython") && len < sizeof(target->libpython))
        memcpy(target->libpython, name, len);
    /* since 3.11 */
    if (image_symbol(&image, "Py_Version", &address) < 0 ||
        memory_read(&target->memory, address, &target->version, sizeof(target->version)) < 0)
        target->version = 0;
    return 0;
}

/* Objects that are called Python first: the others are many. */
static int
find_python(struct target *target)
{
    size_t len, tried = 0;
    uint64_t until_ns = clock_monotonic_ns() + LOOK_NS;

    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < target->maps.count && tried < OBJECTS_MAX; i++) {
            const struct map *map = &target->maps.items[i];
            bool named = strstr(map_name(map, &len), "python") != NULL;

            if (!is_first(map) || named != (pass == 0))
                continue;
            if (clock_monotonic_ns() >= until_ns)
                return -ENOENT;
            tried++;
            int r = try_python(target, map);
            if (r == 0 || r == -EPERM || r == -ESRCH)
                return r;
        }
    }
    return -ENOENT;
}

static bool
search_restorer(struct target *target, const struct map *map)
{
    unsigned char part[CODE_PART + 16];

    for (uint64_t at = map->start; at < map->end; at += CODE_PART) {
        size_t size = map->end - at < sizeof(part) ? (size_t)(map->end - at) : sizeof(part);
        if (memory_read(&target->memory, at, part, size) < 0)
            return false;
        const unsigned char *found = memmem(part, size, arch_restorer, arch_restorer_size);
        if (found) {
            target->restorer = at + (uint64_t)(found - part);
            return true;
        }
    }
    return false;
}

/* The code of a signal's way back, which every libc has once, or the kernel in its stead. */
static int
find_restorer(struct target *target, const struct image *libc)
{
    uint64_t end = libc->end - libc->start > CODE_MAX ? libc->start + CODE_MAX : libc->end;

    for (size_t i = 0; i < target->maps.count; i++) {
        const struct map *map = &target->maps.items[i];
        bool there = arch_restorer_in_vdso ? strcmp(map->path, "[vdso]") == 0
                                           : map->start >= libc->start && map->end <= end;

        if (there && (map->access & MAPS_EXECUTE) && search_restorer(target, map))
            return 0;
    }
    return -ENOENT;
}

/* Before 2.34 dlopen was in a library of its own. */
static bool
is_libdl(const char *name)
{
    return has_prefix(name, "libdl.so") || has_prefix(name, "libdl-2.");
}

static int
find_dlopen(struct target *target, const struct image *libc)
{
    struct image libdl;
    const struct map *map = find_named(target, is_libdl);

    if (image_symbol(libc, "dlopen", &target->dlopen) == 0)
        return 0;
    if (!map || image_open(&target->memory, map->start, &libdl) < 0)
        return -ENOENT;
    return image_symbol(&libdl, "dlopen", &target->dlopen);
}

static void
find_linker(struct target *target)
{
    const struct map *map = find_named(target, is_linker);
    struct image linker;

    if (!map || image_open(&target->memory, map->start, &linker) < 0)
        return;
    for (size_t i = 0; i < target->maps.count; i++) {
        map = &target->maps.items[i];
        if ((map->access & MAPS_EXECUTE) && map->start >= linker.start && map->end <= linker.end) {
            target->linker_start = map->start;
            target->linker_end = map->end;
        }
    }
}

/* What a call needs of the C library. */
static int
find_libc(struct target *target)
{
    const struct map *map = find_named(target, is_libc);
    struct image libc;
    uint64_t location, address;
    size_t len;

    if (!map)
        return -ENOENT;
    target->musl = is_musl(map_name(map, &len));
    int r = image_open(&target->memory, map->start, &libc);
    if (r == 0)
        r = find_dlopen(target, &libc);
    if (r == 0)
        r = image_symbol(&libc, "syscall", &target->syscall);
    if (r == 0)
        r = find_restorer(target, &libc);
    if (r < 0)
        return r;
    if (image_symbol(&libc, "__errno_location", &location) == 0 &&
        arch_errno(&target->memory, location, 0, &address) == 0)
        target->errno_location = location;
    /* with musl its code is on every stack: its allocator never is under dlopen's lock there */
    if (!target->musl)
        find_linker(target);
    return 0;
}

int
target_read_agent(struct target *target)
{
    if (target->agent == 0)
        return -ENOENT;
    return memory_read(
        &target->memory, target->agent, &target->agent_state, sizeof(target->agent_state));
}

/* Whether the agent in this object is there; it is the target's from now on. */
static bool
take_agent(struct target *target, const struct map *map)
{
    struct image image;

    target->agent = target->agent_start = 0;
    if (image_open(&target->memory, map->start, &image) < 0 ||
        image_symbol(&image, "looptop_agent_state", &target->agent) < 0 ||
        target_read_agent(target) < 0) {
        target->agent = 0;
        return false;
    }
    if (image_symbol(&image, "looptop_agent_start", &target->agent_start) < 0)
        target->agent_start = 0;
    return true;
}

/* Where the program loads one that is attached to already, the second never is started. */
static void
find_agent(struct target *target)
{
    const struct map *found = NULL;

    unsigned tries = 0;

    for (size_t i = 0; i < target->maps.count && tries < AGENTS_MAX; i++) {
        const struct map *map = &target->maps.items[i];

        if (!is_first(map) || !is_agent(map) || (found && map->inode == found->inode))
            continue;
        tries++;
        if (!take_agent(target, map))
            continue;
        if (target->agent_state.pid != 0)
            return;
        found = map;
    }
    target->agent = 0;
    if (found)
        (void)take_agent(target, found);
}

int
target_refresh(struct target *target)
{
    struct maps maps;
    int r = maps_read(target->pid, &maps);

    if (r < 0)
        return r;
    maps_done(&target->maps);
    target->maps = maps;
    find_agent(target);
    return 0;
}

/* Another machine's program, in an emulator or as the kernel's guest; the first file is the
 * program. */
static int
refuse_machine(const struct target *target, struct refusal *refusal)
{
    unsigned char ident[20];
    const struct map *map = target->maps.items;
    int r = memory_read(&target->memory, map->start, ident, sizeof(ident));

    if (r == -EPERM || r == -EACCES || r == -ESRCH)
        return refuse_access(refusal, r, target->pid, &target->status);
    if (r < 0 || memcmp(ident, ELFMAG, SELFMAG) != 0)
        return 0;
    if (ident[EI_CLASS] == ELFCLASS32)
        return refuse(
            refusal, -ENOEXEC, target->pid, "is a 32-bit program: looptop serves 64-bit ones");
    uint16_t machine = (uint16_t)(ident[18] | ident[19] << 8);
    if (machine != arch_machine)
        return refuse(refusal, -ENOEXEC, target->pid,
            "is a program for another processor (ELF machine %u): this looptop is for %s", machine,
            arch_name);
    return 0;
}

static int
refuse_version(const struct target *target, struct refusal *refusal)
{
    uint64_t unused;
    char version[TARGET_VERSION];

    if (target->version == 0)
        return refuse(refusal, -ENOTSUP, target->pid,
            "runs a CPython older than 3.11: looptop serves 3.11 to 3.15");
    (void)target_version(target->version, version);
    if (target->version < VERSION_FIRST || target->version >= VERSION_END)
        return refuse(refusal, -ENOTSUP, target->pid,
            "runs CPython %s: this looptop serves 3.11 to 3.15", version);
    /* functions that only such builds have */
    if (image_symbol(&target->python, "_Py_DecRefShared", &unused) == 0)
        return refuse(refusal, -ENOTSUP, target->pid,
            "runs a free-threaded CPython %s: looptop serves builds with the GIL", version);
    if (image_symbol(&target->python, "_Py_NegativeRefcount", &unused) == 0)
        return refuse(refusal, -ENOTSUP, target->pid,
            "runs a debug build of CPython %s: looptop serves release builds", version);
    return 0;
}

static int
look(struct target *target, struct refusal *refusal)
{
    int r = target->maps.count == 0 ? -ESRCH : refuse_machine(target, refusal);

    if (target->maps.count == 0)
        return refuse_access(refusal, -ESRCH, target->pid, &target->status);
    if (r == 0 && (r = find_python(target)) < 0)
        return r == -EPERM || r == -ESRCH
                   ? refuse_access(refusal, r, target->pid, &target->status)
                   : refuse(refusal, -ENOEXEC, target->pid,
                         "is no CPython program: `looptop ls` lists those that run an event loop");
    if (r == 0)
        r = refuse_version(target, refusal);
    if (r == 0 && (r = find_libc(target)) < 0)
        return refuse(refusal, -ENOTSUP, target->pid,
            "cannot load an agent: it is linked statically, or with a C library that is not known "
            "to looptop; start it with a shared one");
    return r;
}

int
target_open(pid_t pid, struct target *target, struct refusal *refusal)
{
    *target = (struct target){.pid = pid, .memory = memory_of(pid)};
    int r = proc_status(NULL, pid, &target->status);

    if (r == -ESRCH) {
        (void)snprintf(refusal->text, sizeof(refusal->text),
            "no process %d: `looptop ls` lists those that run an event loop", (int)pid);
        return refusal->code = r;
    }
    if (r == 0)
        r = refuse_state(refusal, pid, &target->status);
    else
        r = refuse_access(refusal, r, pid, &target->status);
    if (r < 0)
        return r;
    r = maps_read(pid, &target->maps);
    if (r < 0)
        return refuse_access(refusal, r, pid, &target->status);
    r = look(target, refusal);
    if (r == 0)
        find_agent(target);
    return r;
}

int
target_open_agent(pid_t pid, struct target *target)
{
    *target = (struct target){.pid = pid, .memory = memory_of(pid)};
    int r = proc_status(NULL, pid, &target->status);

    if (r == 0)
        r = target_refresh(target);
    return r == 0 && target->agent == 0 ? -ENOENT : r;
}

void
target_done(struct target *target)
{
    maps_done(&target->maps);
}
