/* SPDX-License-Identifier: MIT */
/*
 * From keys to deeds: the prompt takes keys first, then a popup, then the view that has them, then
 * the common table. What a destructive key acts on is fixed when it is pressed.
 */
#include <stdio.h>
#include <string.h>

#include "client/screen/keys.h"
#include "client/tui_impl.h"
#include "client/view/columns.h"
#include "client/view/detail.h"
#include "client/view/registry.h"

void
tui_open_popup(struct tui *tui, const struct view_ops *ops)
{
    view_close(&tui->parts.popup);
    if (view_open(&tui->parts.popup, ops, &tui->model) < 0)
        model_note(&tui->model, NOTE_ERROR, "out of memory");
    tui_layout(tui);
}

static void
open_prompt(struct tui *tui, enum action_kind what)
{
    bool filter = what == ACTION_FILTER;
    struct frame_prompt *prompt = &tui->parts.prompt;

    memset(prompt, 0, sizeof *prompt);
    prompt->open = true;
    prompt->label = filter ? "Filter" : "Find";
    tui->prompt_for = what;
    snprintf(tui->prompt_former, sizeof tui->prompt_former, "%s", tui->model.filter);
    line_edit_init(&prompt->edit, filter ? tui->model.filter : "", LOOPTOP_FILTER_MAX,
        filter ? &tui->filters : &tui->finds);
}

static void
try_filter(struct tui *tui, const char *text)
{
    if (strcmp(text, tui->model.filter) == 0)
        return;
    model_set_filter(&tui->model, text);
    tui_table_changed(tui);
}

static void
close_prompt(struct tui *tui, bool keep)
{
    struct frame_prompt *prompt = &tui->parts.prompt;
    bool filter = tui->prompt_for == ACTION_FILTER;

    if (keep)
        line_edit_remember(&prompt->edit);
    prompt->open = false;
    if (filter)
        try_filter(tui, keep ? prompt->edit.text : tui->prompt_former);
    else if (keep && prompt->edit.len > 0)
        tui_find_start(tui, prompt->edit.text, 1);
}

static void
prompt_key(struct tui *tui, int key)
{
    struct frame_prompt *prompt = &tui->parts.prompt;

    if (key == KEYS_ENTER && prompt->error[0] == '\0')
        close_prompt(tui, true);
    else if (key == KEYS_ESCAPE || (key == KEYS_BACKSPACE && prompt->edit.len == 0))
        close_prompt(tui, false);
    else if (line_edit_key(&prompt->edit, key)) {
        prompt->error[0] = '\0';
        prompt->column = 0;
        if (tui->prompt_for == ACTION_FILTER)
            try_filter(tui, prompt->edit.text);
    }
}

/* The detail beside the table shows the task under the cursor. */
static void
follow_cursor(struct tui *tui)
{
    uint64_t id = tui->model.selected.id;

    if (!tui->parts.detail.ops || screen_detail_has_keys(&tui->parts) || id == 0 ||
        id == tui->model.detail.id)
        return;
    detail_open(&tui->model.detail, id);
    detail_rewind(&tui->parts.detail);
    tui->stack_due_ns = 0;
}

static void
open_detail(struct tui *tui)
{
    struct model *model = &tui->model;
    uint64_t id = model->selected.id;

    if (id == 0) {
        model_note(model, NOTE_INFO, "no task is selected");
        return;
    }
    if (!model->window.pinned)
        window_pin(&model->window, &model->page);
    if (tui->parts.detail.ops) {
        tui->parts.detail_full = true;
    } else if (view_open(&tui->parts.detail, &detail_view, model) < 0) {
        model_note(model, NOTE_ERROR, "out of memory");
        return;
    }
    detail_open(&model->detail, id);
    tui->stack_due_ns = 0;
    tui_layout(tui);
}

static void
close_detail(struct tui *tui)
{
    if (tui->parts.detail_full && tui->screen.surface.cols >= LAYOUT_SIDE_COLS) {
        tui->parts.detail_full = false; /* beside the table again */
    } else {
        view_close(&tui->parts.detail);
        detail_done(&tui->model.detail);
        tui->parts.detail_full = false;
    }
    tui_layout(tui);
}

static void
close_popup(struct tui *tui)
{
    if (tui->parts.popup.ops == &cancel_view)
        model_note(&tui->model, NOTE_INFO, "nothing was cancelled");
    view_close(&tui->parts.popup);
}

static void
go_back(struct tui *tui)
{
    if (tui->parts.popup.ops)
        close_popup(tui);
    else if (tui->parts.detail.ops)
        close_detail(tui);
    else if (tui->model.query.filter && !model_unreachable(&tui->model))
        try_filter(tui, "");
    else
        tui->model.note[0] = '\0';
}

static void
do_sort(struct tui *tui, int column)
{
    struct model *model = &tui->model;

    if (tui->parts.popup.ops == &sort_menu_view)
        view_close(&tui->parts.popup);
    model->query.sort = columns_key(column);
    model->query.reverse = false;
    tui_table_changed(tui);
}

static void
do_pause(struct tui *tui)
{
    tui->model.paused = !tui->model.paused;
    tui->held = false;
    tui->update_ns = tui->model.now_ns;
}

