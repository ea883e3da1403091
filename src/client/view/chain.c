/* SPDX-License-Identifier: MIT */
/* The lines are made anew at each drawing; those out of sight are only counted. */
#include "client/view/chain.h"

#include <stdio.h>
#include <string.h>

#include "client/view/words.h"

#define FUNCTION_COLS 22
#define CUT_COLS 16 /* a local variable is rather left out than cut to less */

/* Where lines go: y counts from the first line of the list; only what is inside is drawn. */
struct page {
    struct surface *surface; /* NULL: lines are only counted */
    struct rect area;
    int scroll, lines;
};

/* The row for the next line, false: it is out of sight. */
static bool
next_line(struct page *page, int *ret_y)
{
    int line = page->lines++ - page->scroll;

    *ret_y = page->area.y + line;
    return page->surface && line >= 0 && line < page->area.h;
}

static void
frame_title(struct page *page, const struct stack_frame *frame, bool innermost)
{
    char place[256];
    int y, x = page->area.x, end = page->area.x + page->area.w;

    if (!next_line(page, &y))
        return;
    surface_put(page->surface, x - 1, y, ROLE_ACCENT, innermost ? "▸" : " ");
    surface_put(page->surface, x, y, ROLE_STRONG, frame->function);
    int columns = surface_columns(page->surface, frame->function);
    x += (columns < FUNCTION_COLS ? FUNCTION_COLS : columns) + 1;
    if (x > end - 12)
        x = end - 12;
    words_place(place, sizeof place, frame->file, frame->line, true);
    surface_put(page->surface, x - 1, y, ROLE_DEFAULT, " ");
    x = surface_fit(page->surface, x, y,
        surface_columns(page->surface, place) < end - x ? surface_columns(page->surface, place)
                                                        : end - x,
        FIT_END, ROLE_DEFAULT, place);
    if (strcmp(frame->kind, "coroutine") != 0 && x + 4 < end)
        surface_fit(page->surface, x + 2, y, end - x - 2, FIT_START, ROLE_DIM, frame->kind);
}

static void
frame_source(struct page *page, const struct stack_frame *frame, const char *source)
{
    int y;

    if (source[0] == '\0' || !next_line(page, &y))
        return;
    int x =
        surface_printf(page->surface, page->area.x, y, ROLE_DIM, "%5u │ ", (unsigned)frame->line);
    surface_fit(
        page->surface, x, y, page->area.x + page->area.w - x, FIT_START, ROLE_SOURCE, source);
}

static void
local_words(const struct stack_local *local, char *out, size_t size)
{
    if (local->value)
        snprintf(out, size, "= %s%s", local->value, local->length >= 0 ? "…" : "");
    else if (local->length >= 0)
        snprintf(out, size, ": %s of %lld", local->type, (long long)local->length);
    else
        snprintf(out, size, ": %s", local->type);
}

/* All in one line, as many as fit. */
static void
locals_short(struct page *page, const struct stack_frame *frame)
{
    uint64_t count = frame->locals_count + frame->more_locals;
    int y, x = page->area.x + 8, end = page->area.x + page->area.w;
    char text[512];

    if (count == 0 || !next_line(page, &y))
        return;
    for (size_t i = 0; i < frame->locals_count; i++) {
        const struct stack_local *local = &frame->locals[i];
        local_words(local, text, sizeof text);
        int columns = surface_columns(page->surface, local->name) +
                      surface_columns(page->surface, text) + (text[0] == '=');
        int room = end - x - 5; /* less what tells how many are left out */
        if (i > 0 && columns > room && room < CUT_COLS)
            break;
        x = surface_put(page->surface, x, y, ROLE_HEADER_LABEL, local->name);
        x += text[0] == '=';
        x = surface_fit(page->surface, x, y,
            columns <= room ? surface_columns(page->surface, text)
                            : room - surface_columns(page->surface, local->name) - 1,
            FIT_START, ROLE_DEFAULT, text);
        x += 2;
        count--;
        if (columns > room)
            break;
    }
    if (count > 0)
        surface_printf(page->surface, x, y, ROLE_DIM, "+%llu", (unsigned long long)count);
}

