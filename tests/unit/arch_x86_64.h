/* SPDX-License-Identifier: MIT */
/* Of test_arch.c, which includes it: what that test does on x86-64. */
#ifndef LOOPTOP_TESTS_ARCH_X86_64_H
#define LOOPTOP_TESTS_ARCH_X86_64_H

#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/user.h>

#include "attach/arch.h"

#define FLAGS_SET 0x8d5ull /* overflow, sign, zero, auxiliary, parity and carry */
#define FLAGS_SEEN FLAGS_SET
#define MXCSR_FLUSH 0x9f80u
#define CONTROL_DOUBLE 0x027fu
/* in an XSAVE area */
#define AT_CONTROL 0
#define AT_MXCSR 24
#define AT_XMM 160
#define AT_FEATURES 464 /* as PTRACE_GETREGSET has it */
#define AT_PRESENT 512
#define XMM_BYTES 256
#define FEATURES_SSE 3u
#define FEATURES_AVX 7u
#define SYSCALL_BYTES 2

/* for the code below, which knows these offsets */
struct user_regs_struct trip_seen;
_Alignas(64) unsigned char trip_vector[ARCH_VECTOR];
uint64_t trip_home;
extern const unsigned char trip_restorer[];
void trip_go(uint64_t frame, uint64_t restorer);
void trip_land(void);

static _Alignas(64) unsigned char trip_stack[4096];

_Static_assert(offsetof(struct user_regs_struct, rdi) == 112, "trip_land");
_Static_assert(offsetof(struct user_regs_struct, eflags) == 144, "trip_land");
_Static_assert(offsetof(struct user_regs_struct, rsp) == 152, "trip_land");

/*
 * trip_go leaves as the function of a call returns: the frame at the stack pointer, and first in it
 * the restorer. The frame says to go on at trip_land, where all is written down and trip_go
 * returns.
 */
__asm__(".text\n"
        ".globl trip_restorer, trip_go, trip_land\n"
        ".hidden trip_restorer, trip_go, trip_land\n"
        ".balign 16\n"
        "trip_restorer:\n"
        "    mov $15, %rax\n"
        "    syscall\n"
        "trip_go:\n"
        "    push %rbp\n"
        "    push %rbx\n"
        "    push %r12\n"
        "    push %r13\n"
        "    push %r14\n"
        "    push %r15\n"
        "    sub $16, %rsp\n"
        "    stmxcsr (%rsp)\n"
        "    fnstcw 8(%rsp)\n"
        "    mov %rsp, trip_home(%rip)\n"
        "    mov %rdi, %rsp\n"
        "    ret\n"
        "trip_land:\n"
        "    jmp 1f\n" /* as long as a syscall is: who lands behind it has not been set back */
        "    ud2\n"
        "1:\n"
        "    mov %r15, trip_seen(%rip)\n"
        "    mov %r14, trip_seen+8(%rip)\n"
        "    mov %r13, trip_seen+16(%rip)\n"
        "    mov %r12, trip_seen+24(%rip)\n"
        "    mov %rbp, trip_seen+32(%rip)\n"
        "    mov %rbx, trip_seen+40(%rip)\n"
        "    mov %r11, trip_seen+48(%rip)\n"
        "    mov %r10, trip_seen+56(%rip)\n"
        "    mov %r9, trip_seen+64(%rip)\n"
        "    mov %r8, trip_seen+72(%rip)\n"
        "    mov %rax, trip_seen+80(%rip)\n"
        "    mov %rcx, trip_seen+88(%rip)\n"
        "    mov %rdx, trip_seen+96(%rip)\n"
        "    mov %rsi, trip_seen+104(%rip)\n"
        "    mov %rdi, trip_seen+112(%rip)\n"
        "    mov %rsp, trip_seen+152(%rip)\n"
        "    pushfq\n"
        "    pop trip_seen+144(%rip)\n"
        "    mov $7, %eax\n"
        "    xor %edx, %edx\n"
        "    lea trip_vector(%rip), %rdi\n"
        "    xsave (%rdi)\n"
        "    mov trip_home(%rip), %rsp\n"
        "    ldmxcsr (%rsp)\n"
        "    fldcw 8(%rsp)\n"
        "    add $16, %rsp\n"
        "    pop %r15\n"
        "    pop %r14\n"
        "    pop %r13\n"
        "    pop %r12\n"
        "    pop %rbx\n"
        "    pop %rbp\n"
        "    ret\n");

