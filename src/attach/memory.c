/* SPDX-License-Identifier: MIT */
/* See memory.h. process_vm_readv is one call; where a seccomp filter of ours forbids it,
 * /proc/PID/mem asks for the same rights. */
#include "attach/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/cleanup.h"

/* Through /proc/PID/mem. It would write where the process itself may not, too: callers only name
 * what it may. */
static int
by_file(pid_t pid, uint64_t address, void *data, size_t size, bool write)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
    CLEANUP_CLOSE int fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? -ESRCH : errno == EACCES ? -EPERM : -errno;
    ssize_t n =
        write ? pwrite(fd, data, size, (off_t)address) : pread(fd, data, size, (off_t)address);
    if (n < 0)
        return errno == EIO ? -EFAULT : -errno;
    return (size_t)n == size ? 0 : -EFAULT;
}

/* What the kernel says of rights is final, unless it is our own filter that speaks. */
static int
result(ssize_t n, pid_t pid, uint64_t address, void *data, size_t size, bool write)
{
    if (n < 0 && (errno == EPERM || errno == ENOSYS))
        return by_file(pid, address, data, size, write);
    if (n < 0)
        return -errno;
    return (size_t)n == size ? 0 : -EFAULT;
}

static int
read_process(const struct memory *memory, uint64_t address, void *out, size_t size)
{
    struct iovec ours = {.iov_base = out, .iov_len = size};
    struct iovec theirs = {.iov_base = (void *)(uintptr_t)address, .iov_len = size};

    return result(process_vm_readv(memory->pid, &ours, 1, &theirs, 1, 0), memory->pid, address, out,
        size, false);
}

struct memory
memory_of(pid_t pid)
{
    return (struct memory){.read = read_process, .pid = pid};
}

int
memory_read(const struct memory *memory, uint64_t address, void *out, size_t size)
{
    if (address + size < address)
        return -EFAULT;
    return size == 0 ? 0 : memory->read(memory, address, out, size);
}

int
memory_write(pid_t pid, uint64_t address, const void *data, size_t size)
{
    struct iovec ours = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
    struct iovec theirs = {.iov_base = (void *)(uintptr_t)address, .iov_len = size};

    return result(
        process_vm_writev(pid, &ours, 1, &theirs, 1, 0), pid, address, ours.iov_base, size, true);
}
