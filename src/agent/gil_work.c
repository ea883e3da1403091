// SPDX-License-Identifier: MIT
/* See gil_work.h. */
#include "agent/gil_work.h"

#include "agent/cpython/cpy.h"

#include <errno.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/atomic.h"
#include "agent/callbacks.h"
#include "agent/cancel.h"
#include "agent/gil_hold.h"
#include "agent/gil_release.h"
#include "agent/hooks.h"
#include "agent/loops.h"
#include "agent/memory.h"
#include "agent/paths.h"
#include "agent/population.h"
#include "agent/running.h"
#include "agent/stack.h"
#include "agent/table.h"
#include "common/clock.h"
#include "looptop/protocol.h"

#define PERIOD_NS CLOCK_NS_PER_S     /* figures of the interpreter; probes, nobody watching */
#define PERIOD_PROBE_NS 500000000ull /* probes, somebody watching */
#define WAITING_FIRST_NS 20000000ull /* until asyncio is looked for again, doubled each time */
#define REFRESH_BATCH 256            /* records of one slice */

static uint64_t waiting_ns;    /* see WAITING_FIRST_NS */
static uint64_t places_due_ns; /* when places are looked up again though nobody asks */

/* What was known before a time without hooks may point to tasks that are gone. GIL held, and given
 * back in between. */
static void
forget_tasks(void)
{
    while (table_forget())
        (void)gil_give_way();
    gil_give();
    table_discard();
    gil_take();
}

/* GIL held. */
static void
install(bool walk)
{
    char reason[192] = "no memory";
    if (agent_hooks() != LOOPTOP_HOOKS_WAITING)
        return;
    int rc = callbacks_register(reason, sizeof reason);
    if (rc == -EINVAL)
        agent_refuse(reason);
    if (rc < 0 || !cpy_asyncio_ready())
        return;
    (void)strcpy(reason, "no memory");
    rc = hooks_measure(gil_yield, reason, sizeof reason);
    if (rc == 0) {
        gil_yield();
        rc = hooks_install(reason, sizeof reason);
    }
    if (rc < 0 || cancel_init() < 0) {
        agent_refuse(reason);
        return;
    }
    memory_gc_install();
    forget_tasks();
    loops_reset();
    loops_find_in_threads();
    if (agent_hooks() != LOOPTOP_HOOKS_WAITING)
        return; /* stopped while the GIL was given back */
    hooks_switch(true);
    if (walk)
        population_start();
    agent_set_hooks(LOOPTOP_HOOKS_ACTIVE);
}

void
gil_work_install(bool walk)
{
    gil_take();
    install(walk);
    gil_give();
}

static void
run_stack(struct job *job)
{
    struct stack stack;
    stack_init(&stack, job->task, &job->out);
    gil_take();
    int rc = stack_slice(&stack, GIL_SLICE_NS);
    while (rc == 0 && !LOAD(job->given_up) && !gil_stopping()) {
        gil_yield();
        rc = stack_slice(&stack, GIL_SLICE_NS);
    }
    stack_done(&stack);
    gil_give();
    if (rc == -ENOENT)
        rpc_error_set(
            &job->error, LOOPTOP_ERR_NO_TASK, "no task %llu", (unsigned long long)job->task);
    else if (rc == 0 || job->out.error != 0)
        rpc_error_set(&job->error, LOOPTOP_ERR_INTERNAL, "the stack could not be read");
}

/* Whether there are tasks whose places are looked up only when somebody asks. */
static bool
have_lazy_places(void)
{
    if (LOAD(hooks_place_unknown))
        return true;
    for (uint32_t i = 1; i < LOAD_ACQUIRE(loops_high); i++)
        if (LOAD_ACQUIRE(loops[i].id) != 0 && !LOAD(loops[i].path_each_step))
            return true;
    return false;
}

