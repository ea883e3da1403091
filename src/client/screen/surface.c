/* SPDX-License-Identifier: MIT */
/* The cell grid. A wide glyph covers two cells; whoever overwrites one half blanks the other. */
#include "client/screen/surface.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIDE_MAX 4096 /* columns or rows; a terminal that claims more is not believed */

static int
clamp_side(int n)
{
    return n < 0 ? 0 : n > SIDE_MAX ? SIDE_MAX : n;
}

static void
cell_blank(struct cell *cell, enum role role)
{
    memset(cell, 0, sizeof *cell);
    cell->text[0] = ' ';
    cell->width = 1;
    cell->role = (uint8_t)role;
}

int
surface_init(struct surface *surface, int cols, int rows, bool ascii)
{
    memset(surface, 0, sizeof *surface);
    surface->ascii = ascii;
    return surface_resize(surface, cols, rows);
}

void
surface_done(struct surface *surface)
{
    free(surface->cells);
    memset(surface, 0, sizeof *surface);
}

int
surface_resize(struct surface *surface, int cols, int rows)
{
    size_t count = (size_t)clamp_side(cols) * (size_t)clamp_side(rows);
    struct cell *cells = calloc(count + 1, sizeof *cells);

    if (!cells)
        return -ENOMEM;
    free(surface->cells);
    surface->cells = cells;
    surface->cols = clamp_side(cols);
    surface->rows = clamp_side(rows);
    surface_clear(surface);
    return 0;
}

void
surface_clear(struct surface *surface)
{
    size_t count = (size_t)surface->cols * (size_t)surface->rows;

    surface->clip = surface_area(surface);
    for (size_t i = 0; i < count; i++)
        cell_blank(&surface->cells[i], ROLE_DEFAULT);
}

struct rect
surface_area(const struct surface *surface)
{
    return (struct rect){0, 0, surface->cols, surface->rows};
}

struct rect
rect_intersect(struct rect a, struct rect b)
{
    int x0 = a.x > b.x ? a.x : b.x, y0 = a.y > b.y ? a.y : b.y;
    int x1 = a.x + a.w < b.x + b.w ? a.x + a.w : b.x + b.w;
    int y1 = a.y + a.h < b.y + b.h ? a.y + a.h : b.y + b.h;

    return (struct rect){x0, y0, x1 > x0 ? x1 - x0 : 0, y1 > y0 ? y1 - y0 : 0};
}

struct rect
rect_inside(struct rect r)
{
    return (struct rect){r.x + 1, r.y + 1, r.w > 2 ? r.w - 2 : 0, r.h > 2 ? r.h - 2 : 0};
}

struct rect
rect_outside(struct rect r)
{
    return (struct rect){r.x - 1, r.y - 1, r.w + 2, r.h + 2};
}

struct rect
rect_centre(struct rect around, int w, int h)
{
    if (w > around.w)
        w = around.w;
    if (h > around.h)
        h = around.h;
    return (struct rect){around.x + (around.w - w) / 2, around.y + (around.h - h) / 2, w, h};
}

struct rect
surface_clip(struct surface *surface, struct rect rect)
{
    struct rect former = surface->clip;

    surface->clip = rect_intersect(former, rect);
    return former;
}

void
surface_unclip(struct surface *surface, struct rect former)
{
    surface->clip = rect_intersect(former, surface_area(surface));
}

const struct cell *
surface_at(const struct surface *surface, int x, int y)
{
    if (x < 0 || y < 0 || x >= surface->cols || y >= surface->rows)
        return NULL;
    return &surface->cells[(size_t)y * (size_t)surface->cols + (size_t)x];
}

static bool
in_clip(const struct surface *s, int x, int y)
{
    return x >= s->clip.x && x < s->clip.x + s->clip.w && y >= s->clip.y &&
           y < s->clip.y + s->clip.h;
}

static struct cell *
cell_at(struct surface *s, int x, int y)
{
    return &s->cells[(size_t)y * (size_t)s->cols + (size_t)x];
}

/* Makes a cell free to be written: what the other half of a wide glyph here was becomes blank. */
static struct cell *
cell_take(struct surface *s, int x, int y)
{
    struct cell *cell = cell_at(s, x, y);

    if (cell->width == 2 && x + 1 < s->cols)
        cell_blank(cell + 1, (enum role)cell[1].role);
    else if (cell->width == 0 && x > 0)
        cell_blank(cell - 1, (enum role)cell[-1].role);
    return cell;
}

static void
put_glyph(struct surface *s, int x, int y, enum role role, const struct glyph *glyph)
{
    if (!in_clip(s, x, y))
        return;
    bool wide = glyph->width == 2;
    struct cell *cell = cell_take(s, x, y);
    cell_blank(cell, role);
    if (wide && !in_clip(s, x + 1, y))
        return; /* half of it would stick out: a blank */
    memcpy(cell->text, glyph->text, sizeof cell->text);
    if (!wide)
        return;
    struct cell *right = cell_take(s, x + 1, y);
    cell_blank(right, role);
    cell->width = 2;
    right->width = 0;
    right->text[0] = '\0';
}

