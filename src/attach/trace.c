/* SPDX-License-Identifier: MIT */
/* See trace.h; notes on ptrace stops are in ptrace(2), "Stopped states". */
#include "attach/trace.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

#define STOP_NS (2 * CLOCK_NS_PER_S)
#define CALL_NS (10 * CLOCK_NS_PER_S)
#define LOOK_NS 1000000 /* between two looks, where no signal tells of a stop */
#define SYSCALL_STOP (SIGTRAP | 0x80)
#define SIGMASK_BYTES 8
/* glibc's own, which setuid() waits for each thread to take */
#define SIGNAL_SETXID 33
#define BIT(signal) (1ull << ((signal)-1))
#define FAULTS (BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGILL) | BIT(SIGFPE) | BIT(SIGTRAP))

enum stop {
    STOP_EVENT = 1, /* of PTRACE_INTERRUPT, or of a job control signal */
    STOP_SYSCALL,
    STOP_SIGNAL, /* one is about to be delivered */
};

struct stopped {
    enum stop kind;
    int signal;
};

static int
as_error(long r)
{
    return r < 0 ? -errno : 0;
}

/* Waits for the next stop. -ESRCH: it has ended. */
static int
await_stop(pid_t tid, uint64_t wait_ns, struct stopped *ret_stopped)
{
    uint64_t until = clock_monotonic_ns() + wait_ns;
    const struct timespec look = {.tv_nsec = LOOK_NS};
    sigset_t child;
    int status;
    pid_t got;

    (void)sigemptyset(&child);
    (void)sigaddset(&child, SIGCHLD);
    while ((got = waitpid(tid, &status, __WALL | WNOHANG)) == 0 || (got < 0 && errno == EINTR)) {
        if (clock_monotonic_ns() >= until)
            return -ETIMEDOUT;
        /* each stop sends one; where it went to another stop's wait, a look is soon enough */
        (void)sigtimedwait(&child, NULL, &look);
    }
    if (got < 0 || !WIFSTOPPED(status))
        return -ESRCH;
    ret_stopped->signal = WSTOPSIG(status);
    if (status >> 16 == PTRACE_EVENT_STOP)
        ret_stopped->kind = STOP_EVENT;
    else
        ret_stopped->kind = WSTOPSIG(status) == SYSCALL_STOP ? STOP_SYSCALL : STOP_SIGNAL;
    return 0;
}

static int
go_on(struct trace *trace, enum __ptrace_request how, int signal)
{
    int r = as_error(ptrace(how, trace->tid, NULL, (void *)(intptr_t)signal));

    if (r == 0)
        trace->stopped = false;
    return r;
}

/* A job control signal waits: the thread is left stopped by it in the end. */
static void
note_group_stop(struct trace *trace, const struct stopped *stopped)
{
    if (stopped->kind == STOP_EVENT && stopped->signal != SIGTRAP)
        trace->group_stop = stopped->signal;
}

void
trace_begin(void)
{
    sigset_t child;

    (void)sigemptyset(&child);
    (void)sigaddset(&child, SIGCHLD);
    (void)pthread_sigmask(SIG_BLOCK, &child, NULL);
}

int
trace_seize(pid_t tid, struct trace *ret_trace)
{
    long r = ptrace(PTRACE_SEIZE, tid, NULL, (void *)PTRACE_O_TRACESYSGOOD);

    if (r < 0)
        return -errno;
    *ret_trace = (struct trace){.tid = tid, .seized = true};
    return 0;
}

/* Signals that come first are delivered as if nobody looked. */
static int
await_event(struct trace *trace, uint64_t wait_ns)
{
    uint64_t until = clock_monotonic_ns() + wait_ns;
    struct stopped stopped;

    for (;;) {
        int r = await_stop(trace->tid, wait_ns, &stopped);
        if (r < 0)
            return r;
        trace->stopped = true;
        note_group_stop(trace, &stopped);
        if (stopped.kind == STOP_EVENT)
            return 0;
        /* any stop is taken for the one that was asked for: it is asked for again */
        r = as_error(ptrace(PTRACE_INTERRUPT, trace->tid, NULL, NULL));
        if (r == 0)
            r = go_on(trace, PTRACE_CONT, stopped.kind == STOP_SIGNAL ? stopped.signal : 0);
        if (r < 0)
            return r;
        if (clock_monotonic_ns() >= until)
            return -ETIMEDOUT;
    }
}

