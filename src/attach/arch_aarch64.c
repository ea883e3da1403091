/* SPDX-License-Identifier: MIT */
/*
 * See arch.h. The frame is the kernel's struct rt_sigframe (arch/arm64/kernel/signal.c), as
 * setup_sigframe there writes it: a siginfo, uapi/asm/ucontext.h, uapi/asm/sigcontext.h with a
 * chain of records in its end, of which one is needed, of the FP/SIMD registers.
 *
 * Before it lets ptrace(2) stop a thread in a syscall, do_signal of the same file forgets which
 * syscall that is, and where it is to be restarted has put back its first argument and the program
 * counter, onto the `svc`. So the code at the program counter says that a thread is in a syscall,
 * and x8 in which, and a thread that is one instruction before it looks the same. That is as good:
 * it holds what it holds while it waits. Only whether it waits is not known, so no result is told.
 * What ends with EINTR stands behind the `svc`, with that result.
 *
 * SVE: a syscall keeps of those registers what the FP/SIMD registers are a part of, so that nothing
 * else has to be saved of a thread in one, and the frame needs no record of SVE. In user code more
 * of them may be in use: the thread is lossy then, and left alone.
 */
#include "attach/arch.h"

#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>

/* behind <sys/ptrace.h>, whose enumerators they define as macros */
#include <asm/ptrace.h>
#include <asm/sigcontext.h>

#ifndef NT_ARM_SSVE
#define NT_ARM_SSVE 0x40b
#endif
#ifndef NT_ARM_ZA
#define NT_ARM_ZA 0x40c
#endif
#ifndef NT_ARM_GCS
#define NT_ARM_GCS 0x410
#endif
#define GCS_ENABLED 1u /* PR_SHADOW_STACK_ENABLE, in the first word */

#define REGISTER_LINK 30
#define REGISTER_SYSCALL 8
#define REGISTER_NONE 31 /* reads as 0, or is the stack pointer */
#define INSTRUCTION 4
#define SIGMASK_BYTES 8
#define NO_SYSCALL (-1)
/* the kernel's own, which user space does not get to see (include/linux/errno.h) */
#define ERESTART_RESTARTBLOCK 516

/* a function is not reached by a branch that has to be marked, and runs with tags checked */
#define STATE_CLEARED ((uint64_t)(PSR_BTYPE_MASK | PSR_TCO_BIT))

#define SVC_0 0xd4000001u
#define ERRNO_CODE 12 /* instructions of __errno_location, at most */

const uint16_t arch_machine = EM_AARCH64;
const char *const arch_name = "aarch64";
/* mov x8, #139; svc #0: __kernel_rt_sigreturn of arch/arm64/kernel/vdso/sigreturn.S. glibc has
 * none here. */
const unsigned char arch_restorer[] = {0x68, 0x11, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4};
const size_t arch_restorer_size = sizeof(arch_restorer);
const bool arch_restorer_in_vdso = true;

_Static_assert(sizeof(struct user_pt_regs) <= ARCH_REGISTERS * sizeof(uint64_t), "registers");
_Static_assert(sizeof(struct user_fpsimd_state) <= ARCH_VECTOR, "vector registers");

struct frame {
    unsigned char siginfo[128];
    uint64_t flags, link, stack, stack_flags, stack_size;
    uint64_t sigmask;
    unsigned char unused[128 - sizeof(uint64_t)]; /* glibc's sigset_t has 1024 bits */
    struct sigcontext context;
};
_Static_assert(offsetof(struct frame, context) == 128 + 176, "struct rt_sigframe");
_Static_assert(sizeof(struct frame) == 128 + 176 + 288 + 4096, "struct rt_sigframe");
_Static_assert(sizeof(struct frame) <= ARCH_FRAME_MAX, "struct rt_sigframe");
_Static_assert(sizeof(struct fpsimd_context) == 528, "struct fpsimd_context");