/* Draws at most n bytes and at most width columns. */
static int
put_n(struct surface *s, int x, int y, int width, enum role role, const char *text, size_t n)
{
    int end = x + width;

    while (n > 0) {
        struct glyph glyph;
        size_t used = glyph_next(text, n, s->ascii, &glyph);
        if (x + glyph.width > end)
            break;
        if (glyph.width > 0)
            put_glyph(s, x, y, role, &glyph);
        x += glyph.width;
        text += used;
        n -= used;
    }
    return x;
}

int
surface_put(struct surface *surface, int x, int y, enum role role, const char *text)
{
    return put_n(surface, x, y, SIDE_MAX, role, text, strlen(text));
}

int
surface_printf(struct surface *surface, int x, int y, enum role role, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return surface_put(surface, x, y, role, text);
}

int
surface_columns(const struct surface *surface, const char *text)
{
    return glyph_columns(text, surface->ascii, SIDE_MAX);
}

/* The last part of a text that fits into width columns. */
static const char *
tail(const struct surface *s, const char *text, int width)
{
    int columns = glyph_columns(text, s->ascii, 1 << 20);

    while (*text && columns > width) {
        struct glyph glyph;
        text += glyph_next(text, strlen(text), s->ascii, &glyph);
        columns -= glyph.width;
    }
    return text;
}

int
surface_fit(struct surface *surface, int x, int y, int width, enum fit fit, enum role role,
    const char *text)
{
    int end = x + width;

    if (width <= 0)
        return x;
    int columns = glyph_columns(text, surface->ascii, width);
    if (columns <= width) {
        if (fit == FIT_RIGHT)
            x = end - columns;
        put_n(surface, x, y, width, role, text, strlen(text));
    } else if (fit == FIT_END) {
        x = surface_put(surface, x, y, role, "…");
        surface_put(surface, x, y, role, tail(surface, text, width - 1));
    } else if (fit == FIT_MIDDLE) {
        const char *end_part = tail(surface, text, width / 3);
        x = put_n(surface, x, y, width - 1 - width / 3, role, text, strlen(text));
        x = surface_put(surface, x, y, role, "…");
        surface_put(surface, x, y, role, end_part);
    } else {
        x = put_n(surface, x, y, width - 1, role, text, strlen(text));
        surface_put(surface, x, y, role, "…");
    }
    return end;
}

void
surface_fill(struct surface *surface, struct rect rect, enum role role, const char *text)
{
    struct rect r = rect_intersect(surface->clip, rect);
    struct glyph glyph = {.text = " ", .width = 1};

    if (text && *text)
        glyph_next(text, strlen(text), surface->ascii, &glyph);
    for (int y = r.y; y < r.y + r.h; y++)
        for (int x = r.x; x + glyph.width <= r.x + r.w; x += glyph.width)
            put_glyph(surface, x, y, role, &glyph);
}

void
surface_overlay(struct surface *surface, struct rect rect, enum role role)
{
    struct rect r = rect_intersect(surface->clip, rect);

    for (int y = r.y; y < r.y + r.h; y++)
        for (int x = r.x; x < r.x + r.w; x++)
            cell_at(surface, x, y)->overlay = (uint8_t)role;
}

void
surface_box(struct surface *surface, struct rect r, const char *title)
{
    int right = r.x + r.w - 1, bottom = r.y + r.h - 1;

    if (r.w < 2 || r.h < 2)
        return;
    surface_fill(surface, (struct rect){r.x, r.y, r.w, 1}, ROLE_BOX, "─");
    surface_fill(surface, (struct rect){r.x, bottom, r.w, 1}, ROLE_BOX, "─");
    surface_fill(surface, (struct rect){r.x, r.y, 1, r.h}, ROLE_BOX, "│");
    surface_fill(surface, (struct rect){right, r.y, 1, r.h}, ROLE_BOX, "│");
    surface_put(surface, r.x, r.y, ROLE_BOX, "┌");
    surface_put(surface, right, r.y, ROLE_BOX, "┐");
    surface_put(surface, r.x, bottom, ROLE_BOX, "└");
    surface_put(surface, right, bottom, ROLE_BOX, "┘");
    if (*title && r.w > 6) {
        int columns = surface_columns(surface, title);
        int width = columns < r.w - 6 ? columns : r.w - 6;
        surface_put(surface, r.x + 2, r.y, ROLE_BOX, " ");
        int x = surface_fit(surface, r.x + 3, r.y, width, FIT_START, ROLE_BOX_TITLE, title);
        surface_put(surface, x, r.y, ROLE_BOX, " ");
    }
}
