/* SPDX-License-Identifier: MIT */
/*
 * What differs between processors when a function is called in a thread that is stopped: its
 * registers, the frame that rt_sigreturn(2) takes them back from, the code that calls it. One
 * arch_NAME.c each. The thread is stopped under ptrace by the caller; all of it is for the thread
 * that traces.
 *
 * A call never returns to anything that the tracer would have to be there for: its return address
 * is libc's own restorer of signal frames, and below it lies a frame with everything as it was. A
 * thread whose tracer is killed finishes the call and goes on where it stood.
 */
#ifndef LOOPTOP_ATTACH_ARCH_H
#define LOOPTOP_ATTACH_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "attach/memory.h"

#define ARCH_REGISTERS 40    /* words, at least, of the general registers */
#define ARCH_VECTOR 16384    /* bytes of the others: 11 KiB with AMX */
#define ARCH_FRAME_MAX 20480 /* bytes of a frame */
#define ARCH_RED_ZONE 128    /* below the stack pointer, in use; where there is none, room */
#define ARCH_ARGUMENTS 3

/* Everything of a thread that a call changes. */
struct arch_state {
    uint64_t registers[ARCH_REGISTERS];
    size_t registers_size;
    unsigned char vector[ARCH_VECTOR];
    size_t vector_size;
    unsigned vector_kind; /* NT_… */
    bool lacks_vector;    /* vector is not all of it: only what a syscall keeps */
    uint64_t tls;         /* the thread pointer; not put back, for calls do not change it */
    uint64_t sigmask;
};

/* Where a thread stands. */
struct arch_point {
    bool in_syscall;
    long number;     /* of it */
    long result;     /* of it: -512 to -516 where the kernel would restart it; 0: not known */
    bool lossy;      /* it uses registers that are not in its state, and would lose */
    uint64_t second; /* its second argument: of futex(2) the operation */
    uint64_t ip, sp; /* next instruction, stack */
    uint64_t tls;    /* the thread pointer */
};

struct arch_call {
    uint64_t function;
    uint64_t arguments[ARCH_ARGUMENTS];
};

extern const uint16_t arch_machine;         /* e_machine of its programs */
extern const char *const arch_name;         /* as agents are named after it */
extern const unsigned char arch_restorer[]; /* the code of the restorer */
extern const size_t arch_restorer_size;
extern const bool arch_restorer_in_vdso; /* it is the kernel's, not libc's */

/* Reads a thread's everything. 0; -ENOTSUP: it uses a shadow stack or a matrix, or runs 32-bit
 * code; -errno. */
int arch_get(pid_t tid, struct arch_state *ret_state);

/* Puts it back, the registers last. 0, -errno. */
int arch_put(pid_t tid, const struct arch_state *state);

/* memory is the thread's: of some processors the code says what the registers do not. Where it
 * cannot be read the thread is taken to be in user code. */
void arch_look(
    const struct memory *memory, const struct arch_state *state, struct arch_point *ret_point);

/*
 * A wait without end that the stop has interrupted, and that the kernel would let end with EINTR,
 * begins again instead, if the registers still have its arguments.
 */
void arch_resume_wait(struct arch_state *state);

/*
 * Makes the frame that state is taken back from, to be written at *ret_address, which is at most
 * top: *ret_size bytes of out. Where the kernel would restart the syscall that was interrupted, the
 * frame does. 0, -ENOBUFS.
 */
int arch_frame(const struct arch_state *state, uint64_t top, uint64_t restorer,
    unsigned char out[ARCH_FRAME_MAX], uint64_t *ret_address, size_t *ret_size);

/* Lets the thread begin a call when it goes on; it returns into the frame. 0, -errno. */
int arch_begin(pid_t tid, const struct arch_state *state, uint64_t frame, uint64_t restorer,
    const struct arch_call *call);

/* Whether a thread at the entry of a syscall is about to go back through the frame. */
bool arch_is_back(pid_t tid, uint64_t frame);

/* … which it does not now, but the next time it runs. 0, -errno. */
int arch_hold_back(pid_t tid, uint64_t frame, uint64_t restorer);

/* Where errno of the thread is, by the code of libc's __errno_location. 0, -ENOTSUP: that is not
 * known to us. */
int arch_errno(const struct memory *memory, uint64_t location, uint64_t tls, uint64_t *ret_address);

#endif
