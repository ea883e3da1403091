/* SPDX-License-Identifier: MIT */
/*
 * One task closely: its figures, where it was born, and its await chain with source and locals. The
 * chain is a list of lines made anew at each drawing, of which the part scrolled to is seen.
 */
#include "client/view/detail.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/screen/keys.h"
#include "client/view/chain.h"
#include "client/view/registry.h"
#include "client/view/words.h"
#include "client/widget/strip.h"

#define SHORT_ROWS 9  /* below it the chain has all lines but the title's */
#define WIDE_COLS 96  /* from here on the figures have a box of their own */
#define FRAMED_ROWS 5 /* from here on the chain has a frame */

struct detail_state {
    int scroll;
    bool turned; /* local variables the other way than fits */
};

static const struct binding bindings[] = {
    {{KEYS_UP, 'k', 'K'}, ACTION_SCROLL, -1, 0, "", "scroll"},
    {{KEYS_DOWN, 'j', 'J'}, ACTION_SCROLL, 1, 0, "", NULL},
    {{KEYS_PAGE_UP, KEYS_CTRL('b')}, ACTION_PAGE, -1, 0, "", "scroll by screens"},
    {{KEYS_PAGE_DOWN, KEYS_CTRL('f'), KEYS_SPACE}, ACTION_PAGE, 1, 0, "", NULL},
    {{KEYS_HOME, 'g'}, ACTION_FIRST, 0, 0, "", "first line, last line"},
    {{KEYS_END, 'G'}, ACTION_LAST, 0, 0, "", NULL},
    {{'v'}, ACTION_VALUES, 0, 4, "locals", "local variables in full, or in one line"},
    {{'x', KEYS_F9}, ACTION_ASK_CANCEL, 0, 2, "cancel", "cancel this task; asks first"},
    {{'y'}, ACTION_COPY, 0, 5, "copy", "copy all this as text, with full paths"},
    {{KEYS_ESCAPE, KEYS_BACKSPACE}, ACTION_BACK, 0, 1, "back", "back to the table"},
};

static void
draw_pending(const struct model *model, struct surface *surface, struct rect area)
{
    const struct detail *detail = &model->detail;
    const char *unreachable = model_unreachable(model);
    uint64_t waited = detail->asked_ns ? model->now_ns - detail->asked_ns : 0;
    char figure[FMT_SIZE];

    if (unreachable && !detail->have_stack)
        surface_printf(surface, area.x, area.y, ROLE_WARNING, "no stack: %s", unreachable);
    else if (detail->error[0])
        surface_fit(surface, area.x, area.y, area.w, FIT_START, ROLE_WARNING, detail->error);
    else if (waited > MODEL_SILENT_NS)
        surface_printf(surface, area.x, area.y, ROLE_WARNING, "%s waiting for the stack for %s%s",
            words_spinner(model->now_ns), fmt_duration(figure, (double)waited),
            model->status.gil_waiting_ns > 0 ? ": the GIL is held" : "");
    else if (!detail->have_stack && model->paused)
        surface_put(
            surface, area.x, area.y, ROLE_WARNING, "paused: Z goes on, and reads the stack");
    else if (!detail->have_stack)
        surface_put(surface, area.x, area.y, ROLE_DIM, "reading the stack…");
}

static bool
is_wide(struct rect area)
{
    return area.w >= WIDE_COLS && area.h >= 12;
}

/* The part of the view that the chain has, frame and all. */
static struct rect
chain_area(const struct model *model, struct rect area)
{
    int above = 1;

    if (is_wide(area))
        return (struct rect){area.x, area.y + above, area.w - area.w * 2 / 5, area.h - above};
    if (detail_row(&model->detail) && area.h >= SHORT_ROWS)
        above += 2; /* the facts in short */
    return (struct rect){area.x, area.y + above, area.w, area.h - above};
}

/* The part of that for its lines: on a very low screen they have the frame's too. */
static struct rect
chain_inside(struct rect area)
{
    struct rect in = rect_inside(area);

    if (area.h < FRAMED_ROWS) {
        in.y = area.y;
        in.h = area.h;
    }
    return in;
}

/* Local variables are shown in full where the whole chain fits so. */
static bool
shows_all(const struct view *view, const struct model *model, int rows)
{
    const struct detail_state *state = view->state;

    return (chain_lines(&model->detail, true) <= rows) != state->turned;
}

static void
draw_chain(
    const struct view *view, const struct model *model, struct surface *surface, struct rect area)
{
    const struct detail_state *state = view->state;
    const struct detail *detail = &model->detail;
    bool late = detail->asked_ns && model->now_ns - detail->asked_ns > MODEL_SILENT_NS;

    struct rect inside = chain_inside(area);
    if (area.h >= FRAMED_ROWS)
        surface_box(surface, area, "awaits");
    bool all = shows_all(view, model, inside.h);
    struct rect former = surface_clip(surface, inside);
    inside.x++; /* air beside the frame */
    inside.w -= 2;
    if (!detail->have_stack || detail->error[0] || late) {
        draw_pending(model, surface, inside);
        inside.y++;
        inside.h--;
    }
    chain_draw(detail, all, state->scroll, surface, inside);
    surface_unclip(surface, former);
    int more = chain_lines(detail, all) - state->scroll - inside.h;
    if (more > 0 && area.w > 12 && area.h >= FRAMED_ROWS)
        surface_printf(
            surface, area.x + area.w - 12, area.y + area.h - 1, ROLE_BOX, " %d more ", more);
}

