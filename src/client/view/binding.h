/* SPDX-License-Identifier: MIT */
/*
 * Keys in tables: the same rows decide what a key does, what the foot of the screen offers, and
 * what the help says.
 */
#ifndef LOOPTOP_VIEW_BINDING_H
#define LOOPTOP_VIEW_BINDING_H

#include "client/screen/surface.h"
#include "client/view/action.h"

#define BINDING_KEYS 4

struct binding {
    int keys[BINDING_KEYS]; /* 0: no more */
    enum action_kind action;
    int64_t amount;
    uint8_t bar;       /* 1: first to stay at the foot as it narrows, 0: not there */
    const char *label; /* at the foot */
    const char *help;  /* in the help; NULL: told together with the row before */
};

struct bindings {
    const struct binding *rows;
    size_t count;
};

/* The row of a key, NULL: none. */
const struct binding *binding_find(struct bindings bindings, int key);

/* The keys of the row and of those told together with it, as "Up k, Down j". */
void binding_keys(struct bindings bindings, size_t row, char *out, size_t size);

/* Draws the offers of both tables in one line, as many as fit. */
void binding_draw_bar(
    struct bindings own, struct bindings common, struct surface *surface, struct rect area);

#endif
