/* SPDX-License-Identifier: MIT */
/*
 * One row of the list below is one column. A row's colours follow one rule: what ended is dim, a
 * state has its own, a figure past a threshold warns, zero is dim, all else is plain.
 */
#include "client/view/columns.h"

#include <stdio.h>
#include <string.h>

#include "client/view/words.h"

#define MIN_STATE_WORD 7 /* below it a state is its sign alone */
#define MIN_FUNCTION 3   /* columns of a function's name, with a blank before: less is left out */

/* min, narrow, ideal, max, priority, grow */
const struct table_column columns_table[] = {
    {"ID", 4, 6, 6, 12, 0, 0, FIT_RIGHT},
    {"NAME", 8, 10, 16, 24, 0, 1, FIT_MIDDLE},
    {"S", 1, 7, 7, 7, 0, 0, FIT_START},
    {"COROUTINE", 8, 16, 20, 44, 4, 1, FIT_END},
    {"WAITING ON", 8, 10, 18, 48, 1, 3, FIT_START},
    {"AT", 9, 11, 20, 48, 0, 4, FIT_START},
    {"AGE", 7, 7, 7, 7, 2, 0, FIT_RIGHT},
    {"IDLE", 6, 6, 6, 6, 3, 0, FIT_RIGHT},
    {"BUSY%", 6, 6, 6, 6, 5, 0, FIT_RIGHT},
    {"BUSY", 6, 6, 6, 6, 7, 0, FIT_RIGHT},
    {"STEPS", 6, 6, 6, 6, 8, 0, FIT_RIGHT},
    {"MAX", 6, 6, 6, 6, 6, 0, FIT_RIGHT},
    {"CREATED AT", 9, 11, 20, 36, 9, 1, FIT_START},
    {"PARENT", 6, 6, 6, 8, 10, 0, FIT_RIGHT},
    {"LOOP", 5, 5, 5, 5, 11, 0, FIT_RIGHT},
};

const int columns_count = sizeof columns_table / sizeof *columns_table;

static const struct {
    enum looptop_column key;
    bool text;
    const char *help;
} facts[] = {
    {LOOPTOP_COL_ID, false, "the agent's number of the task"},
    {LOOPTOP_COL_NAME, true, "the task's name"},
    {LOOPTOP_COL_STATE, true, "state"},
    {LOOPTOP_COL_COROUTINE, true, "qualified name of its coroutine"},
    {LOOPTOP_COL_WAITING_ON, true, "what it awaits"},
    {LOOPTOP_COL_AT, true, "deepest frame of the program's own code"},
    {LOOPTOP_COL_AGE, false, "time since its birth, ≥ where it is older than the agent"},
    {LOOPTOP_COL_IDLE, false, "time since its last step; of a running one, of this step"},
    {LOOPTOP_COL_BUSY_PCT, false, "share of the last second spent in its steps"},
    {LOOPTOP_COL_BUSY, false, "time in its steps, all together"},
    {LOOPTOP_COL_STEPS, false, "number of its steps"},
    {LOOPTOP_COL_MAX_STEP, false, "its longest step"},
    {LOOPTOP_COL_CREATED_AT, true, "where it was created"},
    {LOOPTOP_COL_PARENT, false, "the task that created it"},
    {LOOPTOP_COL_LOOP, false, "its event loop"},
};

enum looptop_column
columns_key(int column)
{
    return facts[column].key;
}

int
columns_of_key(enum looptop_column key)
{
    for (int i = 0; i < columns_count; i++)
        if (facts[i].key == key)
            return i;
    return -1;
}

const char *
columns_help(int column)
{
    return facts[column].help;
}

bool
columns_largest_first(int column)
{
    return !facts[column].text;
}

static bool
has_ended(const struct task_row *row)
{
    return row->state >= LOOPTOP_DONE;
}

static enum role
duration_role(uint64_t ns)
{
    if (ns >= MODEL_ERROR_NS)
        return ROLE_ERROR;
    if (ns >= MODEL_WARN_NS)
        return ROLE_WARNING;
    return ns == 0 ? ROLE_DIM : ROLE_DEFAULT;
}

static void
cell_duration(struct columns_cell *cell, uint64_t ns)
{
    fmt_duration(cell->text, (double)ns);
    if (ns == 0)
        cell->role = ROLE_DIM;
}

static void
cell_text(struct columns_cell *cell, const char *text)
{
    snprintf(cell->text, sizeof cell->text, "%s", text ? text : WORDS_UNKNOWN);
    if (!text)
        cell->role = ROLE_DIM;
}

/* The outcome of a cancellation, the exception, how long it is queued, or what it awaits. */
static void
cell_waiting_on(const struct model *model, const struct task_row *row, struct columns_cell *cell)
{
    const struct outcome *outcome = outcomes_find(&model->outcomes, row->id, model->now_ns);
    char figure[FMT_SIZE];

    if (outcome) {
        cell_text(cell, outcome->text);
        cell->role = words_note_role(outcome->kind);
    } else if (row->state == LOOPTOP_FAILED && row->exception) {
        cell_text(cell, row->exception);
        cell->role = ROLE_TASK_FAILED;
    } else if (has_ended(row)) {
        snprintf(cell->text, sizeof cell->text, "ended %s ago",
            fmt_duration(figure, row->ended_ns > 0 ? (double)row->ended_ns : 0));
        cell->role = ROLE_DIM;
    } else if (row->queued_ns >= 0) { /* what it awaited is done */
        snprintf(cell->text, sizeof cell->text, "queued %s",
            fmt_duration(figure, (double)row->queued_ns));
        cell->role = ROLE_DIM;
    } else if (row->waiting_on) {
        snprintf(cell->text, sizeof cell->text, "%s%s", row->at_stale ? "~" : "", row->waiting_on);
    } else {
        cell_text(cell, NULL);
    }
}