/* How long it has been in its state: queued, ended, or without a step. */
static int64_t
since_ns(const struct task_row *row)
{
    if (row->ended_ns >= 0)
        return row->ended_ns;
    return row->queued_ns >= 0 ? row->queued_ns : (int64_t)row->idle_ns;
}

static void
draw_title(const struct model *model, struct surface *surface, struct rect line)
{
    const struct task_row *row = detail_row(&model->detail);
    struct strip strip = {0};
    char figure[FMT_SIZE];

    surface_fill(surface, line, ROLE_DEFAULT, NULL);
    strip_add(&strip, 0, "", ROLE_HEADER_NAME, "Task %llu", (unsigned long long)model->detail.id);
    if (row) {
        if (row->name[0])
            strip_add(&strip, 2, "", ROLE_HEADER_NAME, "\"%s\"", row->name);
        if (model->detail.gone)
            strip_add(&strip, 1, "", ROLE_WARNING, "gone; last seen:");
        strip_add(&strip, 1, "", words_state_role(row->state), "%s %s", words_state(row->state),
            fmt_duration(figure, (double)since_ns(row)));
        if (row->exception)
            strip_add(&strip, 1, "", ROLE_TASK_FAILED, "%s", row->exception);
        strip_add(&strip, 4, "", ROLE_DEFAULT, "%s", row->coroutine ? row->coroutine : "");
    } else if (model->detail.gone) {
        strip_add(&strip, 1, "", ROLE_WARNING, "is gone");
    }
    strip_draw(&strip, surface, line.x + 1, line.y, line.w - 2);
}

static void
born_words(const struct model *model, const struct task_row *row, char *out, size_t size)
{
    double as_of = model->detail.page.time_s > 0 ? model->detail.page.time_s : model->now_s;
    double ago_ns = (double)row->age_ns + (row->ended_ns > 0 ? (double)row->ended_ns : 0);
    time_t born = (time_t)(as_of - ago_ns / 1e9);
    char figure[FMT_SIZE], clock[32] = "";
    struct tm tm;

    if (row->age_exact && localtime_r(&born, &tm))
        strftime(clock, sizeof clock, ago_ns < 86400e9 ? "%H:%M:%S" : "%F %H:%M", &tm);
    snprintf(out, size, "%s%s%s ago", clock, row->age_exact ? "  " : "more than ",
        fmt_duration(figure, ago_ns));
}

static void
parent_words(const struct detail *detail, const struct task_row *row, char *out, size_t size)
{
    const char *name = detail->parent_name;

    if (row->parent)
        snprintf(out, size, "by task %llu%s%s%s", (unsigned long long)row->parent,
            *name ? " \"" : "", name, *name ? "\"" : "");
    else
        snprintf(out, size, "by no task that is known");
}

static void
loop_words(const struct model *model, const struct task_row *row, char *out, size_t size)
{
    snprintf(out, size, "loop %llu", (unsigned long long)row->loop);
    for (size_t i = 0; i < model->status.loops_count; i++) {
        const struct loop_status *loop = &model->status.loops[i];
        if (loop->id == row->loop)
            snprintf(out, size, "loop %llu  %s in thread %s", (unsigned long long)row->loop,
                loop->kind, loop->thread);
    }
}

/* The facts of the box on the right; each is a line of text. Returns their number. */
static int
facts(const struct model *model, const struct task_row *row, char lines[][256])
{
    char figures[3][FMT_SIZE];
    int count = 0;

    born_words(model, row, lines[count++], sizeof *lines);
    parent_words(&model->detail, row, lines[count++], sizeof *lines);
    words_site(lines[count++], sizeof *lines, row->created_at, true);
    loop_words(model, row, lines[count++], sizeof *lines);
    snprintf(lines[count++], sizeof *lines, "%s step%s  busy %s  now %s%%",
        fmt_count(figures[0], (double)row->steps), WORDS_PLURAL(row->steps),
        fmt_duration(figures[1], (double)row->busy_ns), words_rate(figures[2], row->busy_pct));
    snprintf(lines[count++], sizeof *lines, "longest step %s",
        fmt_duration(figures[0], (double)row->max_step_ns));
    return count;
}

#define FACTS_BORN 3 /* the first ones tell of the birth */
#define FACTS_MAX 8

