/* SPDX-License-Identifier: MIT */
/*
 * The way back of an injected call, without ptrace: the test makes the frame for itself, jumps to
 * the restorer with it on the stack, as the end of a call does, and sees what the kernel made of
 * it. It runs on this machine with cmocka, and for aarch64 in an emulator: `make check-cross`.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attach/arch.h"

/* for what follows, too */
static int read_self(const struct memory *memory, uint64_t address, void *out, size_t size);
static uint64_t pattern(unsigned i);
static void fill(struct arch_state *state);
static uint64_t take_trip(const struct arch_state *state);

static const struct memory self = {.read = read_self};

#if defined(__x86_64__)
#include "tests/unit/arch_x86_64.h"
#elif defined(__aarch64__)
#include "tests/unit/arch_aarch64.h"
#else
#error "no test of this processor's frame"
#endif

#define ROOM 65536
#define BELOW_TOP 136 /* not where a frame may begin as it is */
#define SIGMASK (1ull << (SIGUSR2 - 1) | 1ull << (39 - 1) | 1ull << (58 - 1))

static _Alignas(64) unsigned char room[ROOM];

static int
read_self(const struct memory *memory, uint64_t address, void *out, size_t size)
{
    (void)memory;
    if (address < 4096)
        return -EFAULT;
    memcpy(out, (const void *)(uintptr_t)address, size);
    return 0;
}

/* Counts on, so that no two registers and no two bytes of one are the same. */
static uint64_t
pattern(unsigned i)
{
    return 0x8877665544332211ull + 0x0101010101010101ull * i;
}

static uint64_t
swap_mask(uint64_t mask)
{
    uint64_t old = 0;

    assert_int_equal(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, &old, sizeof(mask)), 0);
    return old;
}

static void
fill(struct arch_state *state)
{
    memset(state, 0, sizeof(*state));
    for (unsigned i = 0; i < ARCH_REGISTERS; i++)
        state->registers[i] = pattern(i);
    state->sigmask = SIGMASK;
}

/* Through the frame and back here; the signal mask is as it was before. Returns that of the frame.
 */
static uint64_t
take_trip(const struct arch_state *state)
{
    static unsigned char out[ARCH_FRAME_MAX];
    uint64_t top = (uint64_t)(uintptr_t)(room + ROOM - BELOW_TOP), address, mask;
    uint64_t restorer = (uint64_t)(uintptr_t)trip_restorer;
    size_t size;

    memset(out, 0xff, sizeof(out));
    memset(&trip_seen, 0xff, sizeof(trip_seen));
    assert_int_equal(arch_frame(state, top, restorer, out, &address, &size), 0);
    assert_true(size <= ARCH_FRAME_MAX && address + size <= top);
    memcpy((void *)(uintptr_t)address, out, size);
    mask = swap_mask(0);
    trip_go(address, restorer);
    return swap_mask(mask);
}

static void
restorer_is_the_kernels(void **unused)
{
    (void)unused;
    assert_memory_equal(trip_restorer, arch_restorer, arch_restorer_size);
}

static void
registers_come_back(void **unused)
{
    (void)unused;
    static struct arch_state state;

    fill(&state);
    if (!trip_fill(&state))
        skip();
    assert_int_equal(take_trip(&state), SIGMASK);
    trip_compare(&state);
}

static void
signal_stack_stays(void **unused)
{
    (void)unused;
    static struct arch_state state;
    static unsigned char stack[ROOM];
    stack_t mine = {.ss_sp = stack, .ss_size = sizeof(stack)}, none = {.ss_flags = SS_DISABLE};
    stack_t seen;

    fill(&state);
    if (!trip_fill(&state))
        skip();
    assert_int_equal(sigaltstack(&mine, NULL), 0);
    (void)take_trip(&state);
    assert_int_equal(sigaltstack(&none, &seen), 0);
    assert_ptr_equal(seen.ss_sp, stack);
    assert_int_equal(seen.ss_size, sizeof(stack));
    assert_int_equal(seen.ss_flags, 0);
}

static void
frame_needs_vector_registers(void **unused)
{
    (void)unused;
    static struct arch_state state;
    static unsigned char out[ARCH_FRAME_MAX];
    uint64_t address;
    size_t size;

    fill(&state);
    state.vector_size = 16;
    assert_int_equal(arch_frame(&state, 1u << 20, 0, out, &address, &size), -ENOBUFS);
}

static void
errno_is_found(void **unused)
{
    (void)unused;
    uint64_t address = 0, location = (uint64_t)(uintptr_t)__errno_location;

    assert_int_equal(arch_errno(&self, location, trip_tls(), &address), 0);
    assert_ptr_equal((void *)(uintptr_t)address, &errno);
}

static void
errno_of_other_code_is_not_known(void **unused)
{
    (void)unused;
    uint64_t address = 0, location = (uint64_t)(uintptr_t)trip_go;

    assert_int_equal(arch_errno(&self, location, trip_tls(), &address), -ENOTSUP);
    assert_int_equal(arch_errno(&self, 0, trip_tls(), &address), -EFAULT);
}

static void
look_tells_the_syscall(void **unused)
{
    (void)unused;
    static struct arch_state state;

    fill(&state);
    trip_look(&state);
}

static void
only_what_the_kernel_ended_is_resumed(void **unused)
{
    (void)unused;
    static struct arch_state state;

    fill(&state);
    trip_resume(&state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(restorer_is_the_kernels),
        cmocka_unit_test(registers_come_back),
        cmocka_unit_test(signal_stack_stays),
        cmocka_unit_test(frame_needs_vector_registers),
        cmocka_unit_test(errno_is_found),
        cmocka_unit_test(errno_of_other_code_is_not_known),
        cmocka_unit_test(look_tells_the_syscall),
        cmocka_unit_test(only_what_the_kernel_ended_is_resumed),
        TRIP_TESTS,
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
