/* SPDX-License-Identifier: MIT */
/*
 * The question before a cancellation: it names the tasks as they were when the key was pressed, so
 * that rows that move meanwhile change nothing. The task under the cursor is confirmed with Enter,
 * tagged ones with a choice, many by typing their number.
 */
#include "client/view/cancel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/screen/keys.h"
#include "client/view/registry.h"
#include "client/view/words.h"
#include "client/widget/line_edit.h"
#include "looptop/limits.h"

#define NAMED_MAX 5 /* tasks named; of more, their number */
#define BOX_COLS 76
#define PLACE_COLS 24 /* with less room beside the words the place has a line of its own */
#define DEFAULT_MESSAGE "looptop"

enum focus { FOCUS_NUMBER, FOCUS_MESSAGE, FOCUS_CANCEL, FOCUS_LEAVE, FOCUSES };

struct cancel_state {
    struct tag *tags; /* owned */
    uint64_t *ids;    /* owned; the same tasks */
    size_t count;
    bool tagged;
    bool refused; /* Enter, without the number */
    enum focus focus;
    struct line_edit message, number;
};

static const struct binding bindings[] = {
    {{KEYS_ENTER}, ACTION_CANCEL, 0, 1, "choose", "do what is chosen"},
    {{KEYS_TAB, KEYS_DOWN}, ACTION_REDRAW, 0, 2, "next field", "next and previous field"},
    {{KEYS_BACKTAB, KEYS_UP}, ACTION_REDRAW, 0, 0, "", NULL},
    {{KEYS_ESCAPE}, ACTION_BACK, 0, 1, "leave it", "cancel nothing"},
};

int
cancel_ask(struct view *view, const struct tag *tags, size_t count, bool tagged)
{
    struct cancel_state *state = view->state;

    state->tags = calloc(count, sizeof *tags);
    state->ids = calloc(count, sizeof *state->ids);
    if (!state->tags || !state->ids)
        return -ENOMEM;
    memcpy(state->tags, tags, count * sizeof *tags);
    for (size_t i = 0; i < count; i++)
        state->ids[i] = tags[i].id;
    state->count = count;
    state->tagged = tagged;
    state->focus = count > CANCEL_TYPED ? FOCUS_NUMBER : tagged ? FOCUS_LEAVE : FOCUS_CANCEL;
    line_edit_init(&state->message, DEFAULT_MESSAGE, LOOPTOP_MESSAGE_MAX, NULL);
    line_edit_init(&state->number, "", 8, NULL);
    return 0;
}

static void
cancel_done(struct view *view)
{
    struct cancel_state *state = view->state;

    free(state->tags);
    free(state->ids);
}

static bool
number_typed(const struct cancel_state *state)
{
    char wanted[32];

    snprintf(wanted, sizeof wanted, "%zu", state->count);
    return state->count <= CANCEL_TYPED || strcmp(state->number.text, wanted) == 0;
}

static void
step_focus(struct cancel_state *state, int step)
{
    int focus = (int)state->focus;

    do
        focus = (focus + step + FOCUSES) % FOCUSES;
    while (focus == FOCUS_NUMBER && state->count <= CANCEL_TYPED);
    state->focus = (enum focus)focus;
}

static void
confirm(struct cancel_state *state, struct action *ret_action)
{
    if (number_typed(state)) {
        *ret_action = (struct action){.kind = ACTION_CANCEL,
            .ids = state->ids,
            .count = state->count,
            .text = state->message.text};
        return;
    }
    state->focus = FOCUS_NUMBER;
    state->refused = true;
}

static void
on_enter(struct cancel_state *state, struct action *ret_action)
{
    if (state->focus == FOCUS_MESSAGE && !state->tagged)
        state->focus = FOCUS_CANCEL;
    else if (state->focus == FOCUS_MESSAGE)
        state->focus = state->count > CANCEL_TYPED ? FOCUS_NUMBER : FOCUS_LEAVE;
    else if (state->focus == FOCUS_LEAVE)
        *ret_action = (struct action){.kind = ACTION_BACK};
    else
        confirm(state, ret_action);
}

