/* SPDX-License-Identifier: MIT */
/*
 * What is to be cancelled: the task looked at, the tagged ones, or the selected one. What is asked
 * about is fixed when the key is pressed. A task whose row is not here may have ended meanwhile:
 * its row is fetched first, and the question follows.
 */
#include <stdio.h>

#include "client/tui_impl.h"
#include "client/view/cancel.h"
#include "client/view/registry.h"

/* The row of the one task a key acts on, NULL: it is not here. */
static const struct task_row *
one_row(const struct model *model, bool detail)
{
    return detail ? detail_row(&model->detail) : window_selected(&model->window, &model->page);
}

static void
say_ended(struct model *model, uint64_t id)
{
    model_note(model, NOTE_INFO, "task %llu has ended", (unsigned long long)id);
}

static void
open_question(struct tui *tui, const struct tag *tags, size_t count, bool tagged)
{
    tui_open_popup(tui, &cancel_view);
    if (tui->parts.popup.ops && cancel_ask(&tui->parts.popup, tags, count, tagged) < 0)
        view_close(&tui->parts.popup);
}

static void
fetch_row(struct tui *tui, uint64_t id)
{
    struct request *request;
    char params[96];

    snprintf(params, sizeof params, "{\"ids\":[%llu],\"limit\":1}", (unsigned long long)id);
    request = tui_request(tui, REQUEST_CANCEL_ROW, "tasks", params);
    if (!request) {
        model_note(&tui->model, NOTE_ERROR, "not cancelled: the request could not be sent");
        return;
    }
    request->asked.focus = id;
    model_note(&tui->model, NOTE_INFO, "looking for task %llu…", (unsigned long long)id);
}

static void
ask_one(struct tui *tui)
{
    struct model *model = &tui->model;
    bool detail = screen_detail_has_keys(&tui->parts);
    const struct task_row *row = one_row(model, detail);
    uint64_t id = detail ? model->detail.id : model->selected.id;
    struct tag one;

    if (id == 0) {
        model_note(model, NOTE_INFO, "no task is selected");
    } else if ((detail && model->detail.gone) || (row && row->state >= LOOPTOP_DONE)) {
        say_ended(model, id);
    } else if (row) {
        tag_of(row, &one);
        open_question(tui, &one, 1, false);
    } else {
        fetch_row(tui, id);
    }
}

void
tui_cancel_ask(struct tui *tui)
{
    struct model *model = &tui->model;
    const char *unreachable = model_unreachable(model), *readonly = model_readonly(model);

    if (unreachable)
        model_note(model, NOTE_ERROR, "cannot cancel: %s", unreachable);
    else if (readonly)
        model_note(model, NOTE_ERROR, "cancelling is off: %s", readonly);
    else if (screen_detail_has_keys(&tui->parts) || model->tags.count == 0)
        ask_one(tui);
    else
        open_question(tui, model->tags.tags, model->tags.count, true);
}

void
tui_cancel_row(struct tui *tui, const struct request *request, const struct cJSON *result)
{
    struct model *model = &tui->model;
    uint64_t id = request->asked.focus;
    struct task_page page;
    struct tag one;

    /* something else was opened meanwhile: the question does not come in between */
    if (tui->parts.popup.ops || tui->parts.prompt.open || task_page_decode(result, &page) < 0)
        return;
    model->note[0] = '\0';
    if (page.count == 0 || page.rows[0].id != id || page.rows[0].state >= LOOPTOP_DONE) {
        say_ended(model, id);
    } else {
        tag_of(&page.rows[0], &one);
        open_question(tui, &one, 1, false);
    }
    task_page_done(&page);
}