/* The last part of a text that fits into so many columns. */
static const char *
end_of(const char *text, int width)
{
    struct glyph glyph;

    while (*text && glyph_columns(text, false, width) > width)
        text += glyph_next(text, strlen(text), false, &glyph);
    return text;
}

/*
 * A site that is wider than its column: its function goes without the class, or where little of it
 * could be seen not at all. Where not even the place fits the file loses its start: the line counts
 * more.
 */
static void
narrow_site(const struct task_site *site, int width, char *out, size_t size)
{
    const char *dot = strrchr(site->function, '.');
    struct task_site bare = *site;
    char place[200];

    words_place(place, sizeof place, site->file, site->line, false);
    int room = width - glyph_columns(place, false, width);
    if (dot)
        bare.function = dot + 1;
    if (room < 0)
        snprintf(out, size, "…%s", end_of(place, width - 1));
    else if (room <= MIN_FUNCTION)
        snprintf(out, size, "%s", place);
    else
        words_site(out, size, &bare, false);
}

static void
cell_site(const struct task_site *site, bool stale, int width, struct columns_cell *cell)
{
    const char *mark = site && stale ? "~" : "";
    char text[sizeof cell->text - 8];

    words_site(text, sizeof text, site, false);
    width -= (int)strlen(mark);
    if (site && *site->file && glyph_columns(text, false, width) > width)
        narrow_site(site, width, text, sizeof text);
    snprintf(cell->text, sizeof cell->text, "%s%s", mark, text);
    if (!site)
        cell->role = ROLE_DIM;
}

static void
cell_age(const struct task_row *row, struct columns_cell *cell)
{
    char figure[FMT_SIZE];

    snprintf(cell->text, sizeof cell->text, "%s%s", row->age_exact ? "" : "≥",
        fmt_duration(figure, (double)row->age_ns));
}

static void
cell_idle(const struct task_row *row, struct columns_cell *cell)
{
    bool ended = has_ended(row) && row->ended_ns >= 0;

    char figure[FMT_SIZE];

    cell_duration(cell, ended ? (uint64_t)row->ended_ns : row->idle_ns);
    if (!ended && !task_row_idle_exact(row))
        snprintf(cell->text, sizeof cell->text, "≥%s", fmt_duration(figure, (double)row->idle_ns));
    if (row->state == LOOPTOP_RUN)
        cell->role = duration_role(row->idle_ns);
}

static void
cell_busy_pct(const struct task_row *row, struct columns_cell *cell)
{
    if (has_ended(row)) {
        cell_text(cell, NULL);
        return;
    }
    words_rate(cell->text, row->busy_pct);
    if (row->busy_pct >= 90)
        cell->role = ROLE_ERROR;
    else if (row->busy_pct >= 50)
        cell->role = ROLE_WARNING;
    else if (row->busy_pct < 0.05)
        cell->role = ROLE_DIM;
}

static void
cell_number(uint64_t value, bool zero_unknown, struct columns_cell *cell)
{
    if (value == 0 && zero_unknown) {
        cell_text(cell, NULL);
        return;
    }
    snprintf(cell->text, sizeof cell->text, "%llu", (unsigned long long)value);
}

static void
cell_figure(const struct task_row *row, enum looptop_column key, struct columns_cell *cell)
{
    switch (key) {
    case LOOPTOP_COL_ID:
        cell_number(row->id, false, cell);
        break;
    case LOOPTOP_COL_AGE:
        cell_age(row, cell);
        break;
    case LOOPTOP_COL_IDLE:
        cell_idle(row, cell);
        break;
    case LOOPTOP_COL_BUSY_PCT:
        cell_busy_pct(row, cell);
        break;
    case LOOPTOP_COL_BUSY:
        cell_duration(cell, row->busy_ns);
        break;
    case LOOPTOP_COL_STEPS:
        fmt_count(cell->text, (double)row->steps);
        cell->role = row->steps == 0 ? ROLE_DIM : cell->role;
        break;
    case LOOPTOP_COL_MAX_STEP:
        cell_duration(cell, row->max_step_ns);
        if (!has_ended(row))
            cell->role = duration_role(row->max_step_ns);
        break;
    case LOOPTOP_COL_PARENT:
        cell_number(row->parent, true, cell);
        break;
    default:
        cell_number(row->loop, true, cell);
        break;
    }
}

void
columns_cell(const struct model *model, const struct task_row *row, int column, int width,
    struct columns_cell *ret_cell)
{
    struct columns_cell cell = {.role = has_ended(row) ? ROLE_DIM : ROLE_DEFAULT};

    switch (columns_key(column)) {
    case LOOPTOP_COL_NAME:
        cell_text(&cell, row->name[0] ? row->name : NULL);
        if (row->state == LOOPTOP_RUN && row->idle_ns >= MODEL_ERROR_NS)
            cell.role = ROLE_ERROR;
        break;
    case LOOPTOP_COL_STATE:
        cell_text(&cell,
            width < MIN_STATE_WORD ? words_state_glyph(row->state) : words_state(row->state));
        cell.role = words_state_role(row->state);
        break;
    case LOOPTOP_COL_COROUTINE:
        cell_text(&cell, row->coroutine);
        break;
    case LOOPTOP_COL_WAITING_ON:
        cell_waiting_on(model, row, &cell);
        break;
    case LOOPTOP_COL_AT:
        cell_site(row->at, row->at_stale, width, &cell);
        break;
    case LOOPTOP_COL_CREATED_AT:
        cell_site(row->created_at, false, width, &cell);
        break;
    default:
        cell_figure(row, columns_key(column), &cell);
        break;
    }
    *ret_cell = cell;
}
