/* SPDX-License-Identifier: MIT */
/* Of test_arch.c, which includes it: what that test does on aarch64. */
#ifndef LOOPTOP_TESTS_ARCH_AARCH64_H
#define LOOPTOP_TESTS_ARCH_AARCH64_H

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include <asm/ptrace.h>

#include "attach/arch.h"

#define NZCV 0xf0000000u
#define NEGATIVE_CARRY 0xa0000000u
#define FPCR_TO_ZERO 0x00c00000u
#define FPSR_ALL 0x0800009fu
#define STATE(name) offsetof(ucontext_t, name)

/* C libraries lay out the same structure for handlers. */
_Static_assert(STATE(uc_sigmask) == 40 && STATE(uc_mcontext) == 176, "struct ucontext");
_Static_assert(STATE(uc_mcontext.__reserved) == 176 + 288, "struct sigcontext");

struct trip_seen {
    struct user_pt_regs regs;
    struct user_fpsimd_state vector;
};

/* for the code below, which knows these offsets */
struct trip_seen trip_seen;
uint64_t trip_home;
extern const unsigned char trip_restorer[];
void trip_go(uint64_t frame, uint64_t restorer);
void trip_land(void);

_Static_assert(offsetof(struct trip_seen, vector) == 272, "trip_land");
_Static_assert(offsetof(struct trip_seen, vector.fpsr) == 784, "trip_land");

/*
 * trip_go leaves as the function of a call returns: the frame at the stack pointer, the restorer in
 * the link register. The frame says to go on at trip_land, with trip_seen for a stack, where all is
 * written down and trip_go returns.
 */
__asm__(".text\n"
        ".globl trip_restorer, trip_go, trip_land\n"
        ".hidden trip_restorer, trip_go, trip_land\n"
        ".balign 16\n"
        "trip_restorer:\n"
        "    mov x8, #139\n"
        "    svc #0\n"
        "trip_go:\n"
        "    stp x29, x30, [sp, #-176]!\n"
        "    stp x19, x20, [sp, #16]\n"
        "    stp x21, x22, [sp, #32]\n"
        "    stp x23, x24, [sp, #48]\n"
        "    stp x25, x26, [sp, #64]\n"
        "    stp x27, x28, [sp, #80]\n"
        "    stp d8, d9, [sp, #96]\n"
        "    stp d10, d11, [sp, #112]\n"
        "    stp d12, d13, [sp, #128]\n"
        "    stp d14, d15, [sp, #144]\n"
        "    mrs x9, fpcr\n"
        "    str x9, [sp, #160]\n"
        "    mov x9, sp\n"
        "    adrp x10, trip_home\n"
        "    str x9, [x10, :lo12:trip_home]\n"
        "    mov sp, x0\n"
        "    mov x30, x1\n"
        "    ret\n"
        "trip_land:\n"
        "    stp x0, x1, [sp]\n"
        "    stp x2, x3, [sp, #16]\n"
        "    stp x4, x5, [sp, #32]\n"
        "    stp x6, x7, [sp, #48]\n"
        "    stp x8, x9, [sp, #64]\n"
        "    stp x10, x11, [sp, #80]\n"
        "    stp x12, x13, [sp, #96]\n"
        "    stp x14, x15, [sp, #112]\n"
        "    stp x16, x17, [sp, #128]\n"
        "    stp x18, x19, [sp, #144]\n"
        "    stp x20, x21, [sp, #160]\n"
        "    stp x22, x23, [sp, #176]\n"
        "    stp x24, x25, [sp, #192]\n"
        "    stp x26, x27, [sp, #208]\n"
        "    stp x28, x29, [sp, #224]\n"
        "    str x30, [sp, #240]\n"
        "    mov x0, sp\n"
        "    str x0, [sp, #248]\n"
        "    mrs x0, nzcv\n"
        "    str x0, [sp, #264]\n"
        "    .irp n, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30\n"
        "    str q\\n, [sp, #272 + 16 * \\n]\n"
        "    .endr\n"
        "    .irp n, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31\n"
        "    str q\\n, [sp, #272 + 16 * \\n]\n"
        "    .endr\n"
        "    mrs x0, fpsr\n"
        "    str w0, [sp, #784]\n"
        "    mrs x0, fpcr\n"
        "    str w0, [sp, #788]\n"
        "    adrp x10, trip_home\n"
        "    ldr x9, [x10, :lo12:trip_home]\n"
        "    mov sp, x9\n"
        "    ldr x9, [sp, #160]\n"
        "    msr fpcr, x9\n"
        "    ldp x19, x20, [sp, #16]\n"
        "    ldp x21, x22, [sp, #32]\n"
        "    ldp x23, x24, [sp, #48]\n"
        "    ldp x25, x26, [sp, #64]\n"
        "    ldp x27, x28, [sp, #80]\n"
        "    ldp d8, d9, [sp, #96]\n"
        "    ldp d10, d11, [sp, #112]\n"
        "    ldp d12, d13, [sp, #128]\n"
        "    ldp d14, d15, [sp, #144]\n"
        "    ldp x29, x30, [sp], #176\n"
        "    ret\n");

