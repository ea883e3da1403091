/* SPDX-License-Identifier: MIT */
/*
 * The screen as a text file, and the selected task on the clipboard. What leaves the program here
 * will be read by other programs, so control characters are replaced in it too.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/screen/surface_dump.h"
#include "client/tui_impl.h"
#include "client/view/columns.h"
#include "client/view/detail.h"
#include "common/buf.h"
#include "common/cleanup.h"

#define SAVE_MAX (4 * 1024 * 1024)
#define COPY_MAX (48 * 1024) /* more does not fit in the sequence that terminals take */

/* What is not a line's end goes through the gate that the screen has too. */
static void
clean(const struct buf *text, struct buf *out)
{
    const char *at = text->data;
    size_t n = text->len;

    while (n > 0) {
        struct glyph glyph = {.text = "\n"};
        size_t used = *at == '\n' ? 1 : glyph_next(at, n, false, &glyph);
        buf_puts(out, glyph.text);
        at += used;
        n -= used;
    }
}

static int
write_file(const char *path, const struct buf *buf)
{
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    size_t done = 0;

    if (fd < 0)
        return -errno;
    while (done < buf->len) {
        ssize_t n = write(fd, buf->data + done, buf->len - done);
        if (n < 0 && errno != EINTR)
            return -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

void
tui_save(struct tui *tui)
{
    struct model *model = &tui->model;
    CLEANUP(buf_done) struct buf drawn;
    CLEANUP(buf_done) struct buf buf;
    char path[96], when[32] = "";
    time_t now = (time_t)model->now_s;
    struct tm tm;

    buf_init(&drawn, SAVE_MAX);
    buf_init(&buf, 3 * SAVE_MAX);
    surface_dump(&tui->surface, &drawn);
    if (tui->parts.detail.ops) {
        buf_puts(&drawn, "\n");
        detail_text(model, &drawn);
    }
    clean(&drawn, &buf);
    if (localtime_r(&now, &tm))
        strftime(when, sizeof when, "%Y%m%d-%H%M%S", &tm);
    snprintf(path, sizeof path, "looptop-%d-%s.txt", (int)model->pid, when);
    int error = drawn.error ? drawn.error : buf.error ? buf.error : write_file(path, &buf);
    if (error < 0)
        model_note(model, NOTE_ERROR, "%s: %s", path, strerror(-error));
    else
        model_note(model, NOTE_INFO, "saved as %s", path);
}

static void
append_base64(struct buf *out, const unsigned char *bytes, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < n; i += 3) {
        unsigned group = (unsigned)bytes[i] << 16;
        group |= i + 1 < n ? (unsigned)bytes[i + 1] << 8 : 0;
        group |= i + 2 < n ? bytes[i + 2] : 0;
        char four[4] = {digits[group >> 18], digits[group >> 12 & 63],
            i + 1 < n ? digits[group >> 6 & 63] : '=', i + 2 < n ? digits[group & 63] : '='};
        buf_append(out, four, sizeof four);
    }
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
    struct model *model = &tui->model;
    CLEANUP(buf_done) struct buf text;
    CLEANUP(buf_done) struct buf cleaned;
    CLEANUP(buf_done) struct buf sequence;

    buf_init(&text, COPY_MAX);
    buf_init(&cleaned, COPY_MAX);
    buf_init(&sequence, 2 * COPY_MAX);
    if (screen_detail_has_keys(&tui->parts)) {
        detail_text(model, &text);
    } else if (!row_text(model, &text)) {
        model_note(model, NOTE_INFO, "no task is selected");
        return;
    }
    clean(&text, &cleaned);
    buf_puts(&sequence, "\033]52;c;");
    append_base64(&sequence, (const unsigned char *)cleaned.data, cleaned.len);
    buf_puts(&sequence, "\a");
    if (text.error || cleaned.error || sequence.error) {
        model_note(model, NOTE_ERROR, "too much to copy");
        return;
    }
    surface_curses_raw(tui->terminal, sequence.data, sequence.len);
    model_note(model, NOTE_INFO, "copied, if the terminal takes it (OSC 52)");
}
