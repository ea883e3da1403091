/* SPDX-License-Identifier: MIT */
/* Arithmetic on places; a page in hand is the only source of which task stands where. */
#include "client/model/window.h"

#include <stddef.h>

#include "looptop/limits.h"

const struct task_row *
window_row(const struct task_page *page, int64_t index)
{
    if (index < 0 || (uint64_t)index < page->offset)
        return NULL;
    uint64_t place = (uint64_t)index - page->offset;
    return place < page->count ? &page->rows[place] : NULL;
}

const struct task_row *
window_selected(const struct window *window, const struct task_page *page)
{
    if (window->seeking || window->away >= 0)
        return window_row(page, window->away);
    return window_row(page, window->cursor);
}

/* Keeps the cursor in the table and on the screen, and the screen full as far as there are rows. */
static void
clamp(struct window *window, const struct task_page *page)
{
    int64_t rows = page->matched > INT32_MAX ? INT32_MAX : (int64_t)page->matched;
    int64_t height = window->height > 0 ? window->height : 1;

    if (window->cursor >= rows)
        window->cursor = rows - 1;
    if (window->cursor < 0)
        window->cursor = 0;
    if (window->top > rows - height)
        window->top = rows - height;
    if (window->top > window->cursor)
        window->top = window->cursor;
    if (window->top < window->cursor - height + 1)
        window->top = window->cursor - height + 1;
    if (window->top < 0)
        window->top = 0;
}

void
window_set_height(struct window *window, const struct task_page *page, int height)
{
    window->height = height;
    clamp(window, page);
}

void
window_pin(struct window *window, const struct task_page *page)
{
    const struct task_row *row = window_row(page, window->cursor);

    window->pinned = true;
    window->seeking = false;
    window->away = -1;
    window->focus = row ? row->id : 0;
}

void
window_move(struct window *window, const struct task_page *page, int64_t rows)
{
    window->found = false;
    window->cursor += rows;
    clamp(window, page);
    window_pin(window, page);
}

void
window_end(struct window *window, const struct task_page *page)
{
    window_move(window, page, INT32_MAX);
}

void
window_home(struct window *window)
{
    window->cursor = window->top = 0;
    window->focus = 0;
    window->away = -1;
    window->pinned = window->seeking = window->found = false;
}

void
window_seek(struct window *window, uint64_t id)
{
    window->focus = id;
    window->away = -1;
    window->pinned = window->seeking = window->found = true;
}

/* Where a task is now, -1: not known. */
static int64_t
place_of(const struct task_page *page, uint64_t id, uint64_t asked)
{
    for (size_t i = 0; i < page->count; i++)
        if (page->rows[i].id == id)
            return (int64_t)(page->offset + i);
    return id == asked ? page->focus_index : -1;
}

static void
go_to(struct window *window, int64_t place)
{
    window->top += place - window->cursor;
    window->cursor = place;
    window->away = -1;
}

void
window_follow(struct window *window, const struct task_page *page, bool follow)
{
    window->follow = follow;
    window->found = false;
    if (!window->pinned)
        window_pin(window, page);
    if (window->away >= 0)
        go_to(window, window->away);
    clamp(window, page);
}

/* The task is at place now; asked tells whether it is known to be nowhere. */
static void
settle(struct window *window, int64_t place, bool asked)
{
    bool seen = place >= window->top && place < window->top + window->height;

    if (place < 0 && !asked)
        return;
    if (place < 0) {
        window->seeking = false;
        window->found = false;
        window->focus = 0; /* it is gone: whoever stands here now */
        window->away = -1;
    } else if ((window->follow || window->found) && !window->seeking) {
        go_to(window, place);
    } else if (seen || window->seeking) {
        if (!seen)
            window->top = place - window->height / 2;
        window->cursor = place;
        window->away = -1;
        window->seeking = false;
    } else {
        window->away = place;
    }
}

void
window_arrived(struct window *window, const struct task_page *page, uint64_t focus)
{
    if (window->pinned && window->focus != 0)
        settle(window, place_of(page, window->focus, focus), window->focus == focus);
    clamp(window, page);
    if (window->pinned && window->focus == 0) {
        const struct task_row *row = window_row(page, window->cursor);
        window->focus = row ? row->id : 0;
    }
}

void
window_want(const struct window *window, uint64_t *ret_offset, unsigned *ret_limit)
{
    int64_t height = window->height > 0 ? window->height : 1;
    int64_t from = window->top - height;

    if (height > LOOPTOP_ROWS_MAX / 3)
        height = LOOPTOP_ROWS_MAX / 3;
    *ret_offset = from > 0 ? (uint64_t)from : 0;
    *ret_limit = (unsigned)height * 3;
}

bool
window_covered(const struct window *window, const struct task_page *page)
{
    int64_t rows = page->matched > INT32_MAX ? INT32_MAX : (int64_t)page->matched;
    int64_t from = window->top - window->height / 2;
    int64_t to = window->top + window->height + window->height / 2;
    int64_t have = (int64_t)page->offset;

    if (from < 0)
        from = 0;
    if (to > rows)
        to = rows;
    return from >= have && to <= have + (int64_t)page->count;
}