static void
refresh_record(struct record *record)
{
    PyObject *task = record->task;
    if (task == NULL || record->at_step == (uint32_t)record->steps ||
        loops[record->loop].running == table_index(record))
        return;
    PyObject *coro = cpy_task_field(task, cpy_layout.coro);
    if (coro == NULL || !cpy_is_gen(coro))
        return;
    if (cpyv_gen_executing((PyGenObject *)coro))
        STORE(hooks_place_unknown, true);
    else
        paths_update(record, task);
}

/* Places of tasks that have stepped since they were read; the table is looked through without the
 * GIL. */
static void
refresh_lazy(void)
{
    uint32_t batch[REFRESH_BATCH], high = LOAD(table_high), i = 1;
    STORE(hooks_place_unknown, false);
    places_due_ns = clock_monotonic_ns() + PERIOD_NS;
    while (i < high && !gil_stopping()) {
        unsigned n = 0;
        for (; i < high && n < REFRESH_BATCH; i++) {
            const struct record *record = &table_records[i];
            if (LOAD(record->task) != NULL &&
                LOAD(record->at_step) != (uint32_t)LOAD(record->steps))
                batch[n++] = i;
        }
        if (n == 0)
            break;
        gil_take();
        for (unsigned k = 0; k < n; k++) {
            (void)gil_give_way();
            refresh_record(&table_records[batch[k]]);
        }
        gil_give();
        if (i == high)
            break;
        gil_pause();
    }
}

static void
run_refresh(void)
{
    gil_take();
    running_refresh();
    gil_give();
    if (have_lazy_places())
        refresh_lazy();
}

static void
run_cancel(struct job *job)
{
    gil_take();
    while (cancel_send(job->cancel, GIL_SLICE_NS) && !gil_stopping())
        gil_yield();
    gil_give();
}

void
gil_work_job(struct job *job)
{
    if (LOAD(job->given_up) && job->kind != JOB_CANCEL)
        return;
    if (agent_hooks() != LOOPTOP_HOOKS_ACTIVE) {
        rpc_error_set(&job->error, LOOPTOP_ERR_INACTIVE, "the agent is not active");
        return;
    }
    if (job->kind == JOB_STACK)
        run_stack(job);
    else if (job->kind == JOB_CANCEL)
        run_cancel(job);
    else
        run_refresh();
}

void
gil_work_begin(void)
{
    waiting_ns = WAITING_FIRST_NS;
}

uint64_t
gil_work_period_ns(void)
{
    if (agent_hooks() == LOOPTOP_HOOKS_WAITING)
        return waiting_ns;
    bool often = gil_watched() && (loops_want_probes() || LOAD(hooks_place_unknown));
    return often ? PERIOD_PROBE_NS : PERIOD_NS;
}

void
gil_work_period(bool walk)
{
    if (agent_hooks() != LOOPTOP_HOOKS_ACTIVE) {
        gil_work_install(walk);
        gil_work_walk();
        /* it is about to be imported, or never will be */
        waiting_ns = waiting_ns * 2 < PERIOD_NS ? waiting_ns * 2 : PERIOD_NS;
        return;
    }
    bool blocks = memory_blocks_due(), probe = loops_probe_due(), stopped = loops_have_stopped();
    bool release = gil_release_due();
    if (blocks || probe || stopped || release) {
        gil_take();
        if (stopped)
            loops_find_closed();
        if (probe)
            loops_probe();
        if (release)
            loops_release();
        if (blocks && (stopped || probe || release) && memory_blocks_are_dear())
            gil_yield();
        if (blocks)
            memory_blocks_sample();
        gil_give();
    }
    /* so that whoever asks next finds few that are stale */
    if (LOAD(hooks_place_unknown) || (have_lazy_places() && clock_monotonic_ns() >= places_due_ns))
        refresh_lazy();
}

void
gil_work_walk(void)
{
    while (LOAD(population_walking) && agent_hooks() == LOOPTOP_HOOKS_ACTIVE && !gil_stopping()) {
        gil_take();
        if (!population_slice(GIL_SLICE_NS))
            loops_find_running();
        gil_give();
        gil_pause();
    }
}