static void
cancel_key(struct view *view, const struct model *model, int key, struct action *ret_action)
{
    struct cancel_state *state = view->state;
    struct line_edit *edit = state->focus == FOCUS_MESSAGE  ? &state->message
                             : state->focus == FOCUS_NUMBER ? &state->number
                                                            : NULL;

    (void)model;
    *ret_action = (struct action){.kind = ACTION_REDRAW};
    if (key == KEYS_ESCAPE)
        ret_action->kind = ACTION_BACK;
    else if (key == KEYS_ENTER)
        on_enter(state, ret_action);
    else if (key == KEYS_TAB || key == KEYS_DOWN || (key == KEYS_RIGHT && !edit))
        step_focus(state, 1);
    else if (key == KEYS_BACKTAB || key == KEYS_UP || (key == KEYS_LEFT && !edit))
        step_focus(state, -1);
    else if (edit) {
        line_edit_key(edit, key);
        state->refused = false;
    } else if (key == 'q' || key == 'n')
        ret_action->kind = ACTION_BACK;
    else if (key == 'y')
        confirm(state, ret_action);
}

#define EFFECT "It receives CancelledError at "

static int
box_cols(struct rect area)
{
    return area.w >= BOX_COLS + 12 ? BOX_COLS : area.w;
}

/* Columns inside the frame, with air beside it. */
static int
inner_cols(int cols)
{
    return cols > 4 ? cols - 4 : 0;
}

static bool
place_apart(const struct cancel_state *state, int cols)
{
    return state->count == 1 && state->tags[0].at[0] && !state->tags[0].running &&
           inner_cols(cols) < (int)strlen(EFFECT) + PLACE_COLS;
}

/* Lines that are always there in a box so wide: effect, message, number, buttons. */
static int
fixed_rows(const struct cancel_state *state, int cols)
{
    return 3 + (state->count > CANCEL_TYPED) + place_apart(state, cols);
}

/* Lines of the box where there is room for all, blank ones and the frame included. */
static int
box_rows(const struct cancel_state *state, int cols)
{
    size_t named = state->count < NAMED_MAX ? state->count : NAMED_MAX;

    return (int)named + (state->count > NAMED_MAX) + fixed_rows(state, cols) + 4;
}

static struct rect
box_of(const struct cancel_state *state, struct rect area)
{
    int cols = box_cols(area);
    int rows = box_rows(state, cols);

    /* on a low screen the air goes first */
    if (rows > area.h)
        rows = area.h;
    return rect_centre(area, cols, rows);
}

static int
draw_names(const struct cancel_state *state, struct surface *surface, struct rect in, int fixed)
{
    int room = in.h - fixed, y = in.y;
    size_t named = state->count < NAMED_MAX ? state->count : NAMED_MAX;

    while (named > 1 && (int)named + (state->count > named) > room)
        named--;

    for (size_t i = 0; i < named; i++, y++) {
        const struct tag *tag = &state->tags[i];
        int x = surface_printf(surface, in.x, y, ROLE_ACCENT, "%llu", (unsigned long long)tag->id);
        x = surface_printf(surface, x + 2, y, ROLE_STRONG, "\"%s\"", tag->name);
        surface_fit(surface, x + 2, y, in.x + in.w - x - 2, FIT_END, ROLE_DEFAULT, tag->coroutine);
    }
    if (state->count > named && room > 1)
        surface_printf(surface, in.x, y++, ROLE_DIM, "and %zu more", state->count - named);
    return y;
}

/* A place in so many columns: directories go first, then its start, marked by `…`. */
static void
draw_place(const char *at, struct surface *surface, int x, int y, int width)
{
    const char *rest = at, *slash;
    char text[256];

    snprintf(text, sizeof text, "%s", at);
    while (surface_columns(surface, text) > width && (slash = strchr(rest + 1, '/')) != NULL) {
        rest = slash;
        snprintf(text, sizeof text, "…%s", rest);
    }
    surface_fit(surface, x, y, width, FIT_END, ROLE_DEFAULT, text);
}

static int
draw_effect(
    const struct cancel_state *state, struct surface *surface, struct rect in, int y, bool apart)
{
    const char *at = state->count == 1 ? state->tags[0].at : "";
    int x = in.x, end = in.x + in.w;

    if (state->count == 1 && state->tags[0].running) {
        surface_fit(surface, x, y, in.w, FIT_START, ROLE_DEFAULT,
            "It runs now: it receives CancelledError at its next await.");
        return y + 1;
    }
    if (!*at) {
        surface_fit(surface, x, y, in.w, FIT_START, ROLE_DEFAULT,
            state->count > 1 ? "Each receives CancelledError where it waits."
                             : "It receives CancelledError where it waits.");
        return y + 1;
    }
    int after = surface_put(surface, x, y, ROLE_DEFAULT, EFFECT);
    if (apart)
        y++;
    else
        x = after;
    draw_place(at, surface, x, y, end - x);
    return y + 1;
}

