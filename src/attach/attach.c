/* SPDX-License-Identifier: MIT */
/* See attach.h. */
#include "attach/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "attach/carry.h"
#include "attach/foreign_fd.h"
#include "attach/inject.h"
#include "attach/pep768.h"
#include "attach/target.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "looptop/version.h"

#define START_NS (5 * CLOCK_NS_PER_S)
#define LOCK_NS (15 * CLOCK_NS_PER_S) /* longer than it takes anybody to give up */
#define LOOK_FIRST_NS 50000
#define LOOK_LAST_NS 5000000

/* One attempt to attach. */
struct attempt {
    struct target *target;
    const char *agent_dir;
    bool force, listen;
    uint32_t attempts; /* the agent's, before ours */
    struct attach_report *report;
    struct refusal *refusal;
};

static bool
is_same_abi(const struct target *target)
{
    return memcmp(target->agent_state.magic, LOOPTOP_AGENT_MAGIC, sizeof(LOOPTOP_AGENT_MAGIC)) ==
               0 &&
           target->agent_state.abi == LOOPTOP_AGENT_ABI;
}

/* A forked child has its parent's agent, which does not run in it. */
static bool
is_running(const struct target *target)
{
    const struct looptop_agent_state *state = &target->agent_state;

    return target->agent != 0 && is_same_abi(target) && state->pid == target->status.inner_pid &&
           (state->socket[0] || state->channel >= 0);
}

static void
pause_more(struct timespec *pause)
{
    (void)nanosleep(pause, NULL);
    if (pause->tv_nsec < LOOK_LAST_NS)
        pause->tv_nsec += pause->tv_nsec / 2;
}

/*
 * One client at a time attaches to a process, or each would bring in an agent of its own, and one
 * at a time looks whether a channel is still to be had: whoever may look at its memory may hold
 * this lock. A descriptor, or -errno; -EWOULDBLOCK: somebody holds it.
 */