static uint64_t
trip_tls(void)
{
    return (uint64_t)(uintptr_t)__builtin_thread_pointer();
}

static struct user_pt_regs
trip_registers(const struct arch_state *state)
{
    struct user_pt_regs regs;

    memcpy(&regs, state->registers, sizeof(regs));
    return regs;
}

static void
trip_set_registers(struct arch_state *state, const struct user_pt_regs *regs)
{
    memcpy(state->registers, regs, sizeof(*regs));
    state->registers_size = sizeof(*regs);
}

/* A state that goes on at trip_land. False: this processor is too old for the test. */
static bool
trip_fill(struct arch_state *state)
{
    struct user_pt_regs regs = trip_registers(state);
    struct user_fpsimd_state vector = {.fpcr = FPCR_TO_ZERO, .fpsr = FPSR_ALL};

    regs.sp = (uint64_t)(uintptr_t)&trip_seen;
    regs.pc = (uint64_t)(uintptr_t)trip_land;
    regs.pstate = NEGATIVE_CARRY;
    trip_set_registers(state, &regs);
    for (unsigned i = 0; i < 32; i++) {
        uint64_t halves[2] = {pattern(100 + i), ~pattern(i)};
        memcpy(&vector.vregs[i], halves, sizeof(halves));
    }
    memcpy(state->vector, &vector, sizeof(vector));
    state->vector_size = sizeof(vector);
    state->vector_kind = NT_PRFPREG;
    return true;
}

static void
trip_compare(const struct arch_state *state)
{
    struct user_pt_regs regs = trip_registers(state);

    for (unsigned i = 0; i < 31; i++)
        assert_int_equal(trip_seen.regs.regs[i], regs.regs[i]);
    assert_int_equal(trip_seen.regs.sp, regs.sp);
    assert_int_equal(trip_seen.regs.pstate & NZCV, NEGATIVE_CARRY);
    assert_memory_equal(trip_seen.vector.vregs, state->vector, sizeof(trip_seen.vector.vregs));
    assert_int_equal(trip_seen.vector.fpcr, FPCR_TO_ZERO);
    assert_int_equal(trip_seen.vector.fpsr, FPSR_ALL);
}

static struct arch_point
trip_look_at(struct arch_state *state, const void *pc, uint64_t number, uint64_t first)
{
    struct user_pt_regs regs = trip_registers(state);
    struct arch_point point;

    regs.regs[0] = first;
    regs.regs[8] = number;
    regs.pc = (uint64_t)(uintptr_t)pc;
    trip_set_registers(state, &regs);
    arch_look(&self, state, &point);
    assert_int_equal(point.ip, regs.pc);
    assert_int_equal(point.sp, regs.sp);
    assert_int_equal(point.second, regs.regs[1]);
    assert_int_equal(point.tls, state->tls);
    return point;
}

