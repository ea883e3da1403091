/* SPDX-License-Identifier: MIT */
/*
 * See pep768.h. Where things are is said by the process itself, in struct _Py_DebugOffsets at the
 * start of _PyRuntime (Include/internal/pycore_debug_offsets.h); where in that struct, differs from
 * minor to minor.
 */
#include "attach/pep768.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"

#define COOKIE "xdebugpy"
#define COOKIE_SIZE 8
#define OFFSETS_SIZE 1024
#define OFFSET_MAX (1u << 24) /* of a field in a struct */
#define THREADS_MAX 4096
#define PATIENCE_NS (10 * CLOCK_NS_PER_S)
#define LOOK_NS 1000000
#define STOP_PLEASE (1u << 5) /* _PY_EVAL_PLEASE_STOP_BIT */

/* Byte offsets within struct _Py_DebugOffsets. */
static const struct layout {
    unsigned minor;
    unsigned interpreters_head, threads_head, threads_next; /* runtime, interpreter, thread */
    unsigned eval_breaker, support, enabled, pending, path, path_size;
} layouts[] = {
    {14, 40, 72, 192, 712, 720, 728, 736, 744, 752},
    {15, 40, 72, 192, 840, 848, 856, 864, 872, 880},
};

/* The process's: where each of them is. */
struct debugging {
    uint64_t interpreter;
    uint64_t threads_head, threads_next, eval_breaker, support, enabled, pending, path, path_size;
};

static const struct layout *
layout_of(const struct target *target)
{
    for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
        if (target->version >> 24 == 3 && (target->version >> 16 & 0xff) == layouts[i].minor)
            return &layouts[i];
    return NULL;
}

static bool
take(const unsigned char *offsets, unsigned at, uint64_t *ret_offset)
{
    memcpy(ret_offset, offsets + at, sizeof(*ret_offset));
    return *ret_offset < OFFSET_MAX;
}

static int
read_word(const struct target *target, uint64_t address, uint64_t *ret_word)
{
    return memory_read(&target->memory, address, ret_word, sizeof(*ret_word));
}

/* 0; -ENOTSUP: it has no such interface, or one that is not known here. */
static int
find_debugging(const struct target *target, struct debugging *ret_debugging)
{
    const struct layout *layout = layout_of(target);
    unsigned char offsets[OFFSETS_SIZE];
    struct debugging found;
    uint64_t runtime, head, version;

    if (!layout || image_symbol(&target->python, "_PyRuntime", &runtime) < 0)
        return -ENOTSUP;
    int r = memory_read(&target->memory, runtime, offsets, sizeof(offsets));
    if (r < 0)
        return r;
    memcpy(&version, offsets + COOKIE_SIZE, sizeof(version));
    if (memcmp(offsets, COOKIE, COOKIE_SIZE) != 0 || version >> 16 != target->version >> 16 ||
        !take(offsets, layout->interpreters_head, &head) ||
        !take(offsets, layout->threads_head, &found.threads_head) ||
        !take(offsets, layout->threads_next, &found.threads_next) ||
        !take(offsets, layout->eval_breaker, &found.eval_breaker) ||
        !take(offsets, layout->support, &found.support) ||
        !take(offsets, layout->enabled, &found.enabled) ||
        !take(offsets, layout->pending, &found.pending) ||
        !take(offsets, layout->path, &found.path) ||
        !take(offsets, layout->path_size, &found.path_size))
        return -ENOTSUP;
    r = read_word(target, runtime + head, &found.interpreter);
    if (r < 0 || found.interpreter == 0)
        return r < 0 ? r : -ENOTSUP;
    *ret_debugging = found;
    return 0;
}

/* 0 off, 1 on, or -errno. */
static int
read_enabled(const struct target *target, struct debugging *ret_debugging)
{
    int32_t enabled;
    int r = find_debugging(target, ret_debugging);

    if (r == 0)
        r = memory_read(&target->memory, ret_debugging->interpreter + ret_debugging->enabled,
            &enabled, sizeof(enabled));
    return r < 0 ? r : enabled != 0;
}