static uint64_t
trip_tls(void)
{
    uint64_t tls;

    __asm__("mov %%fs:0, %0" : "=r"(tls));
    return tls;
}

static struct user_regs_struct
trip_registers(const struct arch_state *state)
{
    struct user_regs_struct regs;

    memcpy(&regs, state->registers, sizeof(regs));
    return regs;
}

static void
trip_set_registers(struct arch_state *state, const struct user_regs_struct *regs)
{
    memcpy(state->registers, regs, sizeof(*regs));
    state->registers_size = sizeof(*regs);
}

/* Where the upper halves of the AVX registers are in the area; 0: there are none. */
static unsigned
trip_upper(uint64_t features)
{
    unsigned size, offset = 0, c, d;

    if ((features & FEATURES_AVX) == FEATURES_AVX &&
        !__get_cpuid_count(0xd, 2, &size, &offset, &c, &d))
        offset = 0;
    return offset;
}

/* The area as it is now, with the test's values in it. False: there is no XSAVE. */
static bool
trip_fill_vector(struct arch_state *state)
{
    static _Alignas(64) unsigned char area[ARCH_VECTOR];
    unsigned a, size, c, d, low, high;
    uint32_t mxcsr = MXCSR_FLUSH;
    uint16_t control = CONTROL_DOUBLE;
    uint64_t features, present;

    if (!__get_cpuid(1, &a, &size, &c, &d) || !(c & bit_OSXSAVE) ||
        !__get_cpuid_count(0xd, 0, &a, &size, &c, &d) || size > ARCH_VECTOR - sizeof(uint32_t))
        return false;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    __asm__ volatile("xsave (%0)" : : "r"(area), "a"(low), "d"(high) : "memory");
    features = (uint64_t)high << 32 | low;
    memcpy(area + AT_CONTROL, &control, sizeof(control));
    memcpy(area + AT_MXCSR, &mxcsr, sizeof(mxcsr));
    memcpy(area + AT_FEATURES, &features, sizeof(features));
    memcpy(&present, area + AT_PRESENT, sizeof(present));
    present |= features & FEATURES_AVX;
    memcpy(area + AT_PRESENT, &present, sizeof(present));
    for (unsigned i = 0; i < XMM_BYTES / sizeof(uint64_t); i++) {
        uint64_t word = pattern(100 + i), upper = ~word;
        memcpy(area + AT_XMM + i * sizeof(word), &word, sizeof(word));
        if (trip_upper(features))
            memcpy(area + trip_upper(features) + i * sizeof(upper), &upper, sizeof(upper));
    }
    memcpy(state->vector, area, size);
    state->vector_size = size;
    state->vector_kind = NT_X86_XSTATE;
    return true;
}

/* A state that goes on at trip_land. False: this processor is too old for the test. */
static bool
trip_fill(struct arch_state *state)
{
    struct user_regs_struct regs = trip_registers(state);
    uint64_t cs, ss;

    __asm__("mov %%cs, %0\n\tmov %%ss, %1" : "=r"(cs), "=r"(ss));
    regs.cs = cs;
    regs.ss = ss;
    regs.rip = (uint64_t)(uintptr_t)trip_land;
    regs.rsp = (uint64_t)(uintptr_t)(trip_stack + sizeof(trip_stack) - 24);
    regs.eflags = FLAGS_SET;
    regs.orig_rax = (unsigned long long)-1;
    trip_set_registers(state, &regs);
    return trip_fill_vector(state);
}

