/* SPDX-License-Identifier: MIT */
/*
 * One line, one statement; words are split at blanks, and a word `#` starts a comment (a colour is
 * a
 * `#` with digits right behind it). Palette names are known from their line on.
 */
#include "client/theme/parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/theme/resolve.h"

#define WORDS_MAX 12
#define LINE_MAX_BYTES 256
#define PALETTE_MAX 64
#define PALETTE_NAME_MAX 32

struct palette_entry {
    char name[PALETTE_NAME_MAX];
    struct theme_color color;
};

struct parser {
    const struct theme_source *source;
    struct theme *theme;
    unsigned line, wrong;
    struct palette_entry palette[PALETTE_MAX];
    size_t palette_count;
    char *words[WORDS_MAX];
    size_t count;
};

static void report(struct parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
report(struct parser *p, const char *format, ...)
{
    char text[160];
    va_list args;

    p->wrong++;
    if (!p->source->report)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    p->source->report(p->source->arg, p->line, text);
}

static bool
parse_index(const char *word, long max, int16_t *ret_index)
{
    char *end;
    long value = strtol(word, &end, 10);

    if (end == word || *end != '\0' || value < 0 || value > max)
        return false;
    *ret_index = (int16_t)value;
    return true;
}

static bool
parse_rgb(const char *word, struct theme_color *ret_color)
{
    if (word[0] != '#' || strlen(word) != 7 || strspn(word + 1, "0123456789abcdefABCDEF") != 6)
        return false;
    uint32_t rgb = (uint32_t)strtoul(word + 1, NULL, 16);
    *ret_color = (struct theme_color){true, rgb, theme_nearest_256(rgb), theme_nearest_16(rgb)};
    return true;
}

/* A colour where one is used: `default`, a palette name, #RRGGBB or an index of the 256. */
static bool
parse_color(struct parser *p, const char *word, struct theme_color *ret_color)
{
    int16_t index;

    if (strcmp(word, "default") == 0) {
        *ret_color = (struct theme_color){0};
        return true;
    }
    for (size_t i = p->palette_count; i-- > 0;) {
        if (strcmp(p->palette[i].name, word) == 0) {
            *ret_color = p->palette[i].color;
            return true;
        }
    }
    if (parse_rgb(word, ret_color))
        return true;
    if (parse_index(word, 255, &index)) {
        uint32_t rgb = theme_rgb_of_256(index);
        *ret_color = (struct theme_color){true, rgb, index, theme_nearest_16(rgb)};
        return true;
    }
    report(p, "no such colour: %.40s", word);
    return false;
}

static bool
parse_attr(const char *word, unsigned *attrs)
{
    static const struct {
        const char *name;
        unsigned bit;
    } names[] = {{"bold", THEME_BOLD}, {"dim", THEME_DIM}, {"underline", THEME_UNDERLINE},
        {"reverse", THEME_REVERSE}, {"italic", THEME_ITALIC}, {"none", 0}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i].name, word) == 0) {
            *attrs |= names[i].bit;
            return true;
        }
    }
    return false;
}

/* palette NAME #RRGGBB [256] [16] */
static void
parse_palette(struct parser *p)
{
    struct theme_color color;

    if (p->count < 3 || p->count > 5) {
        report(p, "expected: palette NAME #RRGGBB [256] [16]");
        return;
    }
    if (strlen(p->words[1]) >= PALETTE_NAME_MAX || p->palette_count == PALETTE_MAX) {
        report(p, "too many colours, or too long a name: %.40s", p->words[1]);
        return;
    }
    if (!parse_rgb(p->words[2], &color)) {
        report(p, "expected a colour as #RRGGBB: %.40s", p->words[2]);
        return;
    }
    if (p->count > 3 && !parse_index(p->words[3], 255, &color.index256))
        report(p, "expected a number from 0 to 255: %.40s", p->words[3]);
    if (p->count > 4 && !parse_index(p->words[4], 15, &color.index16))
        report(p, "expected a number from 0 to 15: %.40s", p->words[4]);
    struct palette_entry *entry = &p->palette[p->palette_count++];
    snprintf(entry->name, sizeof entry->name, "%s", p->words[1]);
    entry->color = color;
}

/* style ROLE FG BG [attrs] */
static void
parse_style(struct parser *p)
{
    struct theme_style style = {.set = true};

    if (p->count < 4) {
        report(p, "expected: style ROLE FOREGROUND BACKGROUND [attributes]");
        return;
    }
    int role = role_find(p->words[1]);
    if (role < 0) {
        report(p, "no such role: %.40s", p->words[1]);
        return;
    }
    if (!parse_color(p, p->words[2], &style.fg) || !parse_color(p, p->words[3], &style.bg))
        return;
    for (size_t i = 4; i < p->count; i++)
        if (!parse_attr(p->words[i], &style.attrs))
            report(p, "no such attribute: %.40s", p->words[i]);
    p->theme->styles[role] = style;
}

/* gradient NAME C1 [C2 C3]: the roles NAME.low, NAME.mid and NAME.high */
static void
parse_gradient(struct parser *p)
{
    static const char *const steps[] = {"low", "mid", "high"};
    struct theme_color color = {0};
    char name[64];

    if (p->count < 3 || p->count > 5) {
        report(p, "expected: gradient NAME COLOUR [COLOUR COLOUR]");
        return;
    }
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%.48s.%s", p->words[1], steps[i]);
        int role = role_find(name);
        if (role < 0) {
            report(p, "no such gradient: %.40s", p->words[1]);
            return;
        }
        if (i + 2 < p->count && !parse_color(p, p->words[i + 2], &color))
            return;
        p->theme->styles[role] = (struct theme_style){.set = true, .fg = color};
    }
}

static void
parse_inherit(struct parser *p)
{
    if (p->count != 2)
        report(p, "expected: inherit THEME");
    else if (!p->source->inherit || p->source->inherit(p->source->arg, p->words[1], p->theme) < 0)
        report(p, "cannot inherit from theme %.40s", p->words[1]);
}

static void
parse_words(struct parser *p)
{
    static const struct {
        const char *name;
        void (*parse)(struct parser *p);
    } statements[] = {{"palette", parse_palette}, {"style", parse_style},
        {"gradient", parse_gradient}, {"inherit", parse_inherit}};

    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        if (strcmp(p->words[0], statements[i].name) == 0) {
            statements[i].parse(p);
            return;
        }
    }
    report(p, "unknown word: %.40s", p->words[0]);
}

static void
parse_line(struct parser *p, const char *text, size_t n)
{
    char line[LINE_MAX_BYTES];
    char *rest = NULL;

    if (n >= sizeof line || memchr(text, '\0', n)) {
        report(p, "line too long, or not text");
        return;
    }
    memcpy(line, text, n);
    line[n] = '\0';
    p->count = 0;
    for (char *word = strtok_r(line, " \t\r,", &rest); word;
         word = strtok_r(NULL, " \t\r,", &rest)) {
        if (strcmp(word, "#") == 0)
            break;
        if (p->count == WORDS_MAX) {
            report(p, "too many words");
            return;
        }
        p->words[p->count++] = word;
    }
    if (p->count > 0)
        parse_words(p);
}

unsigned
theme_parse(const char *text, size_t n, const struct theme_source *source, struct theme *theme)
{
    struct parser p = {.source = source, .theme = theme};

    while (n > 0) {
        const char *newline = memchr(text, '\n', n);
        size_t len = newline ? (size_t)(newline - text) : n;
        p.line++;
        parse_line(&p, text, len);
        if (newline)
            len++;
        text += len;
        n -= len;
    }
    return p.wrong;
}
