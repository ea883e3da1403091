/* SPDX-License-Identifier: MIT */
/*
 * Source lines are kept by file and line, so that a stack refreshed each second reads a file once
 * and a recursion of a thousand frames reads one line. Beyond the bound frames show no source.
 */
#include "client/model/detail.h"

#include <stdio.h>
#include <string.h>

static uint64_t
hash(const char *text)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a */

    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 1099511628211u;
    return h;
}

static const struct detail_source *
find(const struct detail *detail, uint64_t file_hash, uint32_t line)
{
    for (size_t i = 0; i < detail->sources_count; i++)
        if (detail->sources[i].file_hash == file_hash && detail->sources[i].line == line)
            return &detail->sources[i];
    return NULL;
}

static void
read_source(struct detail *detail, const struct stack_frame *frame, pid_t pid)
{
    uint64_t file_hash = hash(frame->file);

    if (frame->line == 0 || detail->sources_count == DETAIL_SOURCES ||
        find(detail, file_hash, frame->line))
        return;
    struct detail_source *source = &detail->sources[detail->sources_count++];
    source->file_hash = file_hash;
    source->line = frame->line;
    if (stack_source_line(pid, frame->file, frame->line, source->text, sizeof source->text) < 0)
        source->text[0] = '\0';
}

void
detail_done(struct detail *detail)
{
    if (detail->have_stack)
        stack_done(&detail->stack);
    task_page_done(&detail->page);
    memset(detail, 0, sizeof *detail);
}

void
detail_open(struct detail *detail, uint64_t id)
{
    if (detail->id == id && id != 0)
        return;
    detail_done(detail);
    detail->id = id;
}

void
detail_take_stack(struct detail *detail, struct stack *stack, pid_t pid)
{
    detail->error[0] = '\0';
    detail->ended = stack->state >= LOOPTOP_DONE;
    if (detail->ended && stack->count == 0 && detail->have_stack && detail->stack.count > 0) {
        stack_done(stack); /* nothing is left of its frames: where it was seen last tells more */
        return;
    }
    if (detail->have_stack)
        stack_done(&detail->stack);
    detail->stack = *stack;
    detail->have_stack = true;
    for (size_t i = 0; i < stack->count; i++)
        read_source(detail, &stack->frames[i], pid);
}

void
detail_take_page(struct detail *detail, struct task_page *page)
{
    if (page->count == 0 || page->rows[0].id != detail->id) {
        detail->gone = true; /* the last row stays on the screen */
        task_page_done(page);
        return;
    }
    task_page_done(&detail->page);
    detail->page = *page;
}

void
detail_take_parent(struct detail *detail, const struct task_page *page)
{
    const struct task_row *row = detail_row(detail);

    for (size_t i = 0; row && i < page->count; i++)
        if (page->rows[i].id == row->parent && row->parent != 0)
            snprintf(detail->parent_name, sizeof detail->parent_name, "%s", page->rows[i].name);
}

const struct task_row *
detail_row(const struct detail *detail)
{
    return detail->page.count > 0 ? &detail->page.rows[0] : NULL;
}

const char *
detail_source(const struct detail *detail, const struct stack_frame *frame)
{
    const struct detail_source *source = find(detail, hash(frame->file), frame->line);

    return source ? source->text : "";
}