static int
get_set(pid_t tid, unsigned kind, void *out, size_t size)
{
    struct iovec io = {.iov_base = out, .iov_len = size};

    if (ptrace(PTRACE_GETREGSET, tid, (void *)(uintptr_t)kind, &io) < 0)
        return -errno;
    return io.iov_len == size ? 0 : -ENOTSUP;
}

static int
put_set(pid_t tid, unsigned kind, const void *data, size_t size)
{
    struct iovec io = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};

    return ptrace(PTRACE_SETREGSET, tid, (void *)(uintptr_t)kind, &io) < 0 ? -errno : 0;
}

static int
put_syscall(pid_t tid, int number)
{
    return put_set(tid, NT_ARM_SYSTEM_CALL, &number, sizeof(number));
}

static struct user_pt_regs
registers_of(const struct arch_state *state)
{
    struct user_pt_regs regs;

    memcpy(&regs, state->registers, sizeof(regs));
    return regs;
}

/* A return address that was never called faults there. */
static bool
has_shadow_stack(pid_t tid)
{
    uint64_t features = 0;

    return get_set(tid, NT_ARM_GCS, &features, sizeof(features)) == 0 && (features & GCS_ENABLED);
}

/* SME's array is in use: a syscall keeps that. */
static bool
has_matrix(pid_t tid)
{
    struct user_za_header za = {0};

    return get_set(tid, NT_ARM_ZA, &za, sizeof(za)) == 0 && za.size > sizeof(za);
}

/* More than the FP/SIMD registers is in use, in either mode. */
static bool
has_long_vectors(pid_t tid, unsigned kind)
{
    struct user_sve_header sve = {0};

    return get_set(tid, kind, &sve, sizeof(sve)) == 0 &&
           (sve.flags & SVE_PT_REGS_MASK) == SVE_PT_REGS_SVE;
}

int
arch_get(pid_t tid, struct arch_state *ret_state)
{
    struct user_pt_regs regs;
    /* of a 32-bit program there are fewer */
    int r = get_set(tid, NT_PRSTATUS, &regs, sizeof(regs));

    if (r < 0)
        return r;
    if (has_shadow_stack(tid) || has_matrix(tid))
        return -ENOTSUP;
    memcpy(ret_state->registers, &regs, sizeof(regs));
    ret_state->registers_size = sizeof(regs);
    ret_state->vector_kind = NT_PRFPREG;
    ret_state->vector_size = sizeof(struct user_fpsimd_state);
    ret_state->lacks_vector =
        has_long_vectors(tid, NT_ARM_SVE) || has_long_vectors(tid, NT_ARM_SSVE);
    r = get_set(tid, NT_PRFPREG, ret_state->vector, ret_state->vector_size);
    if (r == 0)
        r = get_set(tid, NT_ARM_TLS, &ret_state->tls, sizeof(ret_state->tls));
    if (r == 0 && ptrace(PTRACE_GETSIGMASK, tid, (void *)SIGMASK_BYTES, &ret_state->sigmask) < 0)
        r = -errno;
    return r;
}

/* The stop is none in a syscall any more: one that the registers stand at begins again, with the
 * arguments it had. A wait until some time ends when it would have; nanosleep(2) for some time
 * lasts that long again, unless its caller lets the kernel write what remains over what it asked
 * for. */
int
arch_put(pid_t tid, const struct arch_state *state)
{
    int r;

    if (ptrace(PTRACE_SETSIGMASK, tid, (void *)SIGMASK_BYTES, &state->sigmask) < 0)
        return -errno;
    r = put_set(tid, state->vector_kind, state->vector, state->vector_size);
    if (r == 0)
        r = put_set(tid, NT_PRSTATUS, state->registers, state->registers_size);
    return r;
}

static bool
is_svc(const struct memory *memory, uint64_t address)
{
    uint32_t code;

    return memory_read(memory, address, &code, sizeof(code)) == 0 && code == SVC_0;
}

