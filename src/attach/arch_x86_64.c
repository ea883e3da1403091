/* SPDX-License-Identifier: MIT */
/*
 * See arch.h. The frame is the kernel's struct rt_sigframe (arch/x86/include/asm/sigframe.h), as
 * setup_rt_frame of arch/x86/kernel/signal_64.c writes it: uapi/asm/ucontext.h and sigcontext.h.
 */
#include "attach/arch.h"

#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

#ifndef NT_X86_SHSTK
#define NT_X86_SHSTK 0x204
#endif
#define USER_CS_64 0x33
#define FLAG_TRAP 0x100u
#define FLAG_DIRECTION 0x400u
#define SYSCALL_BYTES 2
#define SIGMASK_BYTES 8

/* the kernel's own, which user space does not get to see (include/linux/errno.h) */
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516

/* uc_flags */
#define UC_FP_XSTATE 1
#define UC_SIGCONTEXT_SS 2
#define UC_STRICT_RESTORE_SS 4
/* struct _fpx_sw_bytes, in the last bytes of the FXSAVE area, and what ends the whole */
#define FX_SIZE 512
#define FX_SOFTWARE 464
#define FX_MAGIC1 0x46505853u
#define FX_MAGIC2 0x46505845u
#define FX_ALIGN 64
/* struct xstate_header behind it, with the components that are not in their first state */
#define XSAVE_HEADER 512
#define TILES_COMPONENT 18
#define TILES (1ull << TILES_COMPONENT)

const uint16_t arch_machine = EM_X86_64;
const char *const arch_name = "x86_64";
/* mov $15,%rax; syscall: glibc and musl alike */
const unsigned char arch_restorer[] = {0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05};
const size_t arch_restorer_size = sizeof(arch_restorer);
const bool arch_restorer_in_vdso = false;

_Static_assert(sizeof(struct user_regs_struct) <= ARCH_REGISTERS * sizeof(uint64_t), "registers");

struct software_bytes {
    uint32_t magic1, extended_size;
    uint64_t features;
    uint32_t size, padding[7];
};
_Static_assert(sizeof(struct software_bytes) == FX_SIZE - FX_SOFTWARE, "struct _fpx_sw_bytes");

struct frame {
    uint64_t restorer;
    uint64_t flags, link, stack, stack_flags, stack_size;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip,
        eflags;
    uint16_t cs, gs, fs, ss;
    uint64_t error, trap, old_mask, cr2, vector, reserved[8];
    uint64_t sigmask;
};
_Static_assert(sizeof(struct frame) == 8 + 40 + 256 + 8, "rt_sigframe without siginfo");

static int
get_set(pid_t tid, unsigned kind, void *out, size_t size, size_t *ret_size)
{
    struct iovec io = {.iov_base = out, .iov_len = size};

    if (ptrace(PTRACE_GETREGSET, tid, (void *)(uintptr_t)kind, &io) < 0)
        return -errno;
    *ret_size = io.iov_len;
    return 0;
}

static int
put_set(pid_t tid, unsigned kind, const void *data, size_t size)
{
    struct iovec io = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};

    return ptrace(PTRACE_SETREGSET, tid, (void *)(uintptr_t)kind, &io) < 0 ? -errno : 0;
}

static struct user_regs_struct
registers_of(const struct arch_state *state)
{
    struct user_regs_struct regs;

    memcpy(&regs, state->registers, sizeof(regs));
    return regs;
}

static int
get_registers(pid_t tid, struct user_regs_struct *ret_regs)
{
    size_t size;
    int r = get_set(tid, NT_PRSTATUS, ret_regs, sizeof(*ret_regs), &size);

    return r < 0 ? r : size == sizeof(*ret_regs) ? 0 : -ENOTSUP;
}

static int
put_registers(pid_t tid, const struct user_regs_struct *regs)
{
    return put_set(tid, NT_PRSTATUS, regs, sizeof(*regs));
}

/* A return address that was never called faults there. */
static bool
has_shadow_stack(pid_t tid)
{
    uint64_t pointer = 0;
    size_t size;

    return get_set(tid, NT_X86_SHSTK, &pointer, sizeof(pointer), &size) == 0 && pointer != 0;
}

