/* SPDX-License-Identifier: MIT */
/* LINK: tests/golden/golden.c tests/golden/fixture.c */
/* At any size, with any model: nothing is written outside of what a view was given, and nothing
 * fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/screen/keys.h"
#include "client/view/cancel.h"
#include "client/view/detail.h"
#include "client/view/registry.h"
#include "fixture.h"
#include "golden.h"

#define ROUNDS 400
#define MARGIN 3

static unsigned seed = 20261120;

static int
below(int n)
{
    seed = seed * 1103515245u + 12345u;
    return (int)(seed >> 16 & 0x7FFF) % n;
}

static void
any_model(struct model *model)
{
    static const uint64_t counts[] = {0, 1, 2, 40, 10000};

    fixture_model(model, counts[below(5)]);
    if (below(2))
        fixture_hostile(model);
    if (below(3) == 0)
        fixture_detail(model, 1 + (uint64_t)below(9), (unsigned)below(40));
    if (below(4) == 0)
        model->link.state = LINK_GONE;
    if (below(4) == 0)
        model->status.loops[0].iteration_for_ns = 1840000000;
    if (below(8) == 0)
        model->have_status = false;
    model->hidden_columns = (unsigned)below(1 << 15) & ~3u;
    model->window.top = model->window.cursor = below(300);
    if (below(4) == 0)
        model_note(
            model, NOTE_WARNING, "%s", "a note that is quite a bit longer than one may think");
}

static const struct view_ops *
any_popup(void)
{
    static const struct view_ops *const popups[] = {
        &help_view, &cancel_view, &sort_menu_view, &column_menu_view};

    return popups[below(4)];
}

static void
open_any(struct fixture_screen *fixture, struct model *model)
{
    static struct tag tags[40];

    if (model->detail.id)
        assert_int_equal(view_open(&fixture->screen.detail, &detail_view, model), 0);
    if (below(2) == 0)
        return;
    const struct view_ops *ops = any_popup();
    assert_int_equal(view_open(&fixture->screen.popup, ops, model), 0);
    if (ops != &cancel_view)
        return;
    for (size_t i = 0; i < 40; i++)
        if (i < model->page.count)
            tag_of(&model->page.rows[i], &tags[i]);
    assert_int_equal(cancel_ask(&fixture->screen.popup, tags, 1 + (size_t)below(40), true), 0);
}

static void
press_any(struct fixture_screen *fixture, struct model *model)
{
    static const int keys[] = {KEYS_UP, KEYS_DOWN, KEYS_PAGE_DOWN, KEYS_PAGE_UP, KEYS_END,
        KEYS_LEFT, KEYS_RIGHT, KEYS_TAB, 'j', 'v', 'G', '7', KEYS_BACKSPACE, 0x6F22};
    struct action action;

    for (int i = below(12); i > 0; i--) {
        view_key(screen_active(&fixture->screen), model, keys[below(14)], &action);
        if (action.kind == ACTION_MOVE)
            window_move(&model->window, &model->page, action.amount);
    }
}

static void
whole_screens(void **state)
{
    static struct model model;
    static struct fixture_screen fixture;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        any_model(&model);
        fixture_screen(&fixture, &model, 1 + below(200), 1 + below(60), below(4) == 0);
        open_any(&fixture, &model);
        fixture.screen.prompt.open = below(6) == 0;
        fixture.screen.prompt.label = "Filter";
        line_edit_init(&fixture.screen.prompt.edit, "a漢b", LOOPTOP_FILTER_MAX, NULL);
        fixture_draw(&fixture, &model);
        press_any(&fixture, &model);
        fixture_draw(&fixture, &model);
        golden_check_cells(&fixture.surface);
        assert_int_equal(surface_resize(&fixture.surface, 1 + below(200), 1 + below(60)), 0);
        fixture_draw(&fixture, &model);
        golden_check_cells(&fixture.surface);
        fixture_screen_done(&fixture);
        model_done(&model);
    }
}

/* One view in a part of a grid of signs: the signs around it stay. */
static void
view_stays_inside(const struct view_ops *ops, struct model *model)
{
    struct surface surface;
    struct view view;
    struct tag tag = {.id = 1};
    int w = below(160), h = below(50);
    struct rect area = {MARGIN, MARGIN, w, h};

    assert_int_equal(surface_init(&surface, w + 2 * MARGIN, h + 2 * MARGIN, false), 0);
    surface_fill(&surface, surface_area(&surface), ROLE_DEFAULT, "#");
    assert_int_equal(view_open(&view, ops, model), 0);
    if (ops == &cancel_view)
        assert_int_equal(cancel_ask(&view, &tag, 1, false), 0);
    view_resize(&view, model, w, h);
    view_draw(&view, model, &surface, area);
    for (int y = 0; y < surface.rows; y++) {
        for (int x = 0; x < surface.cols; x++) {
            bool inside = x >= area.x && x < area.x + w && y >= area.y && y < area.y + h;
            if (!inside)
                assert_string_equal(surface_at(&surface, x, y)->text, "#");
        }
    }
    view_close(&view);
    surface_done(&surface);
}

static void
each_view(void **state)
{
    static const struct view_ops *const views[] = {&header_view, &tasks_view, &detail_view,
        &cancel_view, &help_view, &sort_menu_view, &column_menu_view};
    static struct model model;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        any_model(&model);
        view_stays_inside(views[below(7)], &model);
        model_done(&model);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_screens),
        cmocka_unit_test(each_view),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
