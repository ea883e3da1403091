/* SPDX-License-Identifier: MIT */
/* See inject.h; the order of operations is that of notes/attach.md A. */
#include "attach/inject.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "attach/borrowable.h"
#include "attach/foreign_fd.h"
#include "attach/loading.h"
#include "attach/safe_point.h"
#include "attach/trace.h"
#include "common/cleanup.h"
#include "common/clock.h"

#define TRIES_MAX 20 /* of one thread, before the next has its turn */
#define PATIENCE_NS (10 * CLOCK_NS_PER_S)
#define QUIET_NS (3 * CLOCK_NS_PER_S)
#define PAUSE_LEAST_NS 100000
#define PAUSE_SPREAD_NS 900000
#define PAUSE_LOADING_NS 20000000 /* it takes as long as a library takes */
#define TEXT_ROOM 256
#define PATH_BITS 16

/* What is done in a thread that stands at a safe point; frame and text are in its memory. */
struct visit {
    struct target *target;
    struct trace *trace;
    const struct arch_state *state;
    uint64_t frame, text;
    uint64_t quiet_until_ns; /* so long one that waits is not borrowed while another loads */
    bool begun; /* something was called: whatever became of it, it is not called twice */
    enum { WORK_LOAD, WORK_START, WORK_CLOSE } work;
    struct carry *carry; /* WORK_LOAD */
    int fd;              /* WORK_CLOSE */
    bool listen;
    struct inject_report *report;
};

static int
call(const struct visit *visit, const struct arch_call *calls, size_t count,
    struct trace_watch *watch)
{
    return trace_calls(
        visit->trace, visit->state, visit->frame, visit->target->restorer, calls, count, watch);
}

static int
put_text(const struct visit *visit, const char *text)
{
    return memory_write(visit->target->pid, visit->text, text, strlen(text) + 1);
}

/* The linker takes a path it has seen to be the object it has loaded: no two are the same. */
static void
memfd_path(int fd, char out[TEXT_ROOM])
{
    uint64_t bits = clock_monotonic_ns() / 1000;
    size_t n = (size_t)snprintf(out, TEXT_ROOM, "/proc/self/fd");

    for (unsigned i = 0; i < PATH_BITS; i++)
        n += (size_t)snprintf(out + n, TEXT_ROOM - n, bits >> i & 1 ? "/." : "/");
    (void)snprintf(out + n, TEXT_ROOM - n, "/%d", fd);
}

/*
 * What the number stands for is the process's to choose, at any moment. It is written through the
 * process's own descriptor, never through its name in /proc, which would open the file again with
 * our rights; and only where it is what was asked for.
 */
static bool
is_fresh_memfd(int fd)
{
    struct stat st;

    return fcntl(fd, F_GET_SEALS) >= 0 && fstat(fd, &st) == 0 && st.st_nlink == 0 &&
           st.st_size == 0;
}

/* The memfd in the process, with the agent in it. Below 0: -errno. */
static int
make_memfd(const struct visit *visit)
{
    struct arch_call create = {
        visit->target->syscall, {SYS_memfd_create, visit->text, MFD_CLOEXEC}};
    struct trace_watch watch = {.number = SYS_memfd_create};
    int r = put_text(
        visit, visit->listen ? LOOPTOP_AGENT_LOADED LOOPTOP_AGENT_LISTENING : LOOPTOP_AGENT_LOADED);

    if (r == 0)
        r = call(visit, &create, 1, &watch);
    if (r < 0)
        return r;
    if (!watch.seen || watch.result < 0 || watch.result > INT32_MAX)
        return -ENOSPC;
    CLEANUP_CLOSE int fd = foreign_fd(visit->target->pid, (int)watch.result);
    if (fd < 0)
        return fd;
    r = is_fresh_memfd(fd) ? carry_write(visit->carry, fd) : -ENOSPC;
    return r < 0 ? r : (int)watch.result;
}

/*
 * Where libpython was loaded for its user alone (dlopen with RTLD_LOCAL), the agent would not find
 * its functions: it is made known to all.
 */
static int
promote_python(const struct visit *visit)
{
    struct arch_call promote = {
        visit->target->dlopen, {visit->text, RTLD_LAZY | RTLD_GLOBAL | RTLD_NOLOAD}};
    int r;

    if (!visit->target->libpython[0])
        return 0;
    r = put_text(visit, visit->target->libpython);
    return r < 0 ? r : call(visit, &promote, 1, NULL);
}