int
arch_get(pid_t tid, struct arch_state *ret_state)
{
    struct user_regs_struct regs;
    int r = get_registers(tid, &regs);

    if (r < 0)
        return r;
    if (regs.cs != USER_CS_64 || has_shadow_stack(tid))
        return -ENOTSUP;
    memcpy(ret_state->registers, &regs, sizeof(regs));
    ret_state->registers_size = sizeof(regs);
    ret_state->lacks_vector = false;
    ret_state->tls = regs.fs_base;
    ret_state->vector_kind = NT_X86_XSTATE;
    r = get_set(tid, NT_X86_XSTATE, ret_state->vector, ARCH_VECTOR, &ret_state->vector_size);
    if (r == -ENODEV) {
        ret_state->vector_kind = NT_PRFPREG;
        r = get_set(tid, NT_PRFPREG, ret_state->vector, ARCH_VECTOR, &ret_state->vector_size);
    }
    if (r < 0)
        return r;
    if (ptrace(PTRACE_GETSIGMASK, tid, (void *)SIGMASK_BYTES, &ret_state->sigmask) < 0)
        return -errno;
    return 0;
}

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

void
arch_look(const struct memory *memory, const struct arch_state *state, struct arch_point *ret_point)
{
    (void)memory;
    struct user_regs_struct regs = registers_of(state);

    *ret_point = (struct arch_point){
        .in_syscall = (long)regs.orig_rax >= 0,
        .number = (long)regs.orig_rax,
        .result = (long)regs.rax,
        .second = regs.rsi,
        .ip = regs.rip,
        .sp = regs.rsp,
        .tls = state->tls,
    };
}

/* epoll_wait is never restarted by the kernel, though with no timeout it could. */
void
arch_resume_wait(struct arch_state *state)
{
    struct user_regs_struct regs = registers_of(state);
    bool waits = regs.orig_rax == SYS_epoll_wait || regs.orig_rax == SYS_epoll_pwait;

    if (!waits || (long)regs.rax != -EINTR || (int)regs.r10 != -1)
        return;
    regs.rax = regs.orig_rax;
    regs.rip -= SYSCALL_BYTES;
    regs.orig_rax = (unsigned long long)-1;
    memcpy(state->registers, &regs, sizeof(regs));
}

/* As the kernel does when it goes back to user space without a handler to run. What it would go on
 * with through restart_syscall(2) ends with EINTR: that needs what it keeps of the thread. */
static void
restart(struct user_regs_struct *regs)
{
    if ((long)regs->orig_rax < 0)
        return;
    switch (-(long)regs->rax) {
    case ERESTARTSYS:
    case ERESTARTNOINTR:
    case ERESTARTNOHAND:
        regs->rax = regs->orig_rax;
        regs->rip -= SYSCALL_BYTES;
        break;
    case ERESTART_RESTARTBLOCK:
        regs->rax = (unsigned long long)-EINTR;
        break;
    default:
        break;
    }
}

/*
 * PTRACE_GETREGSET gives room for AMX tiles to every thread; rt_sigreturn takes more than a thread
 * has asked for to be broken, and restores next to nothing. Where a thread holds no tiles they are
 * left out: they are the last component (CPUID leaf 0xd says where).
 */
static size_t
vector_in_use(const struct arch_state *state)
{
    unsigned size, offset, unused[2];
    uint64_t held;

    if (state->vector_size < XSAVE_HEADER + sizeof(held))
        return state->vector_size;
    memcpy(&held, state->vector + XSAVE_HEADER, sizeof(held));
    if ((held & TILES) ||
        !__get_cpuid_count(0xd, TILES_COMPONENT, &size, &offset, &unused[0], &unused[1]) ||
        size == 0 || offset < XSAVE_HEADER + FX_ALIGN || offset > state->vector_size)
        return state->vector_size;
    return offset;
}

/* The vector registers as rt_sigreturn takes them: a size before, and a mark behind them. */
static size_t
put_vector(const struct arch_state *state, unsigned char *out)
{
    size_t size = vector_in_use(state);
    struct software_bytes software = {.magic1 = FX_MAGIC1,
        .extended_size = (uint32_t)size + (uint32_t)sizeof(uint32_t),
        .size = (uint32_t)size};
    uint32_t magic2 = FX_MAGIC2;

    memcpy(out, state->vector, size);
    if (state->vector_kind != NT_X86_XSTATE)
        return size;
    /* PTRACE_GETREGSET leaves the features that are there at this place */
    memcpy(&software.features, state->vector + FX_SOFTWARE, sizeof(software.features));
    if (size < state->vector_size)
        software.features &= ~TILES;
    memcpy(out + FX_SOFTWARE, &software, sizeof(software));
    memcpy(out + size, &magic2, sizeof(magic2));
    return size + sizeof(magic2);
}

