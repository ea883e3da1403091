/* SPDX-License-Identifier: MIT */
/*
 * The one gate between texts of the target and the terminal. What the terminal would act upon
 * instead of showing is replaced here, so that no view can forget it.
 */
#include "client/screen/glyph.h"

#include <stdint.h>
#include <string.h>

#include "common/utf8.h"

#define REPLACEMENT 0xFFFDu
#define MARKS_MAX 2

static const struct {
    uint32_t character;
    char ascii;
} ascii_forms[] = {
    {0x2581, '_'}, {0x2582, '.'}, {0x2583, ':'}, {0x2584, '-'}, {0x2585, '='}, /* ▁▂▃▄▅ */
    {0x2586, '+'}, {0x2587, '*'}, {0x2588, '#'}, {0x258C, '>'},                /* ▆▇█▌ */
    {0x2500, '-'}, {0x2502, '|'}, {0x250C, '+'}, {0x2510, '+'}, {0x2514, '+'}, /* ─│┌┐└ */
    {0x2518, '+'}, {0x251C, '+'}, {0x2524, '+'}, {0x252C, '+'}, {0x2534, '+'}, /* ┘├┤┬┴ */
    {0x253C, '+'}, {0x25C6, '*'}, {0x25B6, '>'}, {0x25C7, '.'}, {0x2715, 'x'}, /* ┼◆▶◇✕ */
    {0x2713, 'v'}, {0x2717, '!'}, {0x2298, 'o'}, {0x25BC, 'v'}, {0x25B2, '^'}, /* ✓✗⊘▼▲ */
    {0x25B8, '>'}, {0x25A0, '#'}, {0x26A0, '!'}, {0x2022, '*'}, {0x00B7, '.'}, /* ▸■⚠•· */
    {0x2026, '~'}, {0x2014, '-'}, {0x2013, '-'}, {0x2265, '>'}, {0x00B5, 'u'}, /* …—–≥µ */
    {0x2190, '<'}, {0x2192, '>'}, {0x2191, '^'}, {0x2193, 'v'}, {0x00D7, 'x'}, /* ←→↑↓× */
    {0x03BC, 'u'}, {0x2264, '<'},                                              /* μ≤ */
};

/* Characters that change the order or the meaning of others instead of being shown. */
static bool
is_format(uint32_t c)
{
    return (c >= 0x200E && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
           (c >= 0x2060 && c <= 0x206F) || (c >= 0xFFF9 && c <= 0xFFFB) ||
           (c >= 0xE0000 && c <= 0xE007F) || c == 0x00AD || c == 0x061C || c == 0x180E;
}

/* Joiners and variation selectors: without them the same text is shown, in a known width. */
static bool
is_joiner(uint32_t c)
{
    return (c >= 0x200B && c <= 0x200D) || (c >= 0xFE00 && c <= 0xFE0F) || c == 0xFEFF ||
           (c >= 0xE0100 && c <= 0xE01EF);
}

static bool
is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0);
}

static char
ascii_form(uint32_t c)
{
    if (c < 0x80)
        return is_control(c) ? '?' : (char)c;
    for (size_t i = 0; i < sizeof ascii_forms / sizeof *ascii_forms; i++)
        if (ascii_forms[i].character == c)
            return ascii_forms[i].ascii;
    return '?';
}

static bool
is_mark(uint32_t c)
{
    return c >= 0x300 && !is_format(c) && !is_joiner(c) && utf8_char_width(c) == 0;
}

size_t
glyph_next(const char *text, size_t n, bool ascii, struct glyph *ret_glyph)
{
    uint32_t c;
    size_t used = utf8_decode(text, n, &c), len;

    memset(ret_glyph, 0, sizeof *ret_glyph);
    if (is_joiner(c))
        return used;
    if (is_control(c) || is_format(c))
        c = REPLACEMENT;
    ret_glyph->width = 1;
    if (ascii) {
        ret_glyph->text[0] = ascii_form(c);
        for (uint32_t mark; used < n; used += len) {
            len = utf8_decode(text + used, n - used, &mark);
            if (!is_mark(mark))
                break;
        }
        return used;
    }
    if (is_mark(c))
        c = REPLACEMENT; /* a mark with nothing below it */
    ret_glyph->width = utf8_char_width(c) == 2 ? 2 : 1;
    len = utf8_encode(c, ret_glyph->text);
    for (unsigned marks = 0; used < n; marks++) {
        uint32_t mark;
        size_t step = utf8_decode(text + used, n - used, &mark);
        if (!is_mark(mark))
            break;
        if (marks < MARKS_MAX)
            len += utf8_encode(mark, ret_glyph->text + len);
        used += step;
    }
    return used;
}

int
glyph_columns(const char *text, bool ascii, int limit)
{
    size_t n = strlen(text);
    int columns = 0;

    while (n > 0 && columns <= limit) {
        struct glyph glyph;
        size_t used = glyph_next(text, n, ascii, &glyph);
        columns += glyph.width;
        text += used;
        n -= used;
    }
    return columns;
}
