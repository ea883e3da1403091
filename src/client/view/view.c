/* SPDX-License-Identifier: MIT */
/* What all views have in common: their life, and the slots they may leave out. */
#include "client/view/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
view_open(struct view *view, const struct view_ops *ops, const struct model *model)
{
    int error = 0;

    *view = (struct view){.ops = ops};
    view->state = calloc(1, ops->state_size + 1);
    if (!view->state)
        error = -ENOMEM;
    else if (ops->init)
        error = ops->init(view, model);
    if (error < 0) {
        free(view->state);
        *view = (struct view){0};
    }
    return error;
}

void
view_close(struct view *view)
{
    if (!view || !view->ops)
        return;
    if (view->ops->done)
        view->ops->done(view);
    free(view->state);
    *view = (struct view){0};
}

void
view_resize(struct view *view, const struct model *model, int cols, int rows)
{
    view->cols = cols;
    view->rows = rows;
    if (view->ops->resize)
        view->ops->resize(view, model, cols, rows);
}

void
view_update(struct view *view, const struct model *model)
{
    if (view->ops->update)
        view->ops->update(view, model);
}

void
view_draw(
    const struct view *view, const struct model *model, struct surface *surface, struct rect area)
{
    struct rect former = surface_clip(surface, area);

    view->ops->draw(view, model, surface, area);
    surface_unclip(surface, former);
}

void
view_bound(struct bindings bindings, int key, struct action *ret_action)
{
    const struct binding *row = binding_find(bindings, key);

    *ret_action = (struct action){0};
    if (row) {
        ret_action->kind = row->action;
        ret_action->amount = row->amount;
    }
}

void
view_key(struct view *view, const struct model *model, int key, struct action *ret_action)
{
    if (view->ops->key)
        view->ops->key(view, model, key, ret_action);
    else
        view_bound(view->ops->bindings, key, ret_action);
}