static int
load(const struct visit *visit)
{
    char path[TEXT_ROOM];
    bool as_file = visit->carry->inside[0] != '\0';
    int fd = as_file ? -1 : make_memfd(visit);
    int r = !as_file && fd < 0 ? fd : promote_python(visit);

    if (as_file)
        (void)snprintf(path, sizeof(path), "%s", visit->carry->inside);
    else
        memfd_path(fd, path);
    if (r == 0)
        r = put_text(visit, path);
    /* the agent closes it, once it is there: it knows whether the number still is that */
    visit->report->memfd = fd >= 0 ? fd : -1;
    struct arch_call open = {visit->target->dlopen, {visit->text, RTLD_NOW}};
    return r == 0 ? call(visit, &open, 1, NULL) : r;
}

static int
do_work(const struct visit *visit)
{
    const struct target *target = visit->target;
    struct arch_call start = {target->agent_start, {visit->listen ? LOOPTOP_AGENT_LISTEN : 0}};
    struct arch_call close = {target->syscall, {SYS_close, (uint64_t)(int64_t)visit->fd}};

    switch (visit->work) {
    case WORK_LOAD:
        return load(visit);
    case WORK_START:
        return call(visit, &start, 1, NULL);
    default:
        return call(visit, &close, 1, NULL);
    }
}

/* errno is the thread's, and calls change it. */
static int
with_errno(const struct visit *visit, uint64_t tls)
{
    const struct target *target = visit->target;
    uint64_t address;
    int32_t value;
    bool known = target->errno_location != 0 &&
                 arch_errno(&target->memory, target->errno_location, tls, &address) == 0 &&
                 memory_read(&target->memory, address, &value, sizeof(value)) == 0;
    int r = do_work(visit);

    if (known && visit->trace->stopped)
        (void)memory_write(target->pid, address, &value, sizeof(value));
    return r;
}

/* The stopped thread's state is saved, its frame written, the work done, and all put back. */
static int
visit_thread(struct visit *visit, struct arch_state *state, const struct arch_point *point)
{
    CLEANUP_FREE unsigned char *frame = malloc(ARCH_FRAME_MAX);
    uint64_t text = (point->sp - ARCH_RED_ZONE - TEXT_ROOM) & ~(uint64_t)15;
    size_t size;

    if (!frame)
        return -ENOMEM;
    int r = arch_frame(state, text, visit->target->restorer, frame, &visit->frame, &size);
    if (r == 0)
        r = memory_write(visit->target->pid, visit->frame, frame, size);
    /* the main thread's stack ends there, until it grows */
    if (r == -EFAULT)
        return 1;
    if (r < 0)
        return r;
    visit->text = text;
    visit->state = state;
    visit->begun = true;
    r = with_errno(visit, point->tls);
    if (visit->trace->stopped) {
        arch_resume_wait(state);
        int put = arch_put(visit->trace->tid, state);
        if (r == 0)
            r = put;
    }
    return r;
}

static void
pause_a_moment(uint64_t least_ns)
{
    uint64_t spread = clock_monotonic_ns() / 1000 * 7919 % PAUSE_SPREAD_NS;
    struct timespec pause = {.tv_nsec = (long)(least_ns + spread)};

    (void)nanosleep(&pause, NULL);
}

/* Not traced meanwhile: signals that came to it would wait for us, and the next stop would be at
 * the begin of a handler. */
static int
let_go_a_moment(struct trace *trace, uint64_t least_ns)
{
    trace_release(trace);
    uint64_t paused_ns = trace->paused_ns;
    pause_a_moment(least_ns);
    int r = trace_seize(trace->tid, trace);
    trace->paused_ns = paused_ns;
    return r;
}

/*
 * Another thread that loads a library lets the borrowed one wait. One that waits anyway does not
 * hold the GIL, and after a while goes ahead: what looked like loading may be left on a stack from
 * before.
 */
static bool
is_loading(const struct visit *visit, const struct arch_point *point)
{
    if (point->in_syscall && clock_monotonic_ns() >= visit->quiet_until_ns)
        return false;
    return loading_elsewhere(visit->target, visit->trace->tid, !point->in_syscall);
}

/* 1: it never was at a safe point. */
static int
try_thread(struct visit *visit, struct arch_state *state, uint64_t until_ns)
{
    struct trace *trace = visit->trace;
    struct arch_point point;
    char why[SAFE_POINT_WHY] = "";
    int r;

    for (unsigned i = 0; i < TRIES_MAX && (i == 0 || clock_monotonic_ns() < until_ns); i++) {
        visit->report->tries++;
        r = trace_stop(trace);
        if (r == -ETIMEDOUT) {
            (void)snprintf(
                visit->report->why, INJECT_WHY, "thread %d cannot be stopped now", (int)trace->tid);
            return 1;
        }
        if (r == 0)
            r = trace->group_stop ? -EBUSY : arch_get(trace->tid, state);
        if (r < 0)
            return r;
        arch_look(&visit->target->memory, state, &point);
        uint64_t pause_ns = PAUSE_LEAST_NS;
        if (safe_point(visit->target, state, &point, why)) {
            if (!is_loading(visit, &point))
                return visit_thread(visit, state, &point);
            (void)snprintf(why, sizeof(why), "beside one that loads a library");
            pause_ns = PAUSE_LOADING_NS;
        }
        (void)snprintf(visit->report->why, INJECT_WHY, "thread %d stood %s", (int)trace->tid, why);
        r = let_go_a_moment(trace, pause_ns);
        if (r < 0)
            return r;
    }
    return 1;
}

