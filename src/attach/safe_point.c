/* SPDX-License-Identifier: MIT */
/*
 * See safe_point.h. The rules are those of notes/attach.md A3, checked there against complete
 * unwinding: a lock of malloc's or the linker's is waited for by a plain FUTEX_WAIT, all waits of
 * interest to a program by FUTEX_WAIT_BITSET; code of libc or the linker may be anywhere in them; a
 * constructor or resolver that runs under dlopen() has the linker on its stack.
 */
#include "attach/safe_point.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "attach/image.h"

#define STACK_ROOM (64u << 10) /* dlopen takes 4 KiB, a frame up to 12 KiB */
#define STACK_PART 512         /* words that are read at a time; … above the stack pointer: */
#define HANDLER_LOOK 8192
#define FUTEX_COMMAND 0x7fu /* without FUTEX_PRIVATE_FLAG and FUTEX_CLOCK_REALTIME */
#define RESTARTS_FIRST (-512)
#define RESTARTS_LAST (-516)
#define RESTARTS_BLOCK (-516)

/* Ranks: whose disturbance is felt least. */
enum { RANK_NONE, RANK_OTHER, RANK_POLL, RANK_SLEEP, RANK_FUTEX };

static const struct {
    long number;
    int rank;
} waits[] = {
#ifdef SYS_epoll_wait
    {SYS_epoll_wait, RANK_POLL},
    {SYS_poll, RANK_POLL},
    {SYS_select, RANK_POLL},
    {SYS_pause, RANK_SLEEP},
#endif
    {SYS_epoll_pwait, RANK_POLL},
#ifdef SYS_epoll_pwait2
    {SYS_epoll_pwait2, RANK_POLL},
#endif
    {SYS_ppoll, RANK_POLL},
    {SYS_pselect6, RANK_POLL},
    {SYS_nanosleep, RANK_SLEEP},
    {SYS_clock_nanosleep, RANK_SLEEP},
    {SYS_rt_sigtimedwait, RANK_SLEEP},
    {SYS_rt_sigsuspend, RANK_SLEEP},
    {SYS_accept, RANK_OTHER},
    {SYS_accept4, RANK_OTHER},
    {SYS_connect, RANK_OTHER},
    {SYS_recvfrom, RANK_OTHER},
    {SYS_recvmsg, RANK_OTHER},
    {SYS_sendto, RANK_OTHER},
    {SYS_sendmsg, RANK_OTHER},
    {SYS_wait4, RANK_OTHER},
    {SYS_waitid, RANK_OTHER},
#ifdef SYS_io_uring_enter
    {SYS_io_uring_enter, RANK_OTHER},
#endif
};

int
safe_point_rank(long number, uint64_t second)
{
    if (number == SYS_futex)
        return (second & FUTEX_COMMAND) == FUTEX_WAIT_BITSET ? RANK_FUTEX : RANK_NONE;
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++)
        if (waits[i].number == number)
            return waits[i].rank;
    return RANK_NONE;
}

static bool
in_safe_syscall(const struct arch_point *point)
{
    bool restarts = point->result <= RESTARTS_FIRST && point->result >= RESTARTS_LAST;

    if (safe_point_rank(point->number, point->second) != RANK_NONE)
        return true;
    switch (point->number) {
    case SYS_restart_syscall:
        return point->result == RESTARTS_BLOCK;
    case SYS_read:
    case SYS_write:
    case SYS_readv:
    case SYS_writev:
        return restarts; /* waiting, not about to come back: never, where that is not known */
    default:
        return false;
    }
}

/* An object with an allocator of its own, which may hold locks at any instruction. */
static bool
allocates(const struct target *target, const struct map *map)
{
    struct image image;
    uint64_t address;
    const struct map *first = target_object(target, map);

    return first && image_open(&target->memory, first->start, &image) == 0 &&
           image_symbol(&image, "malloc", &address) == 0;
}

/* Whether a word of the first so many above the stack pointer is an address from start on, below
 * end. Where nothing can be read it may be. */
static bool
on_stack(const struct target *target, uint64_t sp, size_t look, uint64_t start, uint64_t end)
{
    uint64_t words[STACK_PART];

    for (size_t done = 0; done < look; done += STACK_PART) {
        size_t count = STACK_PART;
        uint64_t at = sp + done * sizeof(words[0]);

        /* the stack may end sooner */
        while (count > 0 && memory_read(&target->memory, at, words, count * sizeof(words[0])) < 0)
            count /= 2;
        for (size_t i = 0; i < count; i++)
            if (words[i] >= start && words[i] < end)
                return true;
        if (count < STACK_PART)
            return done == 0 && count == 0;
    }
    return false;
}

bool
safe_point_linker_above(const struct target *target, uint64_t sp)
{
    return on_stack(target, sp, STACK_PART, target->linker_start, target->linker_end);
}

static bool
has_room(const struct target *target, uint64_t sp)
{
    const struct map *stack = maps_at(&target->maps, sp);

    /* the main thread's grows by itself */
    return stack && (stack->access & MAPS_WRITE) &&
           (strcmp(stack->path, "[stack]") == 0 || sp - stack->start >= STACK_ROOM);
}

bool
safe_point(const struct target *target, const struct arch_state *state,
    const struct arch_point *point, char why[SAFE_POINT_WHY])
{
    const struct map *code = maps_at(&target->maps, point->ip);
    size_t len = 0;
    const char *name = code ? map_name(code, &len) : "code that is not mapped";

    /* a handler runs with signals blocked, but there are programs that always have some */
    if ((state->sigmask & target->status.caught) &&
        (!point->in_syscall ||
            on_stack(target, point->sp, HANDLER_LOOK, target->restorer, target->restorer + 1))) {
        (void)snprintf(why, SAFE_POINT_WHY, "within a signal handler, as it blocks signals");
        return false;
    }
    if (!has_room(target, point->sp)) {
        (void)snprintf(why, SAFE_POINT_WHY, "too little room on the stack");
        return false;
    }
    if (point->lossy) {
        (void)snprintf(why, SAFE_POINT_WHY, "uses vector registers that cannot be kept");
        return false;
    }
    if (point->in_syscall) {
        (void)snprintf(why, SAFE_POINT_WHY, "in syscall %ld", point->number);
        return in_safe_syscall(point);
    }
    (void)snprintf(why, SAFE_POINT_WHY, "in %.*s", (int)(len ? len : strlen(name)), name);
    return code && target->errno_location != 0 && !target_is_critical(target, point->ip) &&
           !allocates(target, code) && !safe_point_linker_above(target, point->sp);
}
