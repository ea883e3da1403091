/* SPDX-License-Identifier: MIT */
/* Bytes to standard output, and what it can show. */
#include "client/out.h"

#include <errno.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/verb.h"
#include "common/fmt.h"
#include "common/parse.h"

#define WIDTH_MAX 10000

static bool force_ascii;
static int
    failed; /* once a write failed nothing more is written: a gap would be worse than an end */

int
out_flush(struct buf *buf)
{
    size_t at = 0;
    int r = failed ? failed : buf->error;

    if (r < 0 && !failed)
        (void)verb_fail(0, "output: %s", strerror(-r));
    (void)fflush(stdout);
    while (r == 0 && at < buf->len) {
        ssize_t n = write(STDOUT_FILENO, buf->data + at, buf->len - at);

        if (n >= 0) {
            at += (size_t)n;
        } else if (errno != EINTR) {
            r = -errno;
            if (r != -EPIPE)
                (void)verb_fail(0, "cannot write the output: %s", strerror(-r));
        }
    }
    buf_clear(buf);
    failed = r;
    return r;
}

int
out_flush_some(struct buf *buf)
{
    return buf->len > OUT_CHUNK || buf->error ? out_flush(buf) : 0;
}

int
out_finish(struct buf *buf, int status)
{
    int r = out_flush(buf);

    buf_done(buf);
    return r < 0 && status == VERB_DONE ? VERB_NOT_SO : status;
}

unsigned
out_width(void)
{
    const char *columns = getenv("COLUMNS");
    struct winsize size;
    uint64_t value;

    if (!isatty(STDOUT_FILENO))
        return 0;
    if (columns && parse_uint_text(columns, 1, WIDTH_MAX, &value) == 0)
        return (unsigned)value;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

bool
out_utf8(void)
{
    return !force_ascii && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

void
out_force_ascii(void)
{
    force_ascii = true;
    fmt_set_ascii(true);
}

/* One '?' for each character that is not ASCII. */
static void
replace_non_ascii(char *text)
{
    char *to = text;

    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;

        if (c < 0x80)
            *to++ = (char)c;
        else if (c >= 0xc0)
            *to++ = '?';
    }
    *to = '\0';
}

char *
out_clean(char *out, size_t size, const char *text)
{
    (void)fmt_clean(out, size, text);
    if (!out_utf8())
        replace_non_ascii(out);
    return out;
}

const char *
out_at_least(void)
{
    return out_utf8() ? "≥" : ">=";
}

char *
out_sparkline(char *out, size_t size, const double *values, size_t count, size_t width)
{
    static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const ascii[] = {"_", ".", ":", "-", "=", "+", "*", "#"};
    const char *const *levels = out_utf8() ? bars : ascii;
    size_t first = count > width ? count - width : 0, len = 0;
    double max = 0;

    for (size_t i = first; i < count; i++)
        if (values[i] > max)
            max = values[i];
    for (size_t i = first; i < count; i++) {
        int level = max > 0 && values[i] > 0 ? (int)(values[i] / max * 7 + 0.5) : 0;
        const char *bar = values[i] == values[i] ? levels[level] : " ";
        size_t n = strlen(bar);

        if (len + n + 1 > size)
            break;
        memcpy(out + len, bar, n);
        len += n;
    }
    out[len] = '\0';
    return out;
}