int
trace_stop(struct trace *trace)
{
    trace->stopped_ns = clock_monotonic_ns();
    int r = as_error(ptrace(PTRACE_INTERRUPT, trace->tid, NULL, NULL));
    if (r == 0)
        r = await_event(trace, STOP_NS);
    if (r == -ESRCH)
        trace->seized = false;
    return r;
}

void
trace_release(struct trace *trace)
{
    if (!trace->seized)
        return;
    if (!trace->stopped && trace_stop(trace) < 0 && !trace->seized)
        return;
    /* where it could not be stopped the end of this process detaches it */
    if (trace->stopped) {
        (void)ptrace(PTRACE_DETACH, trace->tid, NULL, (void *)(intptr_t)trace->group_stop);
        trace->paused_ns += clock_monotonic_ns() - trace->stopped_ns;
    }
    trace->seized = trace->stopped = false;
}

/* After the registers: a thread whose mask is changed, but not its way, would keep the mask. */
static int
block_signals(pid_t tid)
{
    uint64_t all = ~(FAULTS | BIT(SIGNAL_SETXID));

    return as_error(ptrace(PTRACE_SETSIGMASK, tid, (void *)SIGMASK_BYTES, &all));
}

static void
watch_syscall(pid_t tid, long *number, struct trace_watch *watch)
{
    struct __ptrace_syscall_info info;

    if (!watch || ptrace(PTRACE_GET_SYSCALL_INFO, tid, (void *)sizeof(info), &info) <= 0)
        return;
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
        *number = (long)info.entry.nr;
    if (info.op == PTRACE_SYSCALL_INFO_EXIT && *number == watch->number) {
        watch->result = info.exit.rval;
        watch->seen = true;
    }
}

/* Until it is about to go back through the frame, at the entry of rt_sigreturn. */
static int
await_return(struct trace *trace, uint64_t frame, struct trace_watch *watch)
{
    uint64_t until = clock_monotonic_ns() + CALL_NS;
    long number = -1;
    struct stopped stopped = {.kind = STOP_EVENT};

    for (;;) {
        int signal = stopped.kind == STOP_SIGNAL ? stopped.signal : 0;
        if (signal != 0 && signal < 64 && (FAULTS & BIT(signal)))
            return -EFAULT;
        int r = go_on(trace, PTRACE_SYSCALL, signal);
        if (r == 0)
            r = await_stop(trace->tid, CALL_NS, &stopped);
        if (r < 0)
            return r;
        trace->stopped = true;
        note_group_stop(trace, &stopped);
        if (stopped.kind == STOP_SYSCALL) {
            if (arch_is_back(trace->tid, frame))
                return 0;
            watch_syscall(trace->tid, &number, watch);
        }
        if (clock_monotonic_ns() >= until)
            return -ETIMEDOUT;
    }
}

/* From the entry of rt_sigreturn to a stop between two instructions, where registers can be put
 * back for good. */
static int
leave_syscall(struct trace *trace, uint64_t frame, uint64_t restorer)
{
    int r = arch_hold_back(trace->tid, frame, restorer);

    if (r == 0)
        r = as_error(ptrace(PTRACE_INTERRUPT, trace->tid, NULL, NULL));
    if (r == 0)
        r = go_on(trace, PTRACE_CONT, 0);
    return r == 0 ? await_event(trace, STOP_NS) : r;
}

/* What cannot be waited for is left to end by itself: its way back is in its frame. */
static void
abandon(struct trace *trace)
{
    if (trace->stopped)
        (void)ptrace(PTRACE_DETACH, trace->tid, NULL, NULL);
    else
        trace_release(trace);
    trace->seized = trace->stopped = false;
}

int
trace_calls(struct trace *trace, const struct arch_state *state, uint64_t frame, uint64_t restorer,
    const struct arch_call *calls, size_t count, struct trace_watch *watch)
{
    int r = 0;

    for (size_t i = 0; i < count && r == 0; i++) {
        r = arch_begin(trace->tid, state, frame, restorer, &calls[i]);
        if (r == 0 && i == 0)
            r = block_signals(trace->tid);
        if (r == 0)
            r = await_return(trace, frame, watch);
    }
    if (r == 0)
        r = leave_syscall(trace, frame, restorer);
    if (r == -ESRCH)
        trace->seized = trace->stopped = false;
    if (r == -ETIMEDOUT)
        abandon(trace);
    return r;
}
