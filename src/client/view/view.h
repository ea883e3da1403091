/* SPDX-License-Identifier: MIT */
/*
 * A view: one subject drawn into a part of the screen. Adding one is a file with its `view_ops` and
 * a line in registry.c. Views keep what they need to draw (scroll position, a text being typed);
 * all else is read from the model.
 */
#ifndef LOOPTOP_VIEW_VIEW_H
#define LOOPTOP_VIEW_VIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "client/model/model.h"
#include "client/screen/surface.h"
#include "client/view/action.h"
#include "client/view/binding.h"

struct view;

struct view_ops {
    const char *name;  /* in the command line and the configuration */
    const char *title; /* on its tab and in the help */
    bool tab;          /* a view of its own, with a tab */
    bool popup;        /* stands over others and takes all keys: the common ones are off */
    struct bindings bindings;
    size_t state_size; /* bytes of zeroed state given to init */

    /* Fills the state. 0, or -errno and nothing is left to free. May be NULL. */
    int (*init)(struct view *view, const struct model *model);
    /* Frees what the state owns. May be NULL. */
    void (*done)(struct view *view);
    /* The part of the screen changed. May be NULL. */
    void (*resize)(struct view *view, const struct model *model, int cols, int rows);
    /* The model changed. May be NULL. */
    void (*update)(struct view *view, const struct model *model);
    /* Draws all of area. */
    void (*draw)(const struct view *view, const struct model *model, struct surface *surface,
        struct rect area);
    /*
     * Turns a key into an action. NULL: as the bindings say. A view that takes every key (a text is
     * typed) answers ACTION_REDRAW for those it has no other answer to.
     */
    void (*key)(struct view *view, const struct model *model, int key, struct action *ret_action);
    /* Where the text cursor blinks, false: nowhere. May be NULL. */
    bool (*cursor)(const struct view *view, int *ret_x, int *ret_y);
};

struct view {
    const struct view_ops *ops;
    void *state;    /* owned */
    int cols, rows; /* of its part of the screen */
};

/* Opens a view. 0, -ENOMEM, or what its init says. */
int view_open(struct view *view, const struct view_ops *ops, const struct model *model);

/* Closes it; NULL-safe, and twice is once. */
void view_close(struct view *view);

void view_resize(struct view *view, const struct model *model, int cols, int rows);
void view_update(struct view *view, const struct model *model);
void view_draw(
    const struct view *view, const struct model *model, struct surface *surface, struct rect area);
void view_key(struct view *view, const struct model *model, int key, struct action *ret_action);

/* The action a key has in a table; ACTION_NONE: none. */
void view_bound(struct bindings bindings, int key, struct action *ret_action);

#endif
