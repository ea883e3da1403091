/* SPDX-License-Identifier: MIT */
/* The screen of a process as a text file, and the selected task on the clipboard. */
#include <stdio.h>

#include "client/tui_impl.h"
#include "client/tui_text.h"
#include "client/view/columns.h"
#include "client/view/detail.h"
#include "common/cleanup.h"

void
tui_save(struct tui *tui)
{
    CLEANUP(buf_done) struct buf detail;
    char name[16];

    buf_init(&detail, TUI_TEXT_SAVE_MAX);
    if (tui->parts.detail.ops) {
        buf_puts(&detail, "\n");
        detail_text(&tui->model, &detail);
    }
    snprintf(name, sizeof name, "%d", (int)tui->model.pid);
    tui_text_save(&tui->model, name, &tui->screen.surface, &detail);
}

/* The selected row, its cells separated by tabs. */
static bool
row_text(const struct model *model, struct buf *out)
{
    const struct task_row *row = window_selected(&model->window, &model->page);
    struct columns_cell cell;

    if (!row)
        return false;
    for (int i = 0; i < columns_count; i++) {
        columns_cell(model, row, i, 1 << 10, &cell);
        buf_printf(out, "%s%s", i ? "  " : "", cell.text);
    }
    return true;
}

void
tui_copy(struct tui *tui)
{
    CLEANUP(buf_done) struct buf text;

    buf_init(&text, TUI_TEXT_COPY_MAX);
    if (screen_detail_has_keys(&tui->parts)) {
        detail_text(&tui->model, &text);
    } else if (!row_text(&tui->model, &text)) {
        model_note(&tui->model, NOTE_INFO, "no task is selected");
        return;
    }
    tui_text_copy(&tui->model, tui->screen.terminal, &text);
}
