/* SPDX-License-Identifier: MIT */
/*
 * What leaves the program as text will be read by other programs, so control characters are
 * replaced in it too.
 */
#include "client/tui_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/model/model.h"
#include "client/screen/surface_dump.h"
#include "common/cleanup.h"

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
tui_text_save(
    struct model *model, const char *name, const struct surface *surface, const struct buf *more)
{
    CLEANUP(buf_done) struct buf drawn;
    CLEANUP(buf_done) struct buf buf;
    char path[96], when[32] = "";
    time_t now = (time_t)model->now_s;
    struct tm tm;

    buf_init(&drawn, TUI_TEXT_SAVE_MAX);
    buf_init(&buf, 3 * TUI_TEXT_SAVE_MAX);
    surface_dump(surface, &drawn);
    if (more)
        buf_append(&drawn, more->data, more->len);
    clean(&drawn, &buf);
    if (localtime_r(&now, &tm))
        strftime(when, sizeof when, "%Y%m%d-%H%M%S", &tm);
    snprintf(path, sizeof path, "looptop-%s-%s.txt", name, when);
    int error = drawn.error           ? drawn.error
                : more && more->error ? more->error
                : buf.error           ? buf.error
                                      : write_file(path, &buf);
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

void
tui_text_copy(struct model *model, struct surface_curses *terminal, const struct buf *text)
{
    CLEANUP(buf_done) struct buf cleaned;
    CLEANUP(buf_done) struct buf sequence;

    buf_init(&cleaned, TUI_TEXT_COPY_MAX);
    buf_init(&sequence, 2 * TUI_TEXT_COPY_MAX);
    clean(text, &cleaned);
    buf_puts(&sequence, "\033]52;c;");
    append_base64(&sequence, (const unsigned char *)cleaned.data, cleaned.len);
    buf_puts(&sequence, "\a");
    if (text->error || cleaned.error || sequence.error) {
        model_note(model, NOTE_ERROR, "too much to copy");
        return;
    }
    surface_curses_raw(terminal, sequence.data, sequence.len);
    model_note(model, NOTE_INFO, "copied, if the terminal takes it (OSC 52)");
}