/* A field and its text; returns the column of the cursor. */
static int
draw_field(const struct line_edit *edit, const char *label, bool focused, struct surface *surface,
    struct rect in, int y)
{
    int x = surface_put(surface, in.x, y, focused ? ROLE_PROMPT : ROLE_HEADER_LABEL, label) + 1;

    return line_edit_draw(edit, surface, x, y, in.x + in.w - x, ROLE_STRONG);
}

static void
draw_buttons(const struct cancel_state *state, struct surface *surface, struct rect in, int y)
{
    const char *yes = state->count == 1 ? "[ Cancel it ]" : "[ Cancel them ]";
    const char *no = state->count == 1 ? "[ Leave it ]" : "[ Leave them ]";
    int columns = surface_columns(surface, yes) + surface_columns(surface, no) + 3;
    int x = in.x + (in.w > columns ? (in.w - columns) / 2 : 0);

    x = surface_put(surface, x, y,
        state->focus == FOCUS_CANCEL && number_typed(state) ? ROLE_BUTTON_ACTIVE
        : number_typed(state)                               ? ROLE_BUTTON
                                                            : ROLE_DIM,
        yes);
    surface_put(
        surface, x + 3, y, state->focus == FOCUS_LEAVE ? ROLE_BUTTON_ACTIVE : ROLE_BUTTON, no);
}

/* Draws all; tells where the text cursor is, if there is one. */
static bool
draw_box(const struct cancel_state *state, struct surface *surface, struct rect area, int *ret_x,
    int *ret_y)
{
    struct rect box = box_of(state, area), in = rect_inside(box);
    char title[64], label[64];
    bool apart = place_apart(state, box.w), roomy = box.h >= box_rows(state, box.w);
    int message_x, number_x = 0, number_y = 0;

    snprintf(title, sizeof title, "Cancel %zu%s task%s?", state->count,
        state->tagged ? " tagged" : "", WORDS_PLURAL(state->count));
    surface_fill(surface, rect_outside(box), ROLE_DEFAULT, NULL);
    surface_box(surface, box, title);
    in.x++;
    in.w = inner_cols(box.w);
    struct rect former = surface_clip(surface, in);
    int y = draw_names(state, surface, in, fixed_rows(state, box.w));
    y = draw_effect(state, surface, in, y, apart) + roomy;
    int message_y = y++;
    message_x = draw_field(
        &state->message, "Message:", state->focus == FOCUS_MESSAGE, surface, in, message_y);
    if (state->count > CANCEL_TYPED) {
        number_y = y++;
        snprintf(label, sizeof label,
            state->refused ? "Not so. Type %zu, or Esc to leave them:" : "Type %zu to confirm:",
            state->count);
        number_x =
            draw_field(&state->number, label, state->focus == FOCUS_NUMBER, surface, in, number_y);
    }
    /* the buttons are always seen */
    y += roomy;
    draw_buttons(state, surface, in, y < in.y + in.h ? y : in.y + in.h - 1);
    surface_unclip(surface, former);
    *ret_x = state->focus == FOCUS_NUMBER ? number_x : message_x;
    *ret_y = state->focus == FOCUS_NUMBER ? number_y : message_y;
    return state->focus == FOCUS_NUMBER || state->focus == FOCUS_MESSAGE;
}

static void
cancel_draw(
    const struct view *view, const struct model *model, struct surface *surface, struct rect area)
{
    int x, y;

    (void)model;
    draw_box(view->state, surface, area, &x, &y);
}

/* The box is drawn once more, on nothing, to learn where the cursor is. */
static bool
cancel_cursor(const struct view *view, int *ret_x, int *ret_y)
{
    struct surface nowhere = {.cols = view->cols, .rows = view->rows};

    return draw_box(
        view->state, &nowhere, (struct rect){0, 0, view->cols, view->rows}, ret_x, ret_y);
}

const struct view_ops cancel_view = {
    .name = "cancel",
    .title = "Cancel",
    .popup = true,
    .bindings = {bindings, sizeof bindings / sizeof *bindings},
    .state_size = sizeof(struct cancel_state),
    .done = cancel_done,
    .draw = cancel_draw,
    .key = cancel_key,
    .cursor = cancel_cursor,
};
