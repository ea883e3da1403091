/* SPDX-License-Identifier: MIT */
/*
 * A banner takes the line of the tabs, so that nothing moves below it when the connection comes and
 * goes; a note takes the foot for some seconds.
 */
#include "client/view/frame.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "client/view/columns.h"
#include "client/view/registry.h"
#include "client/view/words.h"
#include "client/widget/strip.h"
#include "common/clock.h"

#define NOTE_NS (6 * CLOCK_NS_PER_S)
#define NARROW_COLS 60

/* What happened comes first: the rest is left out where it does not fit. */
static void
draw_gone(const struct model *model, struct surface *surface, struct rect area)
{
    const struct link *link = &model->link;
    uint64_t left = link->retry_ns > model->now_ns ? link->retry_ns - model->now_ns : 0;
    bool narrow = area.w < NARROW_COLS;
    struct strip strip = {.gap = 3};
    char figure[FMT_SIZE];

    strip_add(&strip, narrow ? 0 : 1, "", ROLE_ALARM, "%s", link->reason)->flexible = true;
    strip_add(&strip, narrow ? 1 : 0, "", ROLE_ALARM, "%s%s ago", narrow ? "" : "last seen ",
        fmt_duration(figure, (double)(model->now_ns - link->since_ns)));
    if (link->state == LINK_ENDED)
        strip_add(&strip, 2, "", ROLE_ALARM, "not tried again");
    else
        strip_add(&strip, 2, "", ROLE_ALARM, "next try in %.0f s", ceil((double)left / 1e9));
    surface_fill(surface, area, ROLE_ALARM, NULL);
    strip_draw(&strip, surface, area.x + 1, area.y, area.w - 2);
}

static bool
silent_banner(const struct model *model, char *out, size_t size)
{
    const struct link *link = &model->link;
    char figure[FMT_SIZE];
    double ns = (double)(model->now_ns - link->since_ns);

    if (link->state != LINK_SILENT)
        return false;
    snprintf(out, size, "%s no answer for %s: waiting for %s", words_spinner(model->now_ns),
        fmt_duration(figure, ns), link->waiting_for);
    return true;
}

static bool
hooks_banner(const struct model *model, char *out, size_t size)
{
    const struct status *status = &model->status;
    const char *state = status->hooks_state;
    char figure[FMT_SIZE];

    if (!model->have_status)
        return false;
    if (status->gil_waiting_ns > MODEL_SILENT_NS)
        snprintf(out, size,
            "%s no GIL for %s: stacks and cancelling have to wait, the rest is live",
            words_spinner(model->now_ns), fmt_duration(figure, (double)status->gil_waiting_ns));
    else if (strcmp(state, "waiting") == 0)
        snprintf(out, size, "asyncio is not imported in this process yet");
    else if (strcmp(state, "refused") == 0)
        snprintf(out, size, "refused: %s", status->hooks_message);
    else if (strcmp(state, "dormant") == 0)
        snprintf(out, size, "the agent is detached: its figures stand still");
    else
        return false;
    return true;
}

static bool
draw_banner(const struct model *model, struct surface *surface, struct rect area)
{
    char text[600];

    if (model_unreachable(model)) {
        draw_gone(model, surface, area);
        return true;
    }
    if (!silent_banner(model, text, sizeof text) && !hooks_banner(model, text, sizeof text))
        return false;
    surface_fill(surface, area, ROLE_NOTICE, NULL);
    surface_fit(surface, area.x + 1, area.y, area.w - 2, FIT_START, ROLE_NOTICE, text);
    return true;
}

static int
draw_tab_names(const struct view_ops *current, struct surface *surface, struct rect area)
{
    int x = area.x;

    for (int i = 0; registry_views[i]; i++) {
        if (!registry_views[i]->tab)
            continue;
        x = surface_printf(surface, x, area.y,
            registry_views[i] == current ? ROLE_TAB_ACTIVE : ROLE_TAB, " %s ",
            registry_views[i]->title);
    }
    return x;
}

/* How many rows there are: tasks that live, as the header counts them, and those that ended. */
static void
count_words(const struct model *model, char *out, size_t size)
{
    unsigned long long total = model->page.total, live = total;
    const char *hidden = model->query.finished ? "" : ", ended hidden";

    if (model->status.tasks < total)
        live = model->status.tasks;
    if (model->query.filter)
        snprintf(out, size, "%llu of %llu%s", (unsigned long long)model->page.matched,
            *hidden ? live : total, hidden);
    else if (*hidden)
        snprintf(out, size, "%llu task%s%s", live, WORDS_PLURAL(live), hidden);
    else if (live < total)
        snprintf(out, size, "%llu task%s + %llu ended", live, WORDS_PLURAL(live), total - live);
    else
        snprintf(out, size, "%llu task%s", live, WORDS_PLURAL(live));
}

