/* SPDX-License-Identifier: MIT */
/* The screen as a text file, and text on the clipboard of the terminal. */
#ifndef LOOPTOP_CLIENT_TUI_TEXT_H
#define LOOPTOP_CLIENT_TUI_TEXT_H

#include "client/screen/surface_curses.h"
#include "common/buf.h"

#define TUI_TEXT_SAVE_MAX (4 * 1024 * 1024)
#define TUI_TEXT_COPY_MAX (48 * 1024) /* more does not fit in the sequence that terminals take */

struct model;

/*
 * Writes what is drawn, and more (NULL: nothing), into a new file looptop-NAME-TIME.txt of the
 * working directory. What became of it is noted in the model.
 */
void tui_text_save(
    struct model *model, const char *name, const struct surface *surface, const struct buf *more);

/* Hands text to the terminal's clipboard, and notes it. */
void tui_text_copy(struct model *model, struct surface_curses *terminal, const struct buf *text);

#endif