static struct frame
frame_of(const struct arch_state *state, uint64_t restorer, uint64_t vector)
{
    struct user_regs_struct regs = registers_of(state);

    restart(&regs);
    return (struct frame){.restorer = restorer,
        .flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS |
                 (state->vector_kind == NT_X86_XSTATE ? UC_FP_XSTATE : 0),
        .stack_size = 1, /* refused, so that the signal stack stays as it is */
        .r8 = regs.r8,
        .r9 = regs.r9,
        .r10 = regs.r10,
        .r11 = regs.r11,
        .r12 = regs.r12,
        .r13 = regs.r13,
        .r14 = regs.r14,
        .r15 = regs.r15,
        .rdi = regs.rdi,
        .rsi = regs.rsi,
        .rbp = regs.rbp,
        .rbx = regs.rbx,
        .rdx = regs.rdx,
        .rax = regs.rax,
        .rcx = regs.rcx,
        .rsp = regs.rsp,
        .rip = regs.rip,
        .eflags = regs.eflags,
        .cs = (uint16_t)regs.cs,
        .ss = (uint16_t)regs.ss,
        .vector = vector,
        .sigmask = state->sigmask};
}

int
arch_frame(const struct arch_state *state, uint64_t top, uint64_t restorer,
    unsigned char out[ARCH_FRAME_MAX], uint64_t *ret_address, size_t *ret_size)
{
    size_t vector_room = state->vector_size + sizeof(uint32_t);

    if (state->vector_size < FX_SIZE || vector_room > ARCH_VECTOR)
        return -ENOBUFS;
    uint64_t vector = (top - vector_room) & ~(uint64_t)(FX_ALIGN - 1);
    /* a function finds its return address at 8 modulo 16 */
    uint64_t address = ((vector - sizeof(struct frame)) & ~(uint64_t)15) - 8;
    struct frame frame = frame_of(state, restorer, vector);
    size_t gap = (size_t)(vector - address);

    if (gap + vector_room > ARCH_FRAME_MAX)
        return -ENOBUFS;
    memset(out, 0, gap);
    memcpy(out, &frame, sizeof(frame));
    *ret_size = gap + put_vector(state, out + gap);
    *ret_address = address;
    return 0;
}

int
arch_begin(pid_t tid, const struct arch_state *state, uint64_t frame, uint64_t restorer,
    const struct arch_call *call)
{
    struct user_regs_struct regs = registers_of(state);

    (void)restorer; /* stands in the frame */
    regs.rsp = frame;
    regs.rip = call->function;
    regs.rdi = call->arguments[0];
    regs.rsi = call->arguments[1];
    regs.rdx = call->arguments[2];
    regs.rax = 0;
    regs.orig_rax = (unsigned long long)-1; /* no syscall to restart */
    regs.eflags &= ~(unsigned long long)(FLAG_TRAP | FLAG_DIRECTION);
    return put_registers(tid, &regs);
}

bool
arch_is_back(pid_t tid, uint64_t frame)
{
    struct user_regs_struct regs;

    return get_registers(tid, &regs) == 0 && regs.orig_rax == SYS_rt_sigreturn &&
           regs.rsp == frame + sizeof(uint64_t);
}

int
arch_hold_back(pid_t tid, uint64_t frame, uint64_t restorer)
{
    struct user_regs_struct regs;
    int r = get_registers(tid, &regs);

    if (r < 0)
        return r;
    /* both in one go: whoever dies before has changed nothing, whoever dies behind finds it done */
    regs.orig_rax = (unsigned long long)-1;
    regs.rip = restorer;
    regs.rsp = frame + sizeof(uint64_t);
    return put_registers(tid, &regs);
}

int
arch_errno(const struct memory *memory, uint64_t location, uint64_t tls, uint64_t *ret_address)
{
    static const unsigned char endbr[] = {0xf3, 0x0f, 0x1e, 0xfa};
    /* glibc: mov offset(%rip),%rax; add %fs:0,%rax */
    static const unsigned char glibc[] = {0x48, 0x8b, 0x05};
    static const unsigned char glibc_add[] = {0x64, 0x48, 0x03, 0x04, 0x25, 0, 0, 0, 0};
    /* musl: mov %fs:0,%rax; add $offset,%rax */
    static const unsigned char musl[] = {
        0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0, 0x48, 0x83, 0xc0};
    unsigned char code[24];
    int32_t relative;
    uint64_t offset;
    int r = memory_read(memory, location, code, sizeof(code));

    if (r < 0)
        return r;
    size_t skip = memcmp(code, endbr, sizeof(endbr)) == 0 ? sizeof(endbr) : 0;
    const unsigned char *at = code + skip;
    if (memcmp(at, musl, sizeof(musl)) == 0) {
        *ret_address = tls + at[sizeof(musl)];
        return 0;
    }
    if (memcmp(at, glibc, sizeof(glibc)) != 0 || memcmp(at + 7, glibc_add, sizeof(glibc_add)) != 0)
        return -ENOTSUP;
    memcpy(&relative, at + sizeof(glibc), sizeof(relative));
    r = memory_read(
        memory, location + skip + 7 + (uint64_t)(int64_t)relative, &offset, sizeof(offset));
    if (r == 0)
        *ret_address = tls + offset;
    return r;
}
