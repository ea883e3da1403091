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

/* Tags the live rows. 0, or as tags_add. */
static int
tag_rows(struct tags *tags, const struct task_page *page)
{
    struct tag tag;
    int error = 0;

    for (size_t i = 0; i < page->count && error == 0; i++) {
        if (page->rows[i].state >= LOOPTOP_DONE)
            continue;
        tag_of(&page->rows[i], &tag);
        error = tags_add(tags, &tag);
    }
    return error;
}

/* Others that are tagged, perhaps out of sight, would be cancelled too: they are told. */
static void
say_tagged(struct model *model, size_t live, size_t fresh)
{
    size_t all = model->tags.count;

    if (all > live)
        model_note(
            model, NOTE_WARNING, "%zu match, but %zu are tagged in all: U untags them", live, all);
    else if (fresh == 0)
        model_note(model, NOTE_INFO, "all %zu are tagged already", live);
    else
        model_note(
            model, NOTE_INFO, "%zu task%s tagged: x cancels, U untags", all, WORDS_PLURAL(all));
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
        model_note(model, NOTE_WARNING,
            "%llu tasks match, %zu are tagged: no more than %d can be tagged",
            (unsigned long long)live, model->tags.count, LOOPTOP_CANCEL_MAX);
    } else if (tag_rows(&model->tags, page) < 0) {
        model_note(model, NOTE_ERROR, "out of memory");
    } else {
        say_tagged(model, (size_t)live, (size_t)fresh);
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
