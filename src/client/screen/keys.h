/* SPDX-License-Identifier: MIT */
/*
 * Keys as numbers: a character is its Unicode number, Ctrl-A to Ctrl-Z are 1 to 26, and keys
 * without a character stand above all of Unicode. Independent of curses.
 */
#ifndef LOOPTOP_SCREEN_KEYS_H
#define LOOPTOP_SCREEN_KEYS_H

enum keys {
    KEYS_NONE = -1,
    KEYS_TAB = 9,
    KEYS_ENTER = 13,
    KEYS_ESCAPE = 27,
    KEYS_SPACE = 32,
    KEYS_BACKSPACE = 127,
    KEYS_UP = 0x110000,
    KEYS_DOWN,
    KEYS_LEFT,
    KEYS_RIGHT,
    KEYS_PAGE_UP,
    KEYS_PAGE_DOWN,
    KEYS_HOME,
    KEYS_END,
    KEYS_INSERT,
    KEYS_DELETE,
    KEYS_BACKTAB,
    KEYS_F1, /* to F12: KEYS_F1 + 11 */
    KEYS_F2,
    KEYS_F4 = KEYS_F1 + 3,
    KEYS_F6 = KEYS_F1 + 5,
    KEYS_F9 = KEYS_F1 + 8,
    KEYS_F10,
    KEYS_F12 = KEYS_F1 + 11,
};

#define KEYS_CTRL(letter) ((letter)&0x1F)
#define KEYS_NAME_MAX 16

/* How a person calls a key: "j", "space", "PgUp", "F6", "Ctrl-L", "↑". Returns out. */
const char *keys_name(int key, char out[KEYS_NAME_MAX]);

#endif
