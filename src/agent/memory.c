// SPDX-License-Identifier: MIT
/*
 * See memory.h. sys.getallocatedblocks walks every pool under the GIL: its cost grows with the heap
 * (1 ms at 7 million blocks), so each count is followed by a pause of 2000 times what it took, at
 * least a second: a share of the core under 0.1 %. Past BLOCKS_LIMIT_NS it is given up, since no
 * slice may hold the GIL that long.
 */
#include "agent/memory.h"

#include "agent/cpython/cpy.h"

#include <dlfcn.h>
#include <malloc.h>
#include <time.h>

#include "agent/agent.h"
#include "agent/atomic.h"
#include "agent/gil.h"
#include "agent/loops.h"
#include "agent/names.h"
#include "agent/table.h"
#include "agent/ticks.h"
#include "common/clock.h"
#include "looptop/limits.h"
#include "platform/proc.h"
#include "proto/json_out.h"

#define HEAP_MAX_NS 1000000
#define HEAP_FIRST_RSS (256ull << 20)
#define BLOCKS_PAUSE 2000
#define BLOCKS_LIMIT_NS 800000
#define GENERATIONS 3

static struct {
    uint64_t rss[LOOPTOP_HISTORY], heap[LOOPTOP_HISTORY], gc_pause[LOOPTOP_HISTORY];
    uint64_t tasks[LOOPTOP_HISTORY];
    int64_t blocks[LOOPTOP_HISTORY];
    unsigned count, next;
    uint64_t rss_now, heap_now, gc_rate, seen_pause;
} history;

/* written under the GIL */
static struct {
    uint64_t collections[GENERATIONS], pause_total, pause_max, began;
    bool installed;
} gc;
static int64_t blocks = -1;
static uint64_t blocks_due_ns, blocks_cost_ns = BLOCKS_LIMIT_NS;
static bool blocks_given_up;

/* gc calls it with ("start" or "stop", {"generation": n, …}). */
static PyObject *
gc_called(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    (void)self;
    agent_retry(); /* nothing else of ours is called where the agent has no threads */
    if (n < 2 || !PyUnicode_Check(args[0]) || !PyDict_Check(args[1]))
        Py_RETURN_NONE;
    if (PyUnicode_CompareWithASCIIString(args[0], "start") == 0) {
        gc.began = ticks_now();
        Py_RETURN_NONE;
    }
    uint64_t span = gc.began != 0 ? ticks_now() - gc.began : 0;
    PyObject *generation = cpy_dict_get(args[1], "generation");
    uint64_t g =
        generation != NULL && PyLong_CheckExact(generation) ? cpy_int_number(generation) : 0;
    ADD(gc.collections[g >= GENERATIONS ? GENERATIONS - 1 : g], 1);
    ADD(gc.pause_total, span);
    if (span > gc.pause_max)
        STORE(gc.pause_max, span);
    gc.began = 0;
    Py_RETURN_NONE;
}

static PyMethodDef gc_def = {
    "looptop_gc", (PyCFunction)(void (*)(void))gc_called, METH_FASTCALL, NULL};

void
memory_gc_install(void)
{
    if (gc.installed)
        return;
    gc.installed = true;
    PyObject *callbacks = cpy_gc_callbacks();
    PyObject *callback = PyCFunction_New(&gc_def, NULL);
    if (callbacks != NULL && callback != NULL)
        (void)PyList_Append(callbacks, callback);
    Py_XDECREF(callback);
    PyErr_Clear();
}

bool
memory_blocks_due(void)
{
    return !blocks_given_up && clock_monotonic_ns() >= blocks_due_ns;
}

bool
memory_blocks_are_dear(void)
{
    return blocks_cost_ns > GIL_SLICE_NS / 4;
}

/* Of this thread: a count during which the kernel ran somebody else was not slow. */
static uint64_t
cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * CLOCK_NS_PER_S + (uint64_t)t.tv_nsec;
}

void
memory_blocks_sample(void)
{
    uint64_t start = cpu_ns();
    int64_t now = cpy_allocated_blocks();
    blocks_cost_ns = cpu_ns() - start;
    uint64_t pause = blocks_cost_ns * BLOCKS_PAUSE;
    blocks_due_ns = clock_monotonic_ns() + (pause < CLOCK_NS_PER_S ? CLOCK_NS_PER_S : pause);
    blocks_given_up = now < 0 || blocks_cost_ns > BLOCKS_LIMIT_NS;
    STORE(blocks, blocks_given_up ? -1 : now);
}

