/* SPDX-License-Identifier: MIT */
/* See carry.h. */
#include "attach/carry.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"

int
carry_open(const char *path, struct carry *ret_carry)
{
    struct stat st;
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if ((size_t)st.st_size < sizeof(Elf64_Ehdr))
        return -ENOEXEC;
    /* read now: while it is written out a thread of somebody else's stands still */
    void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (data == MAP_FAILED)
        return -errno;
    *ret_carry = (struct carry){.data = data, .size = (size_t)st.st_size};
    return 0;
}

void
carry_done(struct carry *carry)
{
    if (carry->data)
        (void)munmap((void *)(uintptr_t)carry->data, carry->size);
    if (carry->inside[0]) {
        (void)unlinkat(carry->dir, strrchr(carry->inside, '/') + 1, 0);
        (void)close(carry->dir);
    }
    *carry = (struct carry){0};
}

static int
write_at(int fd, const unsigned char *data, size_t size, uint64_t offset)
{
    while (size > 0) {
        ssize_t n = pwrite(fd, data, size, (off_t)offset);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            data += n;
            size -= (size_t)n;
            offset += (uint64_t)n;
        }
    }
    return 0;
}

/* The segments and the headers: symbols for debuggers are the larger part of the file. */
int
carry_write(const struct carry *carry, int fd)
{
    Elf64_Ehdr header;
    Elf64_Phdr segment;

    memcpy(&header, carry->data, sizeof(header));
    for (size_t i = 0; i < header.e_phnum; i++) {
        uint64_t at = header.e_phoff + i * sizeof(segment);
        if (at + sizeof(segment) > carry->size)
            return -ENOEXEC;
        memcpy(&segment, carry->data + at, sizeof(segment));
        if (segment.p_type != PT_LOAD)
            continue;
        if (segment.p_offset > carry->size || segment.p_filesz > carry->size - segment.p_offset)
            return -ENOEXEC;
        int r = write_at(fd, carry->data + segment.p_offset, segment.p_filesz, segment.p_offset);
        if (r < 0)
            return r;
    }
    return 0;
}

bool
carry_has_proc(const struct target *target)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/root/proc/version", (int)target->pid);
    return access(path, F_OK) == 0;
}

/*
 * A directory of the process's that files can be written to and run from: a descriptor, or -errno.
 * Its links lead where they lead for the process, never into our own root.
 */
static int
open_dir(const struct target *target, const char *path)
{
    struct open_how how = {.flags = O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
    char root[64];
    struct statvfs fs;

    (void)snprintf(root, sizeof(root), "/proc/%d/root", (int)target->pid);
    CLEANUP_CLOSE int top = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    CLEANUP_CLOSE int dir = top < 0 ? -1 : (int)syscall(SYS_openat2, top, path, &how, sizeof(how));
    if (dir < 0 || fstatvfs(dir, &fs) < 0)
        return -errno;
    if (fs.f_flag & (ST_NOEXEC | ST_RDONLY))
        return -EACCES;
    int kept = dir;
    dir = -1;
    return kept;
}

/* What a file is written with. */
struct content {
    const struct carry *agent; /* NULL: the text */
    const char *text;
    size_t size;
};

/* 0, or -errno and nothing is left. */
static int
write_file(int dir, const char *name, uid_t owner, const struct content *content)
{
    CLEANUP_CLOSE int fd =
        openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0700);
    if (fd < 0)
        return -errno;

    int r = content->agent ? carry_write(content->agent, fd)
                           : write_at(fd, (const unsigned char *)content->text, content->size, 0);
    if (r == 0 && geteuid() != owner && fchown(fd, owner, (gid_t)-1) < 0)
        r = -errno;
    if (r < 0)
        (void)unlinkat(dir, name, 0);
    return r;
}

/* In the first directory that takes it. */
static int
place_file(struct carry *carry, const struct target *target, const char *name, const char *suffix,
    const struct content *content)
{
    static const char *const dirs[] = {"/tmp", "/dev/shm", "/var/tmp", "/run", ""};
    char file[96];
    uint64_t number;

    if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
        return -errno;
    (void)snprintf(file, sizeof(file), "%s-%016llx%s", name, (unsigned long long)number, suffix);
    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        int dir = open_dir(target, dirs[i][0] ? dirs[i] : "/");
        if (dir < 0)
            continue;
        if (write_file(dir, file, target->status.euid, content) == 0) {
            (void)snprintf(carry->inside, sizeof(carry->inside), "%s/%s", dirs[i], file);
            carry->dir = dir;
            return 0;
        }
        (void)close(dir);
    }
    return -ENOSPC;
}

int
carry_file(struct carry *carry, const struct target *target, const char *name)
{
    return place_file(carry, target, name, ".so", &(struct content){.agent = carry});
}

int
carry_text(struct carry *carry, const struct target *target, const char *name, const char *text,
    size_t size)
{
    return place_file(carry, target, name, ".py", &(struct content){.text = text, .size = size});
}
