/* SPDX-License-Identifier: MIT */
/*
 * Strict UTF-8: overlong forms, surrogates and anything above U+10FFFF are invalid, byte by byte.
 * Widths are in utf8_width.c.
 */
#include "common/utf8.h"

#include <stdbool.h>
#include <string.h>

#define REPLACEMENT 0xFFFDu
#define ELLIPSIS "\xE2\x80\xA6"
#define ELLIPSIS_LEN 3

/* Length by the first byte, its payload, and the smallest character that needs that length. */
static size_t
lead(unsigned char byte, uint32_t *ret_bits, uint32_t *ret_least)
{
    if (byte >= 0xC2 && byte <= 0xDF) {
        *ret_bits = byte & 0x1Fu;
        *ret_least = 0x80;
        return 2;
    }
    if ((byte & 0xF0u) == 0xE0) {
        *ret_bits = byte & 0x0Fu;
        *ret_least = 0x800;
        return 3;
    }
    if (byte >= 0xF0 && byte <= 0xF4) {
        *ret_bits = byte & 0x07u;
        *ret_least = 0x10000;
        return 4;
    }
    return 0;
}

static bool
is_scalar(uint32_t character)
{
    return character <= 0x10FFFF && (character < 0xD800 || character > 0xDFFF);
}

/* As utf8_decode, but 0 for an invalid byte. */
static size_t
decode_strict(const char *text, size_t n, uint32_t *ret_char)
{
    unsigned char first = (unsigned char)text[0];
    if (first < 0x80) {
        *ret_char = first;
        return 1;
    }
    uint32_t character = 0, least = 0;
    size_t len = lead(first, &character, &least);
    if (len == 0 || len > n)
        return 0;
    for (size_t i = 1; i < len; i++) {
        unsigned char byte = (unsigned char)text[i];
        if ((byte & 0xC0u) != 0x80)
            return 0;
        character = character << 6 | (byte & 0x3Fu);
    }
    if (character < least || !is_scalar(character))
        return 0;
    *ret_char = character;
    return len;
}

size_t
utf8_decode(const char *text, size_t n, uint32_t *ret_char)
{
    size_t len = decode_strict(text, n, ret_char);
    if (len > 0)
        return len;
    *ret_char = REPLACEMENT;
    return 1;
}

size_t
utf8_encode(uint32_t character, char out[4])
{
    if (!is_scalar(character))
        character = REPLACEMENT;
    if (character < 0x80) {
        out[0] = (char)character;
        return 1;
    }
    size_t len = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    static const unsigned char marks[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (char)(0x80u | (character & 0x3Fu));
        character >>= 6;
    }
    out[0] = (char)(marks[len] | character);
    return len;
}

size_t
utf8_prefix(const char *text, size_t n, size_t max)
{
    size_t end = n < max ? n : max;
    size_t pos = 0;
    uint32_t character;
    while (pos < end) {
        size_t len = decode_strict(text + pos, end - pos, &character);
        if (len == 0)
            break;
        pos += len;
    }
    return pos;
}

size_t
utf8_width(const char *text, size_t n)
{
    size_t width = 0;
    uint32_t character;
    for (size_t pos = 0; pos < n;) {
        pos += utf8_decode(text + pos, n - pos, &character);
        width += (size_t)utf8_char_width(character);
    }
    return width;
}

size_t
utf8_copy(char *out, size_t size, const char *text, size_t n)
{
    if (size == 0)
        return 0;
    size_t room = size - 1;
    size_t len = 0;
    size_t cut = 0; /* where an ellipsis would still fit */
    size_t pos = 0;
    while (pos < n) {
        uint32_t character;
        char bytes[4];
        size_t step = utf8_decode(text + pos, n - pos, &character);
        /* a NUL would end the copy early for whoever reads it */
        size_t need = utf8_encode(character ? character : REPLACEMENT, bytes);
        if (need > room - len)
            break;
        memcpy(out + len, bytes, need);
        len += need;
        pos += step;
        if (len + ELLIPSIS_LEN <= room)
            cut = len;
    }
    if (pos < n && room >= ELLIPSIS_LEN) {
        memcpy(out + cut, ELLIPSIS, ELLIPSIS_LEN);
        len = cut + ELLIPSIS_LEN;
    }
    out[len] = '\0';
    return len;
}