bool
pep768_is_off(const struct target *target)
{
    struct debugging debugging;

    return read_enabled(target, &debugging) == 0;
}

bool
pep768_is_possible(const struct target *target)
{
    struct debugging debugging;

    return read_enabled(target, &debugging) == 1;
}

/* Sets, or takes back, the request to one thread. */
static int
ask_thread(const struct target *target, const struct debugging *debugging, uint64_t thread,
    const char *script, int32_t pending)
{
    uint64_t support = thread + debugging->support, breaker;
    int r = 0;

    if (pending)
        r = memory_write(target->pid, support + debugging->path, script, strlen(script) + 1);
    if (r == 0)
        r = memory_write(target->pid, support + debugging->pending, &pending, sizeof(pending));
    if (r < 0 || !pending)
        return r;
    /* a bit that the interpreter sets at the same moment may be lost: it would be set again */
    r = read_word(target, thread + debugging->eval_breaker, &breaker);
    breaker |= STOP_PLEASE;
    return r < 0 ? r
                 : memory_write(
                       target->pid, thread + debugging->eval_breaker, &breaker, sizeof(breaker));
}

/* All threads: whichever runs first loads it, for the others it is loaded then. */
static int
ask_threads(const struct target *target, const struct debugging *debugging, const char *script,
    int32_t pending)
{
    uint64_t thread;
    int r = read_word(target, debugging->interpreter + debugging->threads_head, &thread);

    for (unsigned i = 0; i < THREADS_MAX && r == 0 && thread != 0; i++) {
        r = ask_thread(target, debugging, thread, script, pending);
        if (r == 0)
            r = read_word(target, thread + debugging->threads_next, &thread);
    }
    return r;
}

/* One expression: it runs in the program's __main__, and leaves no name there. */
static int
write_script(const struct carry *carry, const struct target *target, struct carry *ret_script)
{
    char text[512];
    int n = snprintf(text, sizeof(text),
        "__import__('_imp').create_dynamic(__import__('_frozen_importlib').ModuleSpec("
        "'_agent', None, origin='%s'))\n",
        carry->inside);

    *ret_script = (struct carry){0};
    return carry_text(ret_script, target, "looptop-script", text, (size_t)n);
}

static int
await_load(struct target *target)
{
    struct timespec pause = {.tv_nsec = LOOK_NS};
    uint64_t until_ns = clock_monotonic_ns() + PATIENCE_NS;

    while (clock_monotonic_ns() < until_ns) {
        (void)nanosleep(&pause, NULL);
        int r = target_refresh(target);
        if (r < 0)
            return r;
        if (target->agent != 0)
            return 0;
    }
    return -EAGAIN;
}

int
pep768_load(struct target *target, struct carry *carry, bool listen, struct refusal *refusal)
{
    CLEANUP(carry_done) struct carry script = {0};
    struct debugging debugging;
    int r = find_debugging(target, &debugging);

    if (r == 0)
        r = carry_file(carry, target,
            listen ? LOOPTOP_AGENT_LOADED LOOPTOP_AGENT_LISTENING : LOOPTOP_AGENT_LOADED);
    if (r == 0)
        r = write_script(carry, target, &script);
    if (r == 0)
        r = ask_threads(target, &debugging, script.inside, 1);
    if (r == 0) {
        r = await_load(target);
        (void)ask_threads(target, &debugging, script.inside, 0);
    }
    if (r == -EAGAIN)
        return refuse(refusal, r, target->pid,
            "cannot be traced, and no thread of it ran Python code for 10 s, which attaching "
            "through CPython's remote debugging needs: try again while it works");
    if (r < 0)
        return refuse_access(refusal, r, target->pid, &target->status);
    return 0;
}
