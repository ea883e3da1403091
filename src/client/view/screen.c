/* SPDX-License-Identifier: MIT */
/* Header, tabs, body, foot; a detail beside the body or in its place; a popup over all; the prompt.
 */
#include "client/view/screen.h"

#include "client/view/registry.h"
#include "client/view/tasks.h"

int
screen_open(struct screen *screen, const struct model *model)
{
    *screen = (struct screen){0};
    int error = view_open(&screen->header, &header_view, model);
    return error ? error : view_open(&screen->tasks, &tasks_view, model);
}

void
screen_close(struct screen *screen)
{
    view_close(&screen->popup);
    view_close(&screen->detail);
    view_close(&screen->tasks);
    view_close(&screen->header);
}

bool
screen_detail_has_keys(const struct screen *screen)
{
    return screen->detail.ops && (screen->detail_full || screen->layout.side.w == 0);
}

struct view *
screen_active(struct screen *screen)
{
    if (screen->popup.ops)
        return &screen->popup;
    return screen_detail_has_keys(screen) ? &screen->detail : &screen->tasks;
}

void
screen_layout(struct screen *screen, struct model *model, int cols, int rows)
{
    struct layout *layout = &screen->layout;

    layout_make(cols, rows, screen->detail.ops && !screen->detail_full, layout);
    view_resize(&screen->header, model, layout->header.w, layout->header.h);
    view_resize(&screen->tasks, model, layout->body.w, layout->body.h);
    window_set_height(&model->window, &model->page, tasks_rows(layout->body.h));
    if (screen->detail.ops) {
        struct rect area = layout->side.w > 0 ? layout->side : layout->body;
        view_resize(&screen->detail, model, area.w, area.h);
    }
    if (screen->popup.ops)
        view_resize(&screen->popup, model, cols, rows - layout->bar.h);
}

static void
draw_body(const struct screen *screen, const struct model *model, struct surface *surface)
{
    const struct layout *layout = &screen->layout;

    if (screen_detail_has_keys(screen)) {
        view_draw(&screen->detail, model, surface, layout->body);
        return;
    }
    view_draw(&screen->tasks, model, surface, layout->body);
    if (screen->detail.ops)
        view_draw(&screen->detail, model, surface, layout->side);
}

void
screen_draw(const struct screen *screen, const struct model *model, struct surface *surface,
    int *ret_x, int *ret_y)
{
    const struct layout *layout = &screen->layout;
    const struct view *popup = &screen->popup;
    const struct view *active = popup->ops                       ? popup
                                : screen_detail_has_keys(screen) ? &screen->detail
                                                                 : &screen->tasks;

    *ret_x = -1;
    *ret_y = 0;
    surface_clear(surface);
    view_draw(&screen->header, model, surface, layout->header);
    frame_draw_tabs(model, screen->tasks.ops, surface, layout->tabs);
    draw_body(screen, model, surface);
    frame_draw_foot(model, active->ops, surface, layout->bar);
    if (popup->ops)
        view_draw(popup, model, surface,
            (struct rect){0, 0, surface->cols, surface->rows - layout->bar.h});
    if (screen->prompt.open)
        frame_draw_prompt(&screen->prompt, surface, ret_x, ret_y);
    else if (popup->ops && popup->ops->cursor && !popup->ops->cursor(popup, ret_x, ret_y))
        *ret_x = -1;
}
