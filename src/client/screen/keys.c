/* SPDX-License-Identifier: MIT */
/* Names of keys for help and key bar. */
#include "client/screen/keys.h"

#include <stdio.h>
#include <string.h>

#include "common/utf8.h"

static const char *
special_name(int key)
{
    static const struct {
        int key;
        const char *name;
    } names[] = {{KEYS_TAB, "Tab"}, {KEYS_ENTER, "Enter"}, {KEYS_ESCAPE, "Esc"},
        {KEYS_SPACE, "space"}, {KEYS_BACKSPACE, "Backspace"}, {KEYS_UP, "Up"}, {KEYS_DOWN, "Down"},
        {KEYS_LEFT, "Left"}, {KEYS_RIGHT, "Right"}, {KEYS_PAGE_UP, "PgUp"},
        {KEYS_PAGE_DOWN, "PgDn"}, {KEYS_HOME, "Home"}, {KEYS_END, "End"}, {KEYS_INSERT, "Ins"},
        {KEYS_DELETE, "Del"}, {KEYS_BACKTAB, "Shift-Tab"}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].key == key)
            return names[i].name;
    return NULL;
}

const char *
keys_name(int key, char out[KEYS_NAME_MAX])
{
    const char *name = special_name(key);

    if (name)
        snprintf(out, KEYS_NAME_MAX, "%s", name);
    else if (key >= KEYS_F1 && key <= KEYS_F12)
        snprintf(out, KEYS_NAME_MAX, "F%d", key - KEYS_F1 + 1);
    else if (key > 0 && key < 27)
        snprintf(out, KEYS_NAME_MAX, "Ctrl-%c", 'A' + key - 1);
    else if (key > ' ' && key < 0x110000)
        out[utf8_encode((unsigned)key, out)] = '\0';
    else
        snprintf(out, KEYS_NAME_MAX, "?");
    return out;
}