static void
locals_all(struct page *page, const struct stack_frame *frame)
{
    char text[512];
    int y;

    for (size_t i = 0; i < frame->locals_count; i++) {
        if (!next_line(page, &y))
            continue;
        int x = surface_put(
            page->surface, page->area.x + 8, y, ROLE_HEADER_LABEL, frame->locals[i].name);
        local_words(&frame->locals[i], text, sizeof text);
        x += text[0] == '=';
        surface_fit(
            page->surface, x, y, page->area.x + page->area.w - x, FIT_START, ROLE_DEFAULT, text);
    }
    if (frame->more_locals > 0 && next_line(page, &y))
        surface_printf(page->surface, page->area.x + 8, y, ROLE_DIM, "and %llu more",
            (unsigned long long)frame->more_locals);
}

static void
chain_of_ended(struct page *page, const struct detail *detail)
{
    const struct task_row *row = detail_row(detail);
    char place[256];
    int y;

    if (!next_line(page, &y))
        return;
    if (detail->stack.count > 0) {
        surface_put(page->surface, page->area.x, y, ROLE_DIM, "it has ended: seen here last");
        return;
    }
    int x = surface_put(page->surface, page->area.x, y, ROLE_DIM, "it has ended");
    words_site(place, sizeof place, row ? row->at : NULL, true);
    if (row && row->at)
        surface_printf(page->surface, x, y, ROLE_DIM, ", last seen at %s", place);
}

static void
chain_end(struct page *page, const struct detail *detail)
{
    const struct stack *stack = &detail->stack;
    int y;

    if (stack->awaits && next_line(page, &y)) {
        int x = surface_put(page->surface, page->area.x, y, ROLE_DIM, "awaits ");
        surface_put(page->surface, x, y, ROLE_STRONG, stack->awaits);
    }
    if (!stack->complete && next_line(page, &y))
        surface_printf(page->surface, page->area.x, y, ROLE_WARNING, "cut here: %s",
            stack->reason ? stack->reason : "no reason given");
    if (detail->ended)
        chain_of_ended(page, detail);
    else if (stack->count == 0 && !stack->awaits && next_line(page, &y))
        surface_put(page->surface, page->area.x, y, ROLE_DIM, "no frames: it runs no coroutine");
}

static void
each_line(const struct detail *detail, bool all_locals, struct page *page)
{
    const struct stack *stack = &detail->stack;

    for (size_t i = 0; detail->have_stack && i < stack->count; i++) {
        const struct stack_frame *frame = &stack->frames[i];
        frame_title(page, frame, i + 1 == stack->count);
        frame_source(page, frame, detail_source(detail, frame));
        if (all_locals)
            locals_all(page, frame);
        else
            locals_short(page, frame);
    }
    if (detail->have_stack)
        chain_end(page, detail);
}

int
chain_lines(const struct detail *detail, bool all_locals)
{
    struct page page = {0};

    each_line(detail, all_locals, &page);
    return page.lines;
}

void
chain_draw(const struct detail *detail, bool all_locals, int scroll, struct surface *surface,
    struct rect area)
{
    struct page page = {surface, area, scroll, 0};

    each_line(detail, all_locals, &page);
}

static void
text_frame(const struct stack_frame *frame, const char *source, struct buf *out)
{
    char text[512];

    buf_printf(out, "  File \"%s\", line %u, in %s\n", frame->file, (unsigned)frame->line,
        frame->function);
    if (source[0])
        buf_printf(out, "    %s\n", source);
    for (size_t i = 0; i < frame->locals_count; i++) {
        local_words(&frame->locals[i], text, sizeof text);
        buf_printf(out, "      %s%s%s\n", frame->locals[i].name, text[0] == '=' ? " " : "", text);
    }
}

void
chain_text(const struct detail *detail, struct buf *out)
{
    for (size_t i = 0; detail->have_stack && i < detail->stack.count; i++)
        text_frame(&detail->stack.frames[i], detail_source(detail, &detail->stack.frames[i]), out);
    if (detail->have_stack && detail->stack.awaits)
        buf_printf(out, "  awaits %s\n", detail->stack.awaits);
}