static void
draw_facts(const struct model *model, struct surface *surface, struct rect area)
{
    const struct task_row *row = detail_row(&model->detail);
    char lines[FACTS_MAX][256];
    int rest = area.h - (FACTS_BORN + 2);

    surface_box(surface, (struct rect){area.x, area.y, area.w, FACTS_BORN + 2}, "born");
    surface_box(surface, (struct rect){area.x, area.y + FACTS_BORN + 2, area.w, rest}, "steps");
    if (!row)
        return;
    int count = facts(model, row, lines);
    for (int i = 0; i < count; i++) {
        int y = area.y + 1 + i + (i >= FACTS_BORN ? 2 : 0);
        if (y < area.y + area.h - 1)
            surface_fit(surface, area.x + 2, y, area.w - 4, FIT_START, ROLE_DEFAULT, lines[i]);
    }
}

/* The same facts in two lines, for narrow screens. */
static void
draw_facts_short(const struct model *model, struct surface *surface, struct rect area)
{
    const struct task_row *row = detail_row(&model->detail);
    char lines[FACTS_MAX][256];
    struct strip born = {0}, steps = {0};

    if (!row || area.h < SHORT_ROWS)
        return;
    facts(model, row, lines);
    strip_add(&born, 1, "born", ROLE_DEFAULT, "%s", lines[0]);
    strip_add(&born, 2, "", ROLE_DEFAULT, "%s", lines[1]);
    strip_add(&born, 0, "at", ROLE_DEFAULT, "%s", lines[2])->flexible = true;
    strip_draw(&born, surface, area.x + 1, area.y, area.w - 2);
    strip_add(&steps, 0, "", ROLE_DEFAULT, "%s", lines[4]);
    strip_add(&steps, 1, "", ROLE_DEFAULT, "%s", lines[5]);
    strip_add(&steps, 2, "", ROLE_DEFAULT, "%s", lines[3]);
    strip_draw(&steps, surface, area.x + 1, area.y + 1, area.w - 2);
}

static void
detail_draw(
    const struct view *view, const struct model *model, struct surface *surface, struct rect area)
{
    struct rect chain = chain_area(model, area);

    surface_fill(surface, area, ROLE_DEFAULT, NULL);
    draw_title(model, surface, (struct rect){area.x, area.y, area.w, 1});
    if (is_wide(area))
        draw_facts(
            model, surface, (struct rect){chain.x + chain.w, chain.y, area.w - chain.w, chain.h});
    else
        draw_facts_short(model, surface, (struct rect){area.x, area.y + 1, area.w, area.h});
    draw_chain(view, model, surface, chain);
}

void
detail_scroll(struct view *view, const struct model *model, int lines)
{
    struct detail_state *state = view->state;
    struct rect area = chain_area(model, (struct rect){0, 0, view->cols, view->rows});
    struct rect inside = chain_inside(area);
    int rows = inside.h > 0 ? inside.h : 1;
    int most = chain_lines(&model->detail, shows_all(view, model, rows)) - rows;

    if (lines > most - state->scroll)
        lines = most - state->scroll;
    state->scroll += lines;
    if (state->scroll < 0)
        state->scroll = 0;
}

void
detail_rewind(struct view *view)
{
    struct detail_state *state = view->state;

    state->scroll = 0;
}

static void
detail_key(struct view *view, const struct model *model, int key, struct action *ret_action)
{
    struct detail_state *state = view->state;
    int page = view->rows > 6 ? view->rows - 5 : 1;

    view_bound(view->ops->bindings, key, ret_action);
    switch (ret_action->kind) {
    case ACTION_SCROLL:
        detail_scroll(view, model, (int)ret_action->amount);
        break;
    case ACTION_PAGE:
        detail_scroll(view, model, page * (int)ret_action->amount);
        break;
    case ACTION_FIRST:
        detail_rewind(view);
        break;
    case ACTION_LAST:
        detail_scroll(view, model, 1 << 20);
        break;
    case ACTION_VALUES:
        state->turned = !state->turned;
        detail_scroll(view, model, 0);
        break;
    default:
        return;
    }
    ret_action->kind = ACTION_REDRAW;
}

int
detail_text(const struct model *model, struct buf *out)
{
    const struct detail *detail = &model->detail;
    const struct task_row *row = detail_row(detail);
    char lines[FACTS_MAX][256];

    buf_printf(out, "Task %llu", (unsigned long long)detail->id);
    if (row) {
        buf_printf(out, " \"%s\"  %s  %s\n", row->name, words_state(row->state),
            row->coroutine ? row->coroutine : "");
        int count = facts(model, row, lines);
        for (int i = 0; i < count; i++)
            buf_printf(out, "  %s\n", lines[i]);
    }
    buf_puts(out, "\n");
    chain_text(detail, out);
    return out->error;
}

const struct view_ops detail_view = {
    .name = "detail",
    .title = "Detail",
    .bindings = {bindings, sizeof bindings / sizeof *bindings},
    .state_size = sizeof(struct detail_state),
    .draw = detail_draw,
    .key = detail_key,
};
