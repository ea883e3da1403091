/* SPDX-License-Identifier: MIT */
/*
 * One byte more than cap is always allocated, so that vsnprintf may write its terminator without
 * counting it against the limit.
 */
#include "common/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST 256

void
buf_init(struct buf *buf, size_t max)
{
    *buf = (struct buf){.max = max};
}

void
buf_done(struct buf *buf)
{
    if (!buf)
        return;
    free(buf->data);
    buf_init(buf, buf->max);
}

void
buf_clear(struct buf *buf)
{
    buf->len = 0;
    buf->error = 0;
}

static int
grow(struct buf *buf, size_t n)
{
    if (n > buf->max - buf->len)
        return buf->error = -E2BIG;
    size_t need = buf->len + n;
    size_t cap = buf->cap ? buf->cap : BUF_FIRST;
    while (cap < need && cap <= buf->max / 2)
        cap *= 2;
    if (cap < need || cap > buf->max)
        cap = buf->max;
    if (cap == SIZE_MAX)
        return buf->error = -ENOMEM;
    char *data = realloc(buf->data, cap + 1);
    if (!data)
        return buf->error = -ENOMEM;
    buf->data = data;
    buf->cap = cap;
    return 0;
}

int
buf_reserve(struct buf *buf, size_t n)
{
    if (buf->error)
        return buf->error;
    if (n <= buf->cap - buf->len)
        return 0;
    return grow(buf, n);
}

int
buf_append(struct buf *buf, const void *bytes, size_t n)
{
    int r = buf_reserve(buf, n);
    if (r < 0)
        return r;
    if (n > 0)
        memcpy(buf->data + buf->len, bytes, n);
    buf->len += n;
    return 0;
}

int
buf_puts(struct buf *buf, const char *text)
{
    return buf_append(buf, text, strlen(text));
}

int
buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0 && !buf->error)
        buf->error = -E2BIG;
    /* an empty text, too, needs a place for the terminator */
    if (n <= 0)
        return buf->error;
    int r = buf_reserve(buf, (size_t)n);
    if (r < 0)
        return r;
    va_start(args, format);
    (void)vsnprintf(buf->data + buf->len, (size_t)n + 1, format, args);
    va_end(args);
    buf->len += (size_t)n;
    return 0;
}

void
buf_consume(struct buf *buf, size_t n)
{
    if (n >= buf->len) {
        buf->len = 0;
        return;
    }
    buf->len -= n;
    memmove(buf->data, buf->data + n, buf->len);
}
