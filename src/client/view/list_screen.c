/* SPDX-License-Identifier: MIT */
/*
 * Header, tabs, table, foot, as the screen of one process has them. Why a process cannot be looked
 * at takes more words than a line has: a note that is too long grows upwards over the table.
 */
#include "client/view/list_screen.h"

#include <string.h>
#include <time.h>

#include "client/view/processes.h"
#include "client/view/words.h"
#include "client/widget/strip.h"
#include "looptop/version.h"

#define NOTE_LINES 8

int
list_screen_open(struct list_screen *screen, const struct model *model)
{
    *screen = (struct list_screen){0};
    return view_open(&screen->table, &processes_view, model);
}

void
list_screen_close(struct list_screen *screen)
{
    view_close(&screen->popup);
    view_close(&screen->table);
}

struct view *
list_screen_active(struct list_screen *screen)
{
    return screen->popup.ops ? &screen->popup : &screen->table;
}

void
list_screen_layout(struct list_screen *screen, struct model *model, int cols, int rows)
{
    struct layout *layout = &screen->layout;

    layout_list(cols, rows, layout);
    view_resize(&screen->table, model, layout->body.w, layout->body.h);
    processes_set_height(
        &model->processes, layout->body.h > 1 ? layout->body.h - 1 : layout->body.h);
    if (screen->popup.ops)
        view_resize(&screen->popup, model, cols, rows - layout->bar.h);
}

static void
draw_header(const struct model *model, struct surface *surface, struct rect area)
{
    const struct processes *list = &model->processes;
    struct strip strip = {.gap = 2};
    time_t now = (time_t)model->now_s;
    size_t agents = 0;
    char clock[16] = "";
    struct tm tm;

    if (area.h == 0)
        return;
    for (size_t i = 0; i < list->count; i++)
        agents += list->rows[i].state != PROCESS_NO_AGENT;
    strip_add(&strip, 0, "", ROLE_HEADER_NAME, "looptop %s", LOOPTOP_VERSION);
    if (list->count > 0)
        strip_add(&strip, 1, "", ROLE_DEFAULT, "%zu process%s, %zu with an agent", list->count,
            list->count == 1 ? "" : "es", agents);
    if (model->paused)
        strip_add(&strip, 2, "", ROLE_NOTICE, " PAUSED ")->right = true;
    else
        strip_add(&strip, 2, "", ROLE_GOOD, "live %gs", model->interval_s)->right = true;
    if (localtime_r(&now, &tm))
        strftime(clock, sizeof clock, "%H:%M:%S", &tm);
    strip_add(&strip, 6, "", ROLE_DEFAULT, "%s", clock);
    surface_fill(surface, area, ROLE_DEFAULT, NULL);
    strip_draw(&strip, surface, area.x + 1, area.y, area.w - 2);
}

static void
draw_tabs(const struct model *model, struct surface *surface, struct rect area)
{
    const struct processes *list = &model->processes;
    struct strip strip = {.gap = 3};

    if (area.h == 0)
        return;
    surface_fill(surface, area, ROLE_TAB, NULL);
    int x = surface_printf(surface, area.x, area.y, ROLE_TAB_ACTIVE, " %s ", processes_view.title);
    if (list->filter[0])
        strip_add(&strip, 0, "", ROLE_TAB, "%zu of %zu", list->shown_count, list->count)->right =
            true;
    strip_add(&strip, 2, "", ROLE_TAB, "sort %s%s", processes_title(list->sort),
        processes_largest_first(list->sort) != list->reverse ? "▼" : "▲")
        ->right = true;
    strip_add(&strip, list->filter[0] ? 1 : 3, "", ROLE_TAB, "filter %s",
        list->filter[0] ? list->filter : WORDS_UNKNOWN)
        ->flexible = true;
    strip_draw(&strip, surface, x + 2, area.y, area.x + area.w - x - 3);
}

/* Bytes of text that go into a line: whole words, where one fits. */
static size_t
line_bytes(const char *text, int columns, bool ascii)
{
    size_t all = strlen(text), n = 0, word = 0;

    while (n < all) {
        struct glyph glyph;
        size_t step = glyph_next(text + n, all - n, ascii, &glyph);

        if (glyph.width > columns)
            return word > 0 ? word : n > 0 ? n : step;
        if (text[n] == ' ')
            word = n;
        columns -= glyph.width;
        n += step;
    }
    return n;
}

/* Splits a text; returns how many lines it takes, of which starts are NOTE_LINES at most. */
static int
split(const char *text, int columns, bool ascii, const char *starts[NOTE_LINES + 1])
{
    int count = 0;

    for (; *text && count < NOTE_LINES; count++) {
        starts[count] = text;
        text += line_bytes(text, columns, ascii);
        text += *text == ' ';
    }
    starts[count] = text;
    return count;
}

static void
draw_note(const struct model *model, struct surface *surface, struct rect bar)
{
    const char *starts[NOTE_LINES + 1];
    int width = bar.w - 2;
    int count = width > 0 ? split(model->note, width, surface->ascii, starts) : 0;
    int y = bar.y + bar.h - count;

    if (y < 0)
        y = 0;
    surface_fill(surface, (struct rect){bar.x, y, bar.w, count}, ROLE_DEFAULT, NULL);
    for (int i = 0; i < count; i++)
        surface_printf(surface, bar.x + 1, y + i, words_note_role(model->note_kind), "%.*s",
            (int)(starts[i + 1] - starts[i]), starts[i]);
}

void
list_screen_draw(const struct list_screen *screen, const struct model *model,
    struct surface *surface, int *ret_x, int *ret_y)
{
    const struct layout *layout = &screen->layout;
    const struct view *popup = &screen->popup;

    *ret_x = -1;
    *ret_y = 0;
    surface_clear(surface);
    draw_header(model, surface, layout->header);
    draw_tabs(model, surface, layout->tabs);
    view_draw(&screen->table, model, surface, layout->body);
    frame_draw_foot(model, popup->ops ? popup->ops : screen->table.ops, surface, layout->bar);
    if (popup->ops)
        view_draw(popup, model, surface,
            (struct rect){0, 0, surface->cols, surface->rows - layout->bar.h});
    if (screen->prompt.open)
        frame_draw_prompt(&screen->prompt, surface, ret_x, ret_y);
    else if (!popup->ops && frame_note_shown(model) && layout->bar.h > 0)
        draw_note(model, surface, layout->bar);
}
