/* SPDX-License-Identifier: MIT */
/*
 * A growable byte buffer with an upper bound. Errors stick: after the first failed append every
 * later one fails too, so that a writer checks once, at the end.
 */
#ifndef LOOPTOP_COMMON_BUF_H
#define LOOPTOP_COMMON_BUF_H

#include <stddef.h>

struct buf {
    char *data; /* owned; not terminated */
    size_t len; /* bytes used */
    size_t cap; /* bytes allocated */
    size_t max; /* bytes at most */
    int error;  /* 0, -ENOMEM or -E2BIG; sticks */
};

/* Makes an empty buffer of at most max bytes; allocates nothing yet. */
void buf_init(struct buf *buf, size_t max);

/* Frees the bytes; NULL-safe, and the buffer is empty and usable again afterwards. */
void buf_done(struct buf *buf);

/* Forgets contents and error, keeps the allocation. */
void buf_clear(struct buf *buf);

/* Makes room for n more bytes. 0, -ENOMEM, -E2BIG. */
int buf_reserve(struct buf *buf, size_t n);

/* Appends n bytes. 0 or the buffer's error. */
int buf_append(struct buf *buf, const void *bytes, size_t n);

/* Appends a C string without its terminator. */
int buf_puts(struct buf *buf, const char *text);

/* Appends as printf does. */
int buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Drops the first n bytes (n <= len). */
void buf_consume(struct buf *buf, size_t n);

#endif