/* Moves in the table; false: the action is none. */
static bool
do_move(struct tui *tui, const struct action *action)
{
    struct window *window = &tui->model.window;
    const struct task_page *page = &tui->model.page;

    switch (action->kind) {
    case ACTION_MOVE:
        window_move(window, page, action->amount);
        break;
    case ACTION_PAGE:
        window->top += action->amount * window->height;
        window_move(window, page, action->amount * window->height);
        break;
    case ACTION_FIRST:
        window_home(window);
        break;
    case ACTION_LAST:
        window_end(window, page);
        break;
    case ACTION_FOLLOW:
        window_follow(window, page, !window->follow);
        break;
    case ACTION_TAG:
        tui_tag(tui);
        break;
    default:
        return false;
    }
    model_select(&tui->model);
    follow_cursor(tui);
    return true;
}

/* What opens and closes; false: the action is none of these. */
static bool
do_open(struct tui *tui, const struct action *action)
{
    switch (action->kind) {
    case ACTION_BACK:
        go_back(tui);
        break;
    case ACTION_HELP:
        tui_open_popup(tui, &help_view);
        break;
    case ACTION_SORT_MENU:
        tui_open_popup(tui, &sort_menu_view);
        break;
    case ACTION_COLUMN_MENU:
        tui_open_popup(tui, &column_menu_view);
        break;
    case ACTION_OPEN:
        open_detail(tui);
        break;
    case ACTION_FILTER:
    case ACTION_FIND:
        open_prompt(tui, action->kind);
        break;
    case ACTION_ASK_CANCEL:
        tui_cancel_ask(tui);
        break;
    default:
        return false;
    }
    return true;
}

static void
do_rest(struct tui *tui, const struct action *action)
{
    struct model *model = &tui->model;

    switch (action->kind) {
    case ACTION_QUIT:
        tui->quit = true;
        break;
    case ACTION_REPAINT:
        surface_curses_redraw(tui->screen.terminal);
        break;
    case ACTION_PAUSE:
        do_pause(tui);
        break;
    case ACTION_SAVE:
        tui_save(tui);
        break;
    case ACTION_COPY:
        tui_copy(tui);
        break;
    case ACTION_SORT:
        do_sort(tui, (int)action->amount);
        break;
    case ACTION_INVERT:
        model->query.reverse = !model->query.reverse;
        tui_table_changed(tui);
        break;
    case ACTION_HIDE_COLUMN:
        model->hidden_columns ^= 1u << action->amount;
        break;
    case ACTION_FINISHED:
        model->query.finished = !model->query.finished;
        tui_table_changed(tui);
        break;
    case ACTION_TAG_MATCHING:
        tui_tag_matching(tui);
        break;
    case ACTION_UNTAG_ALL:
        tags_clear(&model->tags);
        break;
    case ACTION_FIND_NEXT:
        tui_find_start(tui, tui->find.text, (int)action->amount);
        break;
    case ACTION_SCROLL:
        if (tui->parts.detail.ops)
            detail_scroll(&tui->parts.detail, model, (int)action->amount);
        break;
    case ACTION_CANCEL:
        tui_request_cancel(tui, action->ids, action->count, action->text);
        view_close(&tui->parts.popup);
        break;
    default:
        break;
    }
}

/*
 * Before the first rows have come, what acts on them waits for them. Cancelling does not: it would
 * ask about a task that nobody has seen.
 */
static bool
keep_early(struct tui *tui, const struct action *action, int key)
{
    struct model *model = &tui->model;

    if (model->have_page || tui->inactive || tui->parts.popup.ops)
        return false;
    switch (action->kind) {
    case ACTION_MOVE:
    case ACTION_PAGE:
    case ACTION_FIRST:
    case ACTION_LAST:
    case ACTION_FOLLOW:
    case ACTION_TAG:
    case ACTION_TAG_MATCHING:
    case ACTION_OPEN:
        if (tui->early_count < TUI_EARLY_KEYS)
            tui->early[tui->early_count++] = key;
        return true;
    default:
        return false;
    }
}

/* Which rows there are and how they are sorted is the agent's: without it nothing of that changes.
 */
static bool
refuse_unreachable(struct tui *tui, const struct action *action)
{
    const char *unreachable = model_unreachable(&tui->model);

    if (!unreachable)
        return false;
    switch (action->kind) {
    case ACTION_SORT_MENU:
    case ACTION_SORT:
    case ACTION_INVERT:
    case ACTION_FINISHED:
    case ACTION_FILTER:
    case ACTION_FIND:
    case ACTION_FIND_NEXT:
        model_note(&tui->model, NOTE_WARNING, "%s: the rows stay as they are", unreachable);
        return true;
    default:
        return false;
    }
}

/* A key for the views. */
static void
act(struct tui *tui, int key)
{
    struct view *view = screen_active(&tui->parts);
    struct action action;

    view_key(view, &tui->model, key, &action);
    if (action.kind == ACTION_NONE && !view->ops->popup)
        view_bound(registry_common, key, &action);
    if (action.kind != ACTION_NONE)
        tui->model.note[0] = '\0';
    if (keep_early(tui, &action, key) || refuse_unreachable(tui, &action))
        return;
    if (!do_move(tui, &action) && !do_open(tui, &action))
        do_rest(tui, &action);
}

void
tui_key_early(struct tui *tui)
{
    int count = tui->early_count;

    if (!tui->model.have_page || tui->parts.popup.ops)
        return;
    tui->early_count = 0;
    for (int i = 0; i < count; i++)
        act(tui, tui->early[i]);
}

void
tui_key(struct tui *tui, int key)
{
    tui_key_early(tui);
    if (tui->parts.prompt.open)
        prompt_key(tui, key);
    else
        act(tui, key);
}