static int
try_one(struct visit *visit, pid_t tid, struct arch_state *state, uint64_t until_ns)
{
    CLEANUP(trace_release) struct trace trace = {0};
    int r = trace_seize(tid, &trace);

    if (r < 0)
        return r;
    visit->trace = &trace;
    visit->report->tid = tid;
    r = try_thread(visit, state, until_ns);
    trace_release(&trace);
    visit->report->pause_ns += trace.paused_ns;
    return r;
}

/* A thread that ended between two looks is not the process's end. */
static bool
try_another(int r, size_t threads)
{
    return r == 1 || (r == -ESRCH && threads > 1);
}

static int
borrow(struct visit *visit)
{
    CLEANUP_FREE struct borrowable *threads = calloc(BORROWABLE_MAX, sizeof(*threads));
    CLEANUP_FREE struct arch_state *state = calloc(1, sizeof(*state));
    uint64_t until_ns = clock_monotonic_ns() + PATIENCE_NS;

    visit->quiet_until_ns = clock_monotonic_ns() + QUIET_NS;
    if (!threads || !state)
        return -ENOMEM;
    for (;;) {
        size_t count = borrowable_list(visit->target->pid, threads);
        for (size_t i = 0; i < count; i++) {
            int r = try_one(visit, threads[i].tid, state, until_ns);
            if (visit->begun || !try_another(r, count))
                return r;
            if (clock_monotonic_ns() >= until_ns)
                return -EAGAIN;
        }
        /* none of them, for a moment: each sleeps in the kernel, or the process is at its end */
        if (count == 0) {
            pause_a_moment(PAUSE_LEAST_NS);
            if (clock_monotonic_ns() >= until_ns)
                return -EAGAIN;
        }
        /* a program maps code meanwhile */
        int r = target_refresh(visit->target);
        if (r < 0)
            return r;
    }
}

/* What a process of its own has to tell. */
struct outcome {
    int result;
    struct inject_report report;
};

static void __attribute__((noreturn)) inject_here(struct visit *visit, struct outcome *outcome)
{
    trace_begin();
    outcome->result = borrow(visit);
    outcome->report = *visit->report;
    _exit(0);
}

/*
 * In a child of ours, whose end lets go of every thread that it has laid hands on, also of one that
 * could not be stopped in time and would be stopped for a tracer that is gone.
 */
static int
inject(struct visit *visit)
{
    struct outcome *outcome =
        mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status, r = -ECHILD;

    if (outcome == MAP_FAILED)
        return -errno;
    *outcome = (struct outcome){.result = -ECHILD};
    pid_t child = fork();
    if (child == 0)
        inject_here(visit, outcome);
    if (child < 0)
        r = -errno;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (child > 0) {
        *visit->report = outcome->report;
        r = outcome->result;
    }
    (void)munmap(outcome, sizeof(*outcome));
    return r;
}

int
inject_load(
    struct target *target, struct carry *carry, bool listen, struct inject_report *ret_report)
{
    struct visit visit = {.target = target, .carry = carry, .listen = listen, .report = ret_report};
    const char *name = listen ? LOOPTOP_AGENT_LOADED LOOPTOP_AGENT_LISTENING : LOOPTOP_AGENT_LOADED;
    /* a filter may end a process for a syscall that its program never makes */
    bool memfd = !borrowable_filtered(target->pid) && carry_has_proc(target) && !listen;
    int r = memfd ? inject(&visit) : -ENOSPC;

    if (r != -ENOSPC)
        return r;
    ret_report->as_file = true;
    r = carry_file(carry, target, name);
    return r < 0 ? r : inject(&visit);
}

int
inject_start(struct target *target, bool listen, struct inject_report *ret_report)
{
    struct visit visit = {
        .target = target, .work = WORK_START, .listen = listen, .report = ret_report};

    return inject(&visit);
}

int
inject_close(struct target *target, int fd, struct inject_report *ret_report)
{
    struct visit visit = {.target = target, .work = WORK_CLOSE, .fd = fd, .report = ret_report};

    return inject(&visit);
}
