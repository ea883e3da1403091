/* SPDX-License-Identifier: MIT */
/* Keys: characters, ← → Home End Ctrl-A Ctrl-E, Backspace Del, Ctrl-U Ctrl-K Ctrl-W, ↑ ↓ history.
 */
#include "client/widget/line_edit.h"

#include <stdio.h>
#include <string.h>

#include "client/screen/keys.h"
#include "common/utf8.h"

void
line_edit_init(struct line_edit *edit, const char *text, size_t max, struct line_history *history)
{
    memset(edit, 0, sizeof *edit);
    edit->max = max < sizeof edit->text ? max : sizeof edit->text;
    edit->history = history;
    edit->len = utf8_prefix(text, strlen(text), edit->max - 1);
    memcpy(edit->text, text, edit->len);
    edit->cursor = edit->len;
}

static void
set_text(struct line_edit *edit, const char *text)
{
    edit->len = utf8_prefix(text, strlen(text), edit->max - 1);
    memmove(edit->text, text, edit->len);
    edit->text[edit->len] = '\0';
    edit->cursor = edit->len;
}

/* Start of the character before the cursor. */
static size_t
before(const struct line_edit *edit)
{
    size_t at = edit->cursor;

    while (at > 0 && ((unsigned char)edit->text[--at] & 0xC0) == 0x80)
        ;
    return at;
}

/* End of the character at the cursor. */
static size_t
after(const struct line_edit *edit)
{
    size_t at = edit->cursor;

    if (at < edit->len)
        at++;
    while (at < edit->len && ((unsigned char)edit->text[at] & 0xC0) == 0x80)
        at++;
    return at;
}

static void
erase(struct line_edit *edit, size_t from, size_t to)
{
    memmove(edit->text + from, edit->text + to, edit->len - to + 1);
    edit->len -= to - from;
    edit->cursor = from;
}

static void
insert(struct line_edit *edit, int key)
{
    char bytes[4];
    size_t n = utf8_encode((uint32_t)key, bytes);

    if (edit->len + n >= edit->max)
        return;
    memmove(edit->text + edit->cursor + n, edit->text + edit->cursor, edit->len - edit->cursor + 1);
    memcpy(edit->text + edit->cursor, bytes, n);
    edit->len += n;
    edit->cursor += n;
}

/* Start of the word before the cursor. */
static size_t
word_before(const struct line_edit *edit)
{
    size_t at = edit->cursor;

    while (at > 0 && edit->text[at - 1] == ' ')
        at--;
    while (at > 0 && edit->text[at - 1] != ' ')
        at--;
    return at;
}

static void
step_history(struct line_edit *edit, int step)
{
    size_t count = edit->history ? edit->history->count : 0;

    if (step > 0 ? edit->back >= count : edit->back == 0)
        return;
    if (edit->back == 0)
        memcpy(edit->typed, edit->text, sizeof edit->typed);
    edit->back = step > 0 ? edit->back + 1 : edit->back - 1;
    set_text(edit, edit->back == 0 ? edit->typed : edit->history->lines[edit->back - 1]);
}

static bool
move_key(struct line_edit *edit, int key)
{
    switch (key) {
    case KEYS_LEFT:
    case KEYS_CTRL('b'):
        edit->cursor = before(edit);
        return true;
    case KEYS_RIGHT:
    case KEYS_CTRL('f'):
        edit->cursor = after(edit);
        return true;
    case KEYS_HOME:
    case KEYS_CTRL('a'):
        edit->cursor = 0;
        return true;
    case KEYS_END:
    case KEYS_CTRL('e'):
        edit->cursor = edit->len;
        return true;
    case KEYS_UP:
        step_history(edit, 1);
        return true;
    case KEYS_DOWN:
        step_history(edit, -1);
        return true;
    default:
        return false;
    }
}

bool
line_edit_key(struct line_edit *edit, int key)
{
    if (move_key(edit, key))
        return true;
    switch (key) {
    case KEYS_BACKSPACE:
        erase(edit, before(edit), edit->cursor);
        return true;
    case KEYS_DELETE:
    case KEYS_CTRL('d'):
        erase(edit, edit->cursor, after(edit));
        return true;
    case KEYS_CTRL('u'):
        erase(edit, 0, edit->cursor);
        return true;
    case KEYS_CTRL('k'):
        erase(edit, edit->cursor, edit->len);
        return true;
    case KEYS_CTRL('w'):
        erase(edit, word_before(edit), edit->cursor);
        return true;
    default:
        if (key < KEYS_SPACE || key >= KEYS_UP || (key >= 0x7F && key < 0xA0))
            return false;
        insert(edit, key);
        return true;
    }
}

void
line_edit_remember(struct line_edit *edit)
{
    struct line_history *history = edit->history;

    if (!history || edit->len == 0 ||
        (history->count > 0 && strcmp(history->lines[0], edit->text) == 0))
        return;
    if (history->count < LINE_EDIT_HISTORY)
        history->count++;
    memmove(history->lines[1], history->lines[0], (history->count - 1) * sizeof history->lines[0]);
    memcpy(history->lines[0], edit->text, sizeof history->lines[0]);
}

int
line_edit_draw(
    const struct line_edit *edit, struct surface *surface, int x, int y, int width, enum role role)
{
    char head[LOOPTOP_FILTER_MAX];
    const char *text = edit->text;
    size_t at = edit->cursor;

    /* drop characters from the left until the cursor is inside */
    for (;;) {
        memcpy(head, text, at);
        head[at] = '\0';
        if (at == 0 || surface_columns(surface, head) < width)
            break;
        struct glyph glyph;
        size_t used = glyph_next(text, at, surface->ascii, &glyph);
        text += used;
        at -= used;
    }
    struct rect former = surface_clip(surface, (struct rect){x, y, width, 1});
    surface_put(surface, x, y, role, text);
    surface_unclip(surface, former);
    return x + surface_columns(surface, head);
}