static void
add_counts(const struct model *model, struct strip *strip)
{
    unsigned long long matched = model->page.matched;
    char counts[96];

    count_words(model, counts, sizeof counts);
    strip_add(strip, 0, "", ROLE_TAB, "%s", counts)->right = true;
    if (model->window.away >= 0)
        strip_add(strip, 1, "", ROLE_TAB, "task %llu is at row %lld",
            (unsigned long long)model->window.focus, (long long)model->window.away + 1);
    else if (model->window.pinned && matched > 0)
        strip_add(strip, 4, "", ROLE_TAB, "row %lld", (long long)model->window.cursor + 1);
    if (model->window.follow)
        strip_add(strip, 2, "", ROLE_TAB, "follow");
    if (model->tags.count > 0)
        strip_add(strip, 1, "", ROLE_TAB, "%zu tagged", model->tags.count);
}

void
frame_draw_tabs(const struct model *model, const struct view_ops *current, struct surface *surface,
    struct rect area)
{
    struct strip strip = {.gap = 3};
    int sorted = columns_of_key(model->query.sort);

    if (area.h == 0 || draw_banner(model, surface, area))
        return;
    surface_fill(surface, area, ROLE_TAB, NULL);
    int x = draw_tab_names(current, surface, area);
    if (model->have_page && model->have_status)
        add_counts(model, &strip);
    if (sorted >= 0)
        strip_add(&strip, 2, "", ROLE_TAB, "sort %s%s", columns_table[sorted].title,
            columns_largest_first(sorted) != model->query.reverse ? "▼" : "▲")
            ->right = true;
    strip_add(&strip, model->query.filter ? 1 : 3, "", ROLE_TAB, "filter %s",
        model->query.filter ? model->query.filter : WORDS_UNKNOWN)
        ->flexible = true;
    strip_draw(&strip, surface, x + 2, area.y, area.x + area.w - x - 3);
}

bool
frame_note_shown(const struct model *model)
{
    return model->note[0] && model->now_ns < model->note_ns + NOTE_NS;
}

void
frame_draw_foot(const struct model *model, const struct view_ops *current, struct surface *surface,
    struct rect area)
{
    struct bindings common = current->popup ? (struct bindings){NULL, 0} : registry_common;

    if (area.h == 0)
        return;
    if (!frame_note_shown(model)) {
        binding_draw_bar(current->bindings, common, surface, area);
        return;
    }
    surface_fill(surface, area, ROLE_DEFAULT, NULL);
    surface_fit(surface, area.x + 1, area.y, area.w - 2, FIT_START,
        words_note_role(model->note_kind), model->note);
}

static void
draw_hint(const struct frame_prompt *prompt, struct surface *surface, int x, int y)
{
    int width = surface->cols - 1;

    if (prompt->error[0] == '\0') {
        surface_fit(surface, 1, y, width, FIT_START, ROLE_DIM,
            prompt->hint ? prompt->hint
                         : "Enter keeps it, Esc takes it back    name:web* state:wait age>30s "
                           "coro~handler at:app.py | idle>=5m");
        return;
    }
    int at = prompt->column > 0 ? x + prompt->column - 1 : 1;
    int columns = surface_columns(surface, prompt->error) + 2;
    if (at + columns > surface->cols)
        at = surface->cols > columns ? surface->cols - columns : 1;
    if (prompt->column > 0)
        at = surface_put(surface, at, y, ROLE_ERROR, "↑ ");
    surface_fit(surface, at, y, surface->cols - at, FIT_START, ROLE_ERROR, prompt->error);
}

void
frame_draw_prompt(
    const struct frame_prompt *prompt, struct surface *surface, int *ret_x, int *ret_y)
{
    int y = surface->rows >= 2 ? surface->rows - 2 : 0;

    surface_fill(surface, (struct rect){0, y, surface->cols, 2}, ROLE_DEFAULT, NULL);
    int x = surface_printf(surface, 1, y, ROLE_PROMPT, "%s: ", prompt->label);
    *ret_x = line_edit_draw(&prompt->edit, surface, x, y, surface->cols - x, ROLE_STRONG);
    *ret_y = y;
    if (prompt->column > 0)
        surface_overlay(surface, (struct rect){x + prompt->column - 1, y, 1, 1}, ROLE_ALARM);
    draw_hint(prompt, surface, x, y + 1);
}
