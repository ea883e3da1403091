/* SPDX-License-Identifier: MIT */
/* From keys to deeds in the list: the prompt takes keys first, then the help, then the table. */
#include <stdio.h>
#include <string.h>

#include "client/model/match.h"
#include "client/screen/keys.h"
#include "client/tui_list_impl.h"
#include "client/tui_text.h"
#include "client/view/registry.h"
#include "common/cleanup.h"

static void
open_prompt(struct tui_list *list, enum action_kind what)
{
    bool filter = what == ACTION_FILTER;
    struct frame_prompt *prompt = &list->parts.prompt;
    const char *text = filter ? list->model.processes.filter : "";

    memset(prompt, 0, sizeof *prompt);
    prompt->open = true;
    prompt->label = filter ? "Filter" : "Find";
    prompt->hint = "Enter keeps it, Esc takes it back    a part of the command line, or *?[ a glob";
    list->prompt_for = what;
    snprintf(list->prompt_former, sizeof list->prompt_former, "%s", text);
    line_edit_init(&prompt->edit, text, sizeof list->model.processes.filter,
        filter ? &list->filters : &list->finds);
}

/* Selects the next row whose command matches, going round the end. */
static void
find(struct tui_list *list, int64_t step)
{
    struct processes *rows = &list->model.processes;
    int64_t count = (int64_t)rows->shown_count, at = (int64_t)rows->cursor;

    if (list->find[0] == '\0') {
        model_note(&list->model, NOTE_INFO, "nothing to find yet: / asks for it");
        return;
    }
    for (int64_t i = 1; i <= count; i++) {
        int64_t place = ((at + step * i) % count + count) % count;

        if (match_line(list->find, processes_at(rows, (size_t)place)->command)) {
            processes_move(rows, place - at);
            return;
        }
    }
    model_note(&list->model, NOTE_WARNING, "no command line matches  %s", list->find);
}

static void
close_prompt(struct tui_list *list, bool keep)
{
    struct frame_prompt *prompt = &list->parts.prompt;

    if (keep)
        line_edit_remember(&prompt->edit);
    prompt->open = false;
    if (list->prompt_for == ACTION_FILTER) {
        processes_set_filter(
            &list->model.processes, keep ? prompt->edit.text : list->prompt_former);
    } else if (keep && prompt->edit.len > 0) {
        snprintf(list->find, sizeof list->find, "%s", prompt->edit.text);
        find(list, 1);
    }
}

static void
prompt_key(struct tui_list *list, int key)
{
    struct frame_prompt *prompt = &list->parts.prompt;

    if (key == KEYS_ENTER)
        close_prompt(list, true);
    else if (key == KEYS_ESCAPE || (key == KEYS_BACKSPACE && prompt->edit.len == 0))
        close_prompt(list, false);
    else if (line_edit_key(&prompt->edit, key) && list->prompt_for == ACTION_FILTER)
        processes_set_filter(&list->model.processes, prompt->edit.text);
}

static void
go_back(struct tui_list *list)
{
    if (list->parts.popup.ops)
        view_close(&list->parts.popup);
    else if (list->model.processes.filter[0])
        processes_set_filter(&list->model.processes, "");
}

static void
open_help(struct tui_list *list)
{
    if (view_open(&list->parts.popup, &help_view, &list->model) < 0)
        model_note(&list->model, NOTE_ERROR, "out of memory");
    tui_list_layout(list);
}

/* The selected row, as the table shows it. */
static void
copy(struct tui_list *list)
{
    const struct process_row *row = processes_selected(&list->model.processes);
    CLEANUP(buf_done) struct buf text;
    char cell[PROCESS_COMMAND_MAX];

    if (!row) {
        model_note(&list->model, NOTE_INFO, "no process is selected");
        return;
    }
    buf_init(&text, TUI_TEXT_COPY_MAX);
    for (int i = 0; i < PROCESS_COLUMNS; i++)
        buf_printf(&text, "%s%s", i ? "  " : "",
            processes_cell(row, (enum process_column)i, "≥", cell, sizeof cell));
    tui_text_copy(&list->model, list->screen.terminal, &text);
}

/* What changes the table; false: the action is none of these. */
static bool
do_table(struct tui_list *list, const struct action *action)
{
    struct processes *rows = &list->model.processes;

    switch (action->kind) {
    case ACTION_MOVE:
        processes_move(rows, action->amount);
        break;
    case ACTION_PAGE:
        processes_move(rows, action->amount * (rows->height > 0 ? rows->height : 1));
        break;
    case ACTION_FIRST:
        processes_move(rows, -(int64_t)rows->count);
        break;
    case ACTION_LAST:
        processes_move(rows, (int64_t)rows->count);
        break;
    case ACTION_SORT:
        processes_sort(rows, (enum process_column)action->amount, false);
        break;
    case ACTION_INVERT:
        processes_sort(rows, rows->sort, !rows->reverse);
        break;
    case ACTION_FIND_NEXT:
        find(list, action->amount);
        break;
    default:
        return false;
    }
    return true;
}

static void
do_rest(struct tui_list *list, const struct action *action)
{
    switch (action->kind) {
    case ACTION_QUIT:
        list->quit = true;
        break;
    case ACTION_BACK:
        go_back(list);
        break;
    case ACTION_HELP:
        open_help(list);
        break;
    case ACTION_REPAINT:
        surface_curses_redraw(list->screen.terminal);
        break;
    case ACTION_PAUSE:
        list->model.paused = !list->model.paused;
        break;
    case ACTION_SAVE:
        tui_text_save(&list->model, "processes", &list->screen.surface, NULL);
        break;
    case ACTION_COPY:
        copy(list);
        break;
    case ACTION_FILTER:
    case ACTION_FIND:
        open_prompt(list, action->kind);
        break;
    case ACTION_OPEN:
        tui_list_open(list);
        break;
    default:
        break;
    }
}

void
tui_list_key(struct tui_list *list, int key)
{
    struct view *view = list_screen_active(&list->parts);
    struct action action;

    if (list->parts.prompt.open) {
        prompt_key(list, key);
        return;
    }
    view_key(view, &list->model, key, &action);
    if (action.kind == ACTION_NONE && !view->ops->popup)
        view_bound(registry_common, key, &action);
    if (action.kind != ACTION_NONE)
        list->model.note[0] = '\0';
    if (!do_table(list, &action))
        do_rest(list, &action);
}
