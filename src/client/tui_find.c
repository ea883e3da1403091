/* SPDX-License-Identifier: MIT */
/*
 * Search over the whole table, which is in the agent: the found tasks and the one the cursor is on
 * are asked for as a filter, with the cursor's task as focus. Its place among them is told; the
 * next one is asked for by place, and becomes the focus of the table.
 */
#include <stdio.h>
#include <string.h>

#include "client/model/find.h"
#include "client/tui_impl.h"

static struct task_query
find_query(const struct tui *tui)
{
    struct task_query query = tui->model.query;

    query.filter = tui->find.filter;
    query.limit = 1;
    return query;
}

void
tui_find_start(struct tui *tui, const char *text, int step)
{
    struct model *model = &tui->model;
    uint64_t current = model->selected.id;

    if (text != tui->find.text)
        snprintf(tui->find.text, sizeof tui->find.text, "%s", text);
    tui->find.step = step;
    tui->find.wrapped = false;
    if (tui->find.text[0] == '\0') {
        model_note(model, NOTE_INFO, "nothing to find yet: / asks for it");
        return;
    }
    if (find_filter(model->query.filter, tui->find.text, current, tui->find.filter,
            sizeof tui->find.filter) < 0) {
        model_note(model, NOTE_ERROR, "too long together with the filter");
        return;
    }
    struct task_query query = find_query(tui);
    query.focus = current;
    tui_table_ask(tui, current ? REQUEST_FIND_PLACE : REQUEST_FIND, &query);
}

void
tui_find_place(struct tui *tui, const struct cJSON *result)
{
    struct task_query query = find_query(tui);
    struct task_page page;

    if (task_page_decode(result, &page) < 0)
        return;
    int64_t count = (int64_t)page.matched, place = page.focus_index;
    task_page_done(&page);
    if (place < 0)
        place = tui->find.step > 0 ? -1 : 0; /* the cursor's task ended meanwhile */
    if (count <= (place >= 0)) {
        model_note(&tui->model, NOTE_WARNING, "no %stask matches %s", count > 0 ? "other " : "",
            tui->find.text);
        return;
    }
    int64_t next = place + tui->find.step;
    tui->find.wrapped = next < 0 || next >= count;
    query.offset = (uint64_t)((next + count) % count);
    tui_table_ask(tui, REQUEST_FIND, &query);
}

void
tui_find_take(struct tui *tui, const struct cJSON *result)
{
    struct model *model = &tui->model;
    struct task_page page;

    if (task_page_decode(result, &page) < 0)
        return;
    if (page.count == 0) {
        model_note(model, NOTE_WARNING, "no task matches  %s", tui->find.text);
    } else {
        window_seek(&model->window, page.rows[0].id);
        tag_of(&page.rows[0], &model->selected); /* its own row may be long in coming */
        if (tui->find.wrapped)
            model_note(model, NOTE_INFO, "search went round the %s of the table",
                tui->find.step > 0 ? "end" : "start");
    }
    task_page_done(&page);
}

void
tui_find_refused(struct tui *tui, const char *text, int column)
{
    (void)column; /* of the combined filter, not of what was typed */
    model_note(&tui->model, NOTE_ERROR, "%s: %s", tui->find.text, text);
}