static void
trip_compare(const struct arch_state *state)
{
    struct user_regs_struct regs = trip_registers(state);
    uint64_t features;

    /* those that begin the structure, up to rdi */
    for (unsigned i = 0; i <= offsetof(struct user_regs_struct, rdi) / sizeof(uint64_t); i++)
        assert_int_equal(((const unsigned long long *)&trip_seen)[i], state->registers[i]);
    assert_int_equal(trip_seen.rsp, regs.rsp);
    assert_int_equal(trip_seen.eflags & FLAGS_SEEN, FLAGS_SET & FLAGS_SEEN);
    memcpy(&features, state->vector + AT_FEATURES, sizeof(features));
    assert_memory_equal(trip_vector + AT_CONTROL, state->vector + AT_CONTROL, 2);
    assert_memory_equal(trip_vector + AT_MXCSR, state->vector + AT_MXCSR, 4);
    assert_memory_equal(trip_vector + AT_XMM, state->vector + AT_XMM, XMM_BYTES);
    if (trip_upper(features))
        assert_memory_equal(
            trip_vector + trip_upper(features), state->vector + trip_upper(features), XMM_BYTES);
}

/* As an interrupted syscall with this result, two bytes before trip_land. */
static void
trip_interrupt(struct arch_state *state, long number, long result)
{
    struct user_regs_struct regs = trip_registers(state);

    regs.orig_rax = (unsigned long long)number;
    regs.rax = (unsigned long long)result;
    trip_set_registers(state, &regs);
}

static void
trip_look(struct arch_state *state)
{
    struct user_regs_struct regs = trip_registers(state);
    struct arch_point point;

    trip_interrupt(state, SYS_futex, -512);
    arch_look(&self, state, &point);
    assert_true(point.in_syscall && !point.lossy);
    assert_int_equal(point.number, SYS_futex);
    assert_int_equal(point.result, -512);
    assert_int_equal(point.second, regs.rsi);
    assert_int_equal(point.ip, regs.rip);
    assert_int_equal(point.sp, regs.rsp);
    assert_int_equal(point.tls, state->tls);
    trip_interrupt(state, -1, 0);
    arch_look(&self, state, &point);
    assert_true(!point.in_syscall);
}

static void
trip_resume(struct arch_state *state)
{
    static const struct {
        long number, result, timeout;
        bool resumed;
    } cases[] = {
        {SYS_epoll_wait, -EINTR, -1, true},
        {SYS_epoll_pwait, -EINTR, -1, true},
        {SYS_epoll_wait, -EINTR, 100, false},
        {SYS_epoll_wait, 1, -1, false},
        {SYS_nanosleep, -EINTR, -1, false},
    };
    struct user_regs_struct before, after;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        before = trip_registers(state);
        before.r10 = (unsigned long long)cases[i].timeout;
        trip_set_registers(state, &before);
        trip_interrupt(state, cases[i].number, cases[i].result);
        arch_resume_wait(state);
        after = trip_registers(state);
        assert_int_equal(before.rip - after.rip, cases[i].resumed ? SYSCALL_BYTES : 0);
        assert_int_equal(after.rax, cases[i].resumed ? cases[i].number : cases[i].result);
    }
}

/* Where the kernel would restart a syscall the frame does; and it ends what needs the kernel. */
static void
frame_restarts_the_syscall(void **unused)
{
    (void)unused;
    static const struct {
        long result;
        unsigned back;
        long seen;
    } cases[] = {
        {-512, SYSCALL_BYTES, SYS_futex},
        {-513, SYSCALL_BYTES, SYS_futex},
        {-514, SYSCALL_BYTES, SYS_futex},
        {-516, 0, -EINTR},
        {-EINTR, 0, -EINTR},
        {3, 0, 3},
    };
    static struct arch_state state;
    struct user_regs_struct regs;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fill(&state);
        if (!trip_fill(&state))
            skip();
        trip_interrupt(&state, SYS_futex, cases[i].result);
        regs = trip_registers(&state);
        regs.rip += cases[i].back;
        trip_set_registers(&state, &regs);
        (void)take_trip(&state);
        assert_int_equal(trip_seen.rax, cases[i].seen);
    }
}

#define TRIP_TESTS cmocka_unit_test(frame_restarts_the_syscall)

#endif
