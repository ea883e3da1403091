/* SPDX-License-Identifier: MIT */
/*
 * A grid of cells to draw on, without a terminal: each holds a glyph and the role it plays. Drawing
 * outside the clip is cut, so that a view cannot write where it should not, at any size. Texts pass
 * through glyph.h. Backends (surface_curses, surface_dump) show the grid.
 */
#ifndef LOOPTOP_SCREEN_SURFACE_H
#define LOOPTOP_SCREEN_SURFACE_H

#include <stdbool.h>
#include <stdint.h>

#include "client/screen/glyph.h"
#include "client/screen/role.h"

struct rect {
    int x, y, w, h;
};

struct cell {
    char text[GLYPH_BYTES]; /* "" only in the right half of a wide glyph */
    uint8_t width;          /* 1, 2; 0: the right half */
    uint8_t role;
    uint8_t overlay; /* a role whose background lies over the cell; ROLE_DEFAULT: none */
};

struct surface {
    int cols, rows;
    struct cell *cells; /* owned, row by row */
    struct rect clip;
    bool ascii;
};

/* Which part of a text too long for its place is shown, and where a short one stands. */
enum fit {
    FIT_START,  /* the start; to the left */
    FIT_END,    /* the end, after a `…`; to the left */
    FIT_RIGHT,  /* the start; to the right */
    FIT_MIDDLE, /* the start and the end, a `…` between them; to the left */
};

/* 0, -ENOMEM. An empty surface of cols x rows blank cells; either may be 0. */
int surface_init(struct surface *surface, int cols, int rows, bool ascii);
void surface_done(struct surface *surface);

/* New size, all blank. 0, -ENOMEM (the old grid stays). */
int surface_resize(struct surface *surface, int cols, int rows);

/* All blank, clip to the whole. */
void surface_clear(struct surface *surface);

struct rect surface_area(const struct surface *surface);

/* Narrows the clip to its part inside rect; returns the former, to be given to surface_unclip. */
struct rect surface_clip(struct surface *surface, struct rect rect);
void surface_unclip(struct surface *surface, struct rect former);

/* The cell, NULL outside the grid. */
const struct cell *surface_at(const struct surface *surface, int x, int y);

/* Draws text from x on; returns the column after it (also where it was cut by the clip). */
int surface_put(struct surface *surface, int x, int y, enum role role, const char *text);
int surface_printf(struct surface *surface, int x, int y, enum role role, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Draws text within width columns, shortened with `…` where it does not fit. Returns x + width. */
int surface_fit(struct surface *surface, int x, int y, int width, enum fit fit, enum role role,
    const char *text);

/* Columns that text takes on this surface. */
int surface_columns(const struct surface *surface, const char *text);

/* Fills with a glyph ("" or NULL: blank). */
void surface_fill(struct surface *surface, struct rect rect, enum role role, const char *glyph);

/* Lays a role's background over cells that are drawn already. */
void surface_overlay(struct surface *surface, struct rect rect, enum role role);

/* A frame with a title in its upper edge; "" none. */
void surface_box(struct surface *surface, struct rect rect, const char *title);

/* The part of the rect inside a frame. */
struct rect rect_inside(struct rect rect);

/* The rect and one cell around it. */
struct rect rect_outside(struct rect rect);

struct rect rect_intersect(struct rect a, struct rect b);

/* A w x h rect in the middle of another, never larger than it. */
struct rect rect_centre(struct rect around, int w, int h);

#endif
