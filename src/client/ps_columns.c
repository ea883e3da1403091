/* SPDX-License-Identifier: MIT */
/*
 * One function a column. What cannot be known shows a dash, a lower bound a sign before it, a
 * figure of an earlier step a tilde.
 */
#include "client/ps_columns.h"

#include <stdio.h>
#include <string.h>

#include "common/fmt.h"

static void
put(char out[OUT_CELL_MAX], const char *text)
{
    size_t n;

    if (!text)
        text = fmt_unknown();
    n = strnlen(text, OUT_CELL_MAX - 1);
    memcpy(out, text, n);
    out[n] = '\0';
}

static void
put_number(char out[OUT_CELL_MAX], uint64_t number)
{
    (void)snprintf(out, OUT_CELL_MAX, "%llu", (unsigned long long)number);
}

static void
put_duration(char out[OUT_CELL_MAX], uint64_t ns)
{
    char text[FMT_SIZE];

    put(out, fmt_duration(text, (double)ns));
}

static void
put_site(char out[OUT_CELL_MAX], const struct task_site *site, const char *before)
{
    const char *slash = site ? strrchr(site->file, '/') : NULL;

    if (!site)
        put(out, NULL);
    else
        (void)snprintf(out, OUT_CELL_MAX, "%s%.200s:%u %.200s", before,
            slash ? slash + 1 : site->file, site->line, site->function);
}

static void
cell_id(const struct task_row *row, char out[OUT_CELL_MAX])
{
    put_number(out, row->id);
}

static void
cell_name(const struct task_row *row, char out[OUT_CELL_MAX])
{
    put(out, row->name[0] ? row->name : NULL);
}

static void
cell_state(const struct task_row *row, char out[OUT_CELL_MAX])
{
    static const char *const signs[LOOPTOP_STATES] = {
        "+ NEW", "◆ READY", "▶ RUN", "◇ WAIT", "✕ CANC", "✓ DONE", "✗ FAIL", "⊘ CNCLD"};
    static const char *const ascii[LOOPTOP_STATES] = {
        "+ NEW", "* READY", "> RUN", ". WAIT", "x CANC", "v DONE", "! FAIL", "o CNCLD"};

    put(out, (out_utf8() ? signs : ascii)[row->state]);
}

static void
cell_coroutine(const struct task_row *row, char out[OUT_CELL_MAX])
{
    put(out, row->coroutine);
}

static void
cell_waiting_on(const struct task_row *row, char out[OUT_CELL_MAX])
{
    char figure[FMT_SIZE];

    if (row->state == LOOPTOP_FAILED && row->exception)
        put(out, row->exception);
    else if (row->state >= LOOPTOP_DONE) /* it waits no more */
        (void)snprintf(out, OUT_CELL_MAX, "ended %s ago",
            fmt_duration(figure, row->ended_ns > 0 ? (double)row->ended_ns : 0));
    else if (row->queued_ns >= 0) /* what it awaited is done */
        (void)snprintf(
            out, OUT_CELL_MAX, "queued %s", fmt_duration(figure, (double)row->queued_ns));
    else if (row->waiting_on && row->at_stale)
        (void)snprintf(out, OUT_CELL_MAX, "~%.*s", OUT_CELL_MAX - 2, row->waiting_on);
    else
        put(out, row->waiting_on);
}

static void
cell_at(const struct task_row *row, char out[OUT_CELL_MAX])
{
    put_site(out, row->at, row->at_stale ? "~" : "");
}

static void
cell_age(const struct task_row *row, char out[OUT_CELL_MAX])
{
    char text[FMT_SIZE];

    (void)snprintf(out, OUT_CELL_MAX, "%s%s", row->age_exact ? "" : out_at_least(),
        fmt_duration(text, (double)row->age_ns));
}

static void
cell_idle(const struct task_row *row, char out[OUT_CELL_MAX])
{
    char text[FMT_SIZE];

    (void)snprintf(out, OUT_CELL_MAX, "%s%s",
        task_row_idle_exact(row) || row->ended_ns >= 0 ? "" : out_at_least(),
        fmt_duration(text, (double)row->idle_ns));
}

static void
cell_busy_pct(const struct task_row *row, char out[OUT_CELL_MAX])
{
    char text[FMT_SIZE];

    put(out, row->ended_ns >= 0 ? NULL : fmt_pct(text, row->busy_pct));
}

static void
cell_busy(const struct task_row *row, char out[OUT_CELL_MAX])
{
    put_duration(out, row->busy_ns);
}

static void
cell_steps(const struct task_row *row, char out[OUT_CELL_MAX])
{
    put_number(out, row->steps);
}

static void
cell_max_step(const struct task_row *row, char out[OUT_CELL_MAX])
{
    put_duration(out, row->max_step_ns);
}

static void
cell_created_at(const struct task_row *row, char out[OUT_CELL_MAX])
{
    put_site(out, row->created_at, "");
}

static void
cell_parent(const struct task_row *row, char out[OUT_CELL_MAX])
{
    if (row->parent)
        put_number(out, row->parent);
    else
        put(out, NULL);
}

static void
cell_loop(const struct task_row *row, char out[OUT_CELL_MAX])
{
    put_number(out, row->loop);
}

static void
cell_exception(const struct task_row *row, char out[OUT_CELL_MAX])
{
    put(out, row->exception);
}

/* In the order of the screen; the rank says what a narrow terminal does without first. */
const struct ps_column ps_columns[] = {
    {"id", LOOPTOP_COL_ID, {"ID", true, false, 0, 0}, cell_id},
    {"name", LOOPTOP_COL_NAME, {"NAME", false, false, 10, 1}, cell_name},
    {"state", LOOPTOP_COL_STATE, {"STATE", false, false, 0, 2}, cell_state},
    {"coroutine coro", LOOPTOP_COL_COROUTINE, {"COROUTINE", false, true, 16, 7}, cell_coroutine},
    {"waiting_on wait", LOOPTOP_COL_WAITING_ON, {"WAITING ON", false, false, 16, 3},
        cell_waiting_on},
    {"at", LOOPTOP_COL_AT, {"AT", false, false, 20, 4}, cell_at},
    {"age", LOOPTOP_COL_AGE, {"AGE", true, false, 0, 5}, cell_age},
    {"idle", LOOPTOP_COL_IDLE, {"IDLE", true, false, 0, 6}, cell_idle},
    {"busy_pct pct", LOOPTOP_COL_BUSY_PCT, {"BUSY%", true, false, 0, 8}, cell_busy_pct},
    {"busy", LOOPTOP_COL_BUSY, {"BUSY", true, false, 0, 10}, cell_busy},
    {"steps", LOOPTOP_COL_STEPS, {"STEPS", true, false, 0, 9}, cell_steps},
    {"max_step max", LOOPTOP_COL_MAX_STEP, {"MAX", true, false, 0, 11}, cell_max_step},
    {"created_at created", LOOPTOP_COL_CREATED_AT, {"CREATED AT", false, false, 16, 12},
        cell_created_at},
    {"parent", LOOPTOP_COL_PARENT, {"PARENT", true, false, 0, 13}, cell_parent},
    {"loop", LOOPTOP_COL_LOOP, {"LOOP", true, false, 0, 14}, cell_loop},
    {"exception exc", LOOPTOP_COL_EXCEPTION, {"EXCEPTION", false, false, 9, 15}, cell_exception},
};
const size_t ps_columns_count = sizeof(ps_columns) / sizeof(ps_columns[0]);
