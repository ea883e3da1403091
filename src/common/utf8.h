/* SPDX-License-Identifier: MIT */
/* UTF-8: validate, step, cut, width on a terminal. Pure. */
#ifndef LOOPTOP_COMMON_UTF8_H
#define LOOPTOP_COMMON_UTF8_H

#include <stddef.h>
#include <stdint.h>

/*
 * Decodes one character of at most n bytes. Returns its length, 1 to 4; an invalid byte is one
 * character U+FFFD of length 1. n must not be 0.
 */
size_t utf8_decode(const char *text, size_t n, uint32_t *ret_char);

/* Writes a character; returns its length, 1 to 4 (an invalid one is written as U+FFFD). */
size_t utf8_encode(uint32_t character, char out[4]);

/* Length of the longest valid prefix of at most max bytes that does not cut a character. */
size_t utf8_prefix(const char *text, size_t n, size_t max);

/* Terminal columns of a character: 0 (combining, control), 1, or 2 (wide). Independent of locale.
 */
int utf8_char_width(uint32_t character);

/* Terminal columns of n bytes of text. */
size_t utf8_width(const char *text, size_t n);

/*
 * Copies text into out (size bytes, terminated) cut to at most size-1 bytes; when something was cut
 * the end is U+2026. Invalid bytes become U+FFFD. Returns the length written.
 */
size_t utf8_copy(char *out, size_t size, const char *text, size_t n);

#endif