static void
trip_look(struct arch_state *state)
{
    /* nop; svc #0; nop; nop */
    static const uint32_t code[] = {0xd503201f, 0xd4000001, 0xd503201f, 0xd503201f};
    struct arch_point point;

    state->lacks_vector = true;
    point = trip_look_at(state, &code[1], SYS_futex, 7);
    assert_true(point.in_syscall && !point.lossy);
    assert_int_equal(point.number, SYS_futex);
    assert_int_equal(point.result, 0);
    point = trip_look_at(state, &code[1], SYS_restart_syscall, 7);
    assert_int_equal(point.result, -516);
    point = trip_look_at(state, &code[2], SYS_epoll_pwait, (uint64_t)-EINTR);
    assert_true(point.in_syscall && !point.lossy);
    assert_int_equal(point.number, SYS_epoll_pwait);
    assert_int_equal(point.result, -EINTR);
    point = trip_look_at(state, &code[3], SYS_epoll_pwait, (uint64_t)-EINTR);
    assert_true(!point.in_syscall && point.lossy);
    point = trip_look_at(state, NULL, SYS_epoll_pwait, (uint64_t)-EINTR);
    assert_true(!point.in_syscall);
    state->lacks_vector = false;
    point = trip_look_at(state, &code[0], SYS_futex, 7);
    assert_true(!point.in_syscall && !point.lossy);
}

/* Its first argument is gone: nothing is. */
static void
trip_resume(struct arch_state *state)
{
    static struct arch_state before;

    before = *state;
    arch_resume_wait(state);
    assert_memory_equal(state, &before, sizeof(before));
}

/* What other compilers and C libraries make of __errno_location. */
static void
errno_is_computed(void **unused)
{
    (void)unused;
    static const struct {
        uint32_t code[8];
        int result;
        uint64_t address;
    } cases[] = {
        /* bti c; mrs x0, tpidr_el0; sub x0, x0, #0xa4; ret */
        {{0xd503245f, 0xd53bd040, 0xd1029000, 0xd65f03c0}, 0, 0x10000 - 0xa4},
        /* mrs x3, tpidr_el0; add x3, x3, #1, lsl #12; add x0, x3, #16; ret */
        {{0xd53bd043, 0x91400463, 0x91004060, 0xd65f03c0}, 0, 0x11010},
        /* mrs x1, tpidr_el0; add x0, x1, x2; ret: of x2 nothing is known */
        {{0xd53bd041, 0x8b020020, 0xd65f03c0}, -ENOTSUP, 0},
        /* mrs x1, tpidr_el0; ret: the result is not known */
        {{0xd53bd041, 0xd65f03c0}, -ENOTSUP, 0},
        /* mrs x0, tpidr_el0; bl: anything may follow */
        {{0xd53bd040, 0x94000001, 0xd65f03c0}, -ENOTSUP, 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t address = 0, location = (uint64_t)(uintptr_t)cases[i].code;
        assert_int_equal(arch_errno(&self, location, 0x10000, &address), cases[i].result);
        assert_int_equal(address, cases[i].address);
    }
}

/* adrp x0, -1 page; ldr x0, [x0, #8]; mrs x1, tpidr_el0; add x0, x1, x0; ret */
static void
errno_is_computed_from_a_table_before_it(void **unused)
{
    (void)unused;
    static const uint32_t code[] = {0xf0ffffe0, 0xf9400400, 0xd53bd041, 0x8b000020, 0xd65f03c0};
    static _Alignas(4096) unsigned char pages[8192];
    uint64_t address = 0, offset = 0x18;

    memcpy(pages + 8, &offset, sizeof(offset));
    memcpy(pages + 4096 + 64, code, sizeof(code));
    assert_int_equal(
        arch_errno(&self, (uint64_t)(uintptr_t)pages + 4096 + 64, 0x10000, &address), 0);
    assert_int_equal(address, 0x10018);
}

#define TRIP_TESTS                                                                                 \
    cmocka_unit_test(errno_is_computed), cmocka_unit_test(errno_is_computed_from_a_table_before_it)

#endif