void
arch_look(const struct memory *memory, const struct arch_state *state, struct arch_point *ret_point)
{
    struct user_pt_regs regs = registers_of(state);
    bool restarts = is_svc(memory, regs.pc);
    bool ended = !restarts && is_svc(memory, regs.pc - INSTRUCTION);
    int number = restarts || ended ? (int)regs.regs[REGISTER_SYSCALL] : NO_SYSCALL;
    long result = ended ? (long)regs.regs[0] : 0;

    /* nobody but the kernel calls it: it goes on with a wait that was interrupted before */
    if (restarts && number == SYS_restart_syscall)
        result = -ERESTART_RESTARTBLOCK;
    *ret_point = (struct arch_point){
        .in_syscall = restarts || ended,
        .number = number,
        .result = result,
        .lossy = state->lacks_vector && !restarts && !ended,
        .second = regs.regs[1],
        .ip = regs.pc,
        .sp = regs.sp,
        .tls = state->tls,
    };
}

/*
 * The result of a syscall takes the place of its first argument. The kernel has that argument still
 * but shows it to nobody, and to read it from /proc/PID/task/TID/syscall before each stop would be
 * to guess which wait was interrupted. So epoll_pwait ends with EINTR, as it does with any signal:
 * CPython and uvloop wait again.
 */
void
arch_resume_wait(struct arch_state *state)
{
    (void)state;
}

static void
put_vector(const struct arch_state *state, struct sigcontext *context)
{
    struct user_fpsimd_state vector;
    struct fpsimd_context record = {.head = {.magic = FPSIMD_MAGIC, .size = sizeof(record)}};

    memcpy(&vector, state->vector, sizeof(vector));
    record.fpsr = vector.fpsr;
    record.fpcr = vector.fpcr;
    memcpy(record.vregs, vector.vregs, sizeof(record.vregs));
    /* what follows is zero: the end of the chain */
    memcpy(context->__reserved, &record, sizeof(record));
}

int
arch_frame(const struct arch_state *state, uint64_t top, uint64_t restorer,
    unsigned char out[ARCH_FRAME_MAX], uint64_t *ret_address, size_t *ret_size)
{
    struct user_pt_regs regs = registers_of(state);
    struct frame frame = {.stack_size = 1, /* refused, so that the signal stack stays as it is */
        .sigmask = state->sigmask,
        .context = {.sp = regs.sp, .pc = regs.pc, .pstate = regs.pstate}};

    (void)restorer; /* is in the link register */
    if (state->vector_size < sizeof(struct user_fpsimd_state) || top < sizeof(frame))
        return -ENOBUFS;
    memcpy(frame.context.regs, regs.regs, sizeof(frame.context.regs));
    put_vector(state, &frame.context);
    memcpy(out, &frame, sizeof(frame));
    *ret_size = sizeof(frame);
    *ret_address = (top - sizeof(frame)) & ~(uint64_t)15;
    return 0;
}

/*
 * Two steps: at the entry of rt_sigreturn a tracer that dies between them leaves a thread that goes
 * back through the frame, for the stack pointer is there. The other way round it would run on
 * behind the restorer, where nothing is.
 */
static int
put_registers(pid_t tid, const struct user_pt_regs *regs)
{
    int r = put_set(tid, NT_PRSTATUS, regs, sizeof(*regs));

    return r < 0 ? r : put_syscall(tid, NO_SYSCALL);
}

int
arch_begin(pid_t tid, const struct arch_state *state, uint64_t frame, uint64_t restorer,
    const struct arch_call *call)
{
    struct user_pt_regs regs = registers_of(state);

    for (size_t i = 0; i < ARCH_ARGUMENTS; i++)
        regs.regs[i] = call->arguments[i];
    regs.regs[REGISTER_SYSCALL] = 0;
    regs.regs[REGISTER_LINK] = restorer;
    regs.sp = frame;
    regs.pc = call->function;
    regs.pstate &= ~STATE_CLEARED;
    return put_registers(tid, &regs);
}