/*
 * glibc's figure; 0 where another allocator serves the process, or where asking is too dear: the
 * call goes through all free chunks while no thread can allocate. So it is not made first in a
 * large process, not more often than a thousandth of a core allows, and not again once it took
 * HEAP_MAX_NS of CPU time.
 */
static uint64_t
heap_in_use(uint64_t rss)
{
    static struct mallinfo2 (*info)(void);
    static bool looked;
    static uint64_t due_ns, last;
    if (!looked && rss <= HEAP_FIRST_RSS)
        *(void **)&info = dlsym(RTLD_DEFAULT, "mallinfo2");
    looked = true;
    uint64_t now_ns = clock_monotonic_ns();
    if (info == NULL)
        return 0;
    if (now_ns < due_ns)
        return last;
    uint64_t start = cpu_ns();
    struct mallinfo2 now = info();
    uint64_t cost = cpu_ns() - start;
    if (cost > HEAP_MAX_NS) {
        info = NULL;
        return 0;
    }
    due_ns = now_ns + cost * 1000;
    last = now.uordblks + now.hblkhd;
    return last;
}

void
memory_sample(uint64_t tasks)
{
    uint64_t pause = LOAD(gc.pause_total), rss = 0;
    if (proc_rss(NULL, 0, &rss) < 0)
        rss = 0;
    history.rss_now = rss;
    history.heap_now = heap_in_use(rss);
    history.gc_rate = ticks_to_ns(pause - history.seen_pause);
    history.seen_pause = pause;
    unsigned i = history.next;
    history.rss[i] = rss;
    history.heap[i] = history.heap_now;
    history.gc_pause[i] = history.gc_rate;
    history.tasks[i] = tasks;
    history.blocks[i] = LOAD(blocks);
    history.next = (i + 1) % LOOPTOP_HISTORY;
    if (history.count < LOOPTOP_HISTORY)
        history.count++;
}

uint64_t
memory_agent_bytes(void)
{
    return table_bytes() + names_bytes() + loops_bytes() + cpy_watched_bytes() + sizeof history;
}

/* A number, or null for "not known". */
static void
known_or_null(struct json_out *out, const char *key, int64_t value, int64_t unknown)
{
    json_out_key(out, key);
    if (value == unknown)
        json_out_null(out);
    else
        json_out_int(out, value);
}

static void
report_series(struct json_out *out, const char *key, const uint64_t *values, uint64_t unknown)
{
    json_out_key(out, key);
    json_out_array(out);
    for (unsigned i = 0; i < history.count; i++) {
        unsigned at = (history.next + LOOPTOP_HISTORY - history.count + i) % LOOPTOP_HISTORY;
        if (values[at] == unknown)
            json_out_null(out);
        else
            json_out_uint(out, values[at]);
    }
    json_out_array_end(out);
}

static void
report_gc(struct json_out *out)
{
    json_out_key(out, "gc");
    json_out_object(out);
    json_out_key(out, "collections");
    json_out_array(out);
    for (int i = 0; i < GENERATIONS; i++)
        json_out_uint(out, LOAD(gc.collections[i]));
    json_out_array_end(out);
    json_out_kv_uint(out, "pause_total_ns", ticks_to_ns(LOAD(gc.pause_total)));
    json_out_kv_uint(out, "pause_max_ns", ticks_to_ns(LOAD(gc.pause_max)));
    json_out_kv_uint(out, "pause_ns_per_s", history.gc_rate);
    json_out_object_end(out);
}

void
memory_report(struct json_out *out, bool with_history)
{
    json_out_object(out);
    known_or_null(out, "rss_bytes", (int64_t)history.rss_now, 0);
    known_or_null(out, "heap_bytes", (int64_t)history.heap_now, 0);
    known_or_null(out, "blocks", LOAD(blocks), -1);
    report_gc(out);
    json_out_kv_uint(out, "agent_bytes", memory_agent_bytes());
    if (with_history) {
        json_out_key(out, "history");
        json_out_object(out);
        json_out_kv_uint(out, "interval_s", 1);
        report_series(out, "rss_bytes", history.rss, UINT64_MAX);
        report_series(out, "heap_bytes", history.heap, 0);
        report_series(out, "blocks", (const uint64_t *)history.blocks, UINT64_MAX);
        report_series(out, "gc_pause_ns", history.gc_pause, UINT64_MAX);
        report_series(out, "tasks", history.tasks, UINT64_MAX);
        json_out_object_end(out);
    }
    json_out_object_end(out);
}

void
memory_reset(void)
{
    history.count = history.next = 0;
    gc.began = 0;
}