static int
lock_process(pid_t pid, uint64_t wait_ns)
{
    char path[64];
    struct timespec pause = {.tv_nsec = LOOK_FIRST_NS};
    uint64_t until_ns = clock_monotonic_ns() + wait_ns;
    int r;

    (void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    while ((r = flock(fd, LOCK_EX | LOCK_NB)) < 0 && clock_monotonic_ns() < until_ns)
        pause_more(&pause);
    if (r == 0)
        return fd;
    (void)close(fd);
    return -EWOULDBLOCK;
}

/*
 * The one byte that makes its reader the only one. The number may be another's by now, whose bytes
 * are not ours to take; and in its place may be the first one of an answer to who was faster. Under
 * the lock.
 */
static bool
take_token(const struct target *target, int fd)
{
    char token;
    struct stat st;

    return fstat(fd, &st) == 0 && st.st_ino == target->agent_state.channel_inode &&
           recv(fd, &token, 1, MSG_DONTWAIT | MSG_PEEK) == 1 && token == '\0' &&
           recv(fd, &token, 1, MSG_DONTWAIT) == 1;
}

int
attach_channel(pid_t pid, int timeout_ms, int *ret_fd)
{
    CLEANUP(target_done) struct target target;
    struct timespec pause = {.tv_nsec = LOOK_FIRST_NS};
    uint64_t until_ns = clock_monotonic_ns() + (uint64_t)timeout_ms * 1000000;
    int r = target_open_agent(pid, &target);

    if (r < 0)
        return r;
    if (!is_running(&target) || target.agent_state.channel < 0)
        return -ENOENT;
    CLEANUP_CLOSE int lock = lock_process(pid, (uint64_t)timeout_ms * 1000000);
    if (lock < 0)
        return lock == -EWOULDBLOCK ? -ETIMEDOUT : lock;
    do {
        CLEANUP_CLOSE int fd = foreign_fd(pid, target.agent_state.channel);
        if (fd >= 0 && take_token(&target, fd)) {
            *ret_fd = fd;
            fd = -1;
            return 0;
        }
        /* it has just gone to somebody else: the agent makes the next one */
        pause_more(&pause);
        r = target_read_agent(&target);
        if (r < 0)
            return r;
        if (!is_running(&target))
            return -ENOENT;
    } while (clock_monotonic_ns() < until_ns);
    return -ETIMEDOUT;
}

static int
refuse_other(const struct attempt *attempt)
{
    const struct target *target = attempt->target;
    char version[sizeof(target->agent_state.version) + 1] = "";

    memcpy(version, target->agent_state.version, sizeof(target->agent_state.version));
    return refuse(attempt->refusal, -EPROTO, target->pid,
        "has an agent of another looptop inside, version %s, that this one (%s) cannot wake: use "
        "that looptop, or restart the program",
        version[0] ? version : "unknown", LOOPTOP_VERSION);
}

/* Why an agent that was loaded is not there. */
static int
refuse_unloaded(const struct attempt *attempt, bool as_file)
{
    char version[TARGET_VERSION];

    return refuse(attempt->refusal, -ENOEXEC, attempt->target->pid,
        "did not load the agent for CPython %s%s: its C library may be older than glibc 2.17, or "
        "it "
        "is not allowed to map code%s",
        target_version(attempt->target->version, version), attempt->target->musl ? " (musl)" : "",
        as_file ? " from files in /tmp" : "");
}

static int
refuse_injection(const struct attempt *attempt, int r, const struct inject_report *injected)
{
    struct refusal *refusal = attempt->refusal;
    pid_t pid = attempt->target->pid;

    switch (r) {
    case -EAGAIN:
        return refuse(refusal, r, pid,
            "came to no moment in 10 s in which a thread of it could be borrowed (%s): try again",
            injected->why);
    case -EBUSY:
        return refuse(
            refusal, r, pid, "has just been stopped: continue it with `kill -CONT %d`", (int)pid);
    case -ENOTSUP:
        return refuse(refusal, r, pid,
            "uses a shadow stack, or runs 32-bit code, which ptrace cannot serve; CPython 3.14 and "
            "later can be attached to otherwise");
    case -ENOSPC:
        return refuse(refusal, r, pid,
            "takes no agent: memfd_create is not allowed in it, and no directory of it (/tmp, "
            "/dev/shm, /var/tmp, /run) can be written and run from");
    case -ETIMEDOUT:
        return refuse(refusal, r, pid,
            "began to load the agent and did not end in 10 s: another thread of it may be held up "
            "while it loads a library; try again");
    case -EFAULT:
        return refuse(refusal, r, pid, "could not load the agent: its dynamic linker faulted");
    default:
        return refuse_access(refusal, r, pid, &attempt->target->status);
    }
}

/* The agent starts in a thread of its own, which takes nobody's lock. */
static int
await_start(const struct attempt *attempt)
{
    struct target *target = attempt->target;
    const struct looptop_agent_state *state = &target->agent_state;
    struct timespec pause = {.tv_nsec = LOOK_FIRST_NS};
    uint64_t until_ns = clock_monotonic_ns() + START_NS;

    while (!is_running(target) && state->attempts == attempt->attempts &&
           clock_monotonic_ns() < until_ns) {
        pause_more(&pause);
        int r = target_read_agent(target);
        if (r < 0)
            return refuse_access(attempt->refusal, -ESRCH, target->pid, &target->status);
    }
    if (is_running(target))
        return 0;
    if (state->attempts == attempt->attempts)
        return refuse(attempt->refusal, -ETIMEDOUT, target->pid,
            "loaded the agent, but it did not start in 5 s: is the machine overloaded?");
    return refuse(attempt->refusal, -ECANCELED, target->pid, "loaded the agent, which says: %.*s",
        (int)sizeof(state->message), state->message);
}

static int
open_carry(const struct attempt *attempt, struct carry *ret_carry)
{
    const struct target *target = attempt->target;
    char path[PATH_MAX], version[TARGET_VERSION];
    int r;

    target_agent_file(target, attempt->agent_dir, path);
    r = carry_open(path, ret_carry);
    if (r == 0)
        return 0;
    (void)target_version(target->version, version);
    if (r == -ENOENT && target->musl)
        return refuse(attempt->refusal, -ENOTSUP, target->pid,
            "runs CPython %s with musl (Alpine), for which there is no agent here: %s", version,
            path);
    if (r == -ENOENT)
        return refuse(attempt->refusal, -ENOTSUP, target->pid,
            "runs CPython %s, for which this looptop has no agent (%s): build it with `make "
            "PYTHONS=…` where that Python's headers are",
            version, path);
    return refuse(
        attempt->refusal, r, target->pid, "cannot be given its agent: %s: %s", path, strerror(-r));
}

static void
report_injection(const struct attempt *attempt, const struct inject_report *injected)
{
    attempt->report->tid = injected->tid;
    attempt->report->tries = injected->tries;
    attempt->report->pause_ns = injected->pause_ns;
}

static int
load(const struct attempt *attempt)
{
    CLEANUP(carry_done) struct carry carry = {0};
    struct inject_report injected = {.memfd = -1};
    struct target *target = attempt->target;
    int r = open_carry(attempt, &carry);

    if (r < 0)
        return r;
    r = inject_load(target, &carry, attempt->listen, &injected);
    report_injection(attempt, &injected);
    /* the borrowed thread may have ended, or not come back in time, when its work was done */
    if (r < 0 && target_refresh(target) == 0 && target->agent != 0)
        return await_start(attempt);
    if ((r == -EPERM || r == -ENOTSUP) && pep768_is_possible(target)) {
        attempt->report->by_pep768 = true;
        r = pep768_load(target, &carry, attempt->listen, attempt->refusal);
        if (r < 0)
            return r;
    }
    if (r < 0)
        return refuse_injection(attempt, r, &injected);
    r = target_refresh(target);
    if (r < 0)
        return refuse_access(attempt->refusal, r, target->pid, &target->status);
    if (target->agent == 0) {
        if (injected.memfd >= 0)
            (void)inject_close(target, injected.memfd, &injected);
        return refuse_unloaded(attempt, injected.as_file);
    }
    return await_start(attempt);
}

static int
wake(struct attempt *attempt)
{
    struct inject_report injected = {0};
    struct target *target = attempt->target;

    if (!is_same_abi(target) || target->agent_start == 0)
        return refuse_other(attempt);
    attempt->report->reused = true;
    attempt->attempts = target->agent_state.attempts;
    int r = inject_start(target, attempt->listen, &injected);
    report_injection(attempt, &injected);
    return r < 0 ? refuse_injection(attempt, r, &injected) : await_start(attempt);
}

static int
start(pid_t pid, const char *agent_dir, bool force, struct attach_report *ret_report,
    struct refusal *refusal)
{
    CLEANUP(target_done) struct target target;
    struct attempt attempt = {.target = &target,
        .agent_dir = agent_dir,
        .force = force,
        .report = ret_report,
        .refusal = refusal};
    int r = target_open(pid, &target, refusal);

    *ret_report = (struct attach_report){0};
    if (r < 0)
        return r;
    if (is_running(&target))
        return 1;
    if (!force && pep768_is_off(&target))
        return refuse(refusal, -EPERM, pid,
            "has remote debugging switched off (-X disable-remote-debug or "
            "PYTHON_DISABLE_REMOTE_DEBUG): --force attaches all the same");
    attempt.listen = !foreign_fd_possible(pid);
    return target.agent != 0 ? wake(&attempt) : load(&attempt);
}

int
attach_start(pid_t pid, const char *agent_dir, bool force, struct attach_report *ret_report,
    struct refusal *refusal)
{
    CLEANUP_CLOSE int lock = lock_process(pid, LOCK_NS);

    if (lock == -EWOULDBLOCK)
        return refuse(refusal, lock, pid, "is being attached to by another looptop: try again");
    /* whatever else is wrong with it is said in the words of start */
    return start(pid, agent_dir, force, ret_report, refusal);
}
