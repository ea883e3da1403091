/* SPDX-License-Identifier: MIT */
/*
 * Tagging: the selected task, or all live ones that the filter leaves. Of the latter those are
 * tagged that are seen where all rows are at hand; else the agent is asked which they are. It is
 * all of them or none: a part would look like all.
 */
#include "client/tui_impl.h"
#include "client/view/words.h"

/* The row of the task may be out of sight: what it is called is known all the same. */
void
tui_tag(struct tui *tui)
{
    struct model *model = &tui->model;
    const struct tag *one = &model->selected;

    if (one->id == 0) {
        model_note(model, NOTE_INFO, "no task is selected");
        return;
    }
    if (tags_toggle(&model->tags, one) < 0)
        model_note(model, NOTE_WARNING, "no more than %d tasks can be tagged", LOOPTOP_CANCEL_MAX);
    else if (model->window.away >= 0)
        model_note(model, NOTE_INFO, "%s task %llu \"%s\", which is out of sight",
            tags_has(&model->tags, one->id) ? "tagged" : "untagged", (unsigned long long)one->id,
            one->name);
    if (model->window.away < 0)
        window_move(&model->window, &model->page, 1);
}

/* Tags the live rows; returns how many were not tagged before, -1 without memory. */
static int
tag_rows(struct tags *tags, const struct task_page *page)
{
    size_t before = tags->count;
    struct tag tag;

    for (size_t i = 0; i < page->count; i++) {
        if (page->rows[i].state >= LOOPTOP_DONE)
            continue;
        tag_of(&page->rows[i], &tag);
        if (tags_add(tags, &tag) < 0)
            return -1;
    }
    return (int)(tags->count - before);
}

/* Tags the rows of a page that stands for all that match, which may be more than it holds. */
static void
tag_page(struct model *model, const struct task_page *page)
{
    uint64_t live = page->matched - page->count, fresh = live;

    for (size_t i = 0; i < page->count; i++) {
        bool lives = page->rows[i].state < LOOPTOP_DONE;
        live += lives;
        fresh += lives && !tags_has(&model->tags, page->rows[i].id);
    }
    if (live == 0) {
        model_note(model, NOTE_INFO, "no live task %s",
            model->query.filter ? "matches the filter" : "is there");
    } else if (model->tags.count + fresh > LOOPTOP_CANCEL_MAX) {
        model_note(model, NOTE_WARNING, "%llu tasks match%s: no more than %d can be tagged",
            (unsigned long long)live, model->tags.count ? ", and others are tagged" : "",
            LOOPTOP_CANCEL_MAX);
    } else if (fresh == 0) {
        model_note(model, NOTE_INFO, "all %llu are tagged already", (unsigned long long)live);
    } else {
        int added = tag_rows(&model->tags, page);
        if (added < 0)
            model_note(model, NOTE_ERROR, "out of memory");
        else
            model_note(model, NOTE_INFO, "%d task%s tagged: x cancels, U untags", added,
                WORDS_PLURAL(added));
    }
}

void
tui_tag_matching(struct tui *tui)
{
    struct task_query query = tui->model.query;

    if (tui_table_whole(tui)) {
        tag_page(&tui->model, &tui->model.page);
        return;
    }
    query.finished = false;
    query.limit = LOOPTOP_CANCEL_MAX;
    tui_table_ask(tui, REQUEST_TAG, &query);
}

void
tui_tag_take(struct tui *tui, const struct cJSON *result)
{
    struct task_page page;

    if (task_page_decode(result, &page) < 0)
        return;
    tag_page(&tui->model, &page);
    task_page_done(&page);
}