bool
arch_is_back(pid_t tid, uint64_t frame)
{
    struct user_pt_regs regs;
    int number;

    return get_set(tid, NT_ARM_SYSTEM_CALL, &number, sizeof(number)) == 0 &&
           number == SYS_rt_sigreturn && get_set(tid, NT_PRSTATUS, &regs, sizeof(regs)) == 0 &&
           regs.sp == frame;
}

int
arch_hold_back(pid_t tid, uint64_t frame, uint64_t restorer)
{
    struct user_pt_regs regs;
    int r = get_set(tid, NT_PRSTATUS, &regs, sizeof(regs));

    if (r < 0)
        return r;
    regs.pc = restorer;
    regs.sp = frame;
    return put_registers(tid, &regs);
}

/* What a function that only computes an address has computed so far. */
struct sums {
    uint64_t pc, tls;
    uint64_t value[32];
    uint32_t known; /* one bit a register */
};

static void
keep(struct sums *sums, uint32_t to, uint64_t value)
{
    sums->value[to] = value;
    sums->known |= 1u << to;
}

/* 21 bits in two places, in pages. */
static uint64_t
page_of(uint64_t pc, uint32_t code)
{
    uint64_t pages = (uint64_t)(code >> 5 & 0x7ffff) << 2 | (code >> 29 & 3);

    if (pages >> 20)
        pages |= ~(uint64_t)0 << 21;
    return (pc & ~(uint64_t)0xfff) + (pages << 12);
}

static int
compute(const struct memory *memory, struct sums *sums, uint32_t code)
{
    uint32_t to = code & 31, from = code >> 5 & 31, other = code >> 16 & 31;
    uint64_t immediate = code >> 10 & 0xfff, value;

    if ((code & 0xfffff01fu) == 0xd503201fu) /* nop, bti, paciasp and the like */
        return 0;
    if (to == REGISTER_NONE)
        return -ENOTSUP;
    if ((code & 0xffffffe0u) == 0xd53bd040u) { /* mrs to, tpidr_el0 */
        keep(sums, to, sums->tls);
        return 0;
    }
    if ((code & 0x9f000000u) == 0x90000000u) { /* adrp to, page */
        keep(sums, to, page_of(sums->pc, code));
        return 0;
    }
    if (from == REGISTER_NONE || !(sums->known >> from & 1))
        return -ENOTSUP;
    value = sums->value[from];
    if ((code & 0xffe0fc00u) == 0x8b000000u) { /* add to, from, other */
        if (other == REGISTER_NONE || !(sums->known >> other & 1))
            return -ENOTSUP;
        keep(sums, to, value + sums->value[other]);
        return 0;
    }
    if (code >> 22 == 0xf9400000u >> 22) { /* ldr to, [from, #immediate] */
        int r = memory_read(memory, value + immediate * sizeof(value), &value, sizeof(value));
        if (r == 0)
            keep(sums, to, value);
        return r;
    }
    if (code >> 22 & 1)
        immediate <<= 12;
    if (code >> 23 == 0x91000000u >> 23) /* add to, from, #immediate */
        keep(sums, to, value + immediate);
    else if (code >> 23 == 0xd1000000u >> 23) /* sub */
        keep(sums, to, value - immediate);
    else
        return -ENOTSUP;
    return 0;
}

/* glibc: an offset out of its table, added to the thread pointer; linked statically, or musl: a
 * constant one. Compilers order and name that as they like. */
int
arch_errno(const struct memory *memory, uint64_t location, uint64_t tls, uint64_t *ret_address)
{
    struct sums sums = {.pc = location, .tls = tls};
    uint32_t code;

    for (unsigned i = 0; i < ERRNO_CODE; i++, sums.pc += INSTRUCTION) {
        int r = memory_read(memory, sums.pc, &code, sizeof(code));
        if (r < 0)
            return r;
        if (code == 0xd65f03c0u) { /* ret */
            if (!(sums.known & 1))
                return -ENOTSUP;
            *ret_address = sums.value[0];
            return 0;
        }
        r = compute(memory, &sums, code);
        if (r < 0)
            return r;
    }
    return -ENOTSUP;
}
