/* SPDX-License-Identifier: MIT */
/* Recursive descent; max_depth bounds the recursion, and each byte is looked at once. */
#include "proto/json_check.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/utf8.h"

struct check {
    const char *at, *end;
    unsigned depth, max_depth;
    const char *member; /* NULL: nothing is looked for */
    struct json_span found;
};

static int value(struct check *c);

static bool
more(const struct check *c)
{
    return c->at < c->end;
}

static void
skip_blanks(struct check *c)
{
    while (more(c) && (*c->at == ' ' || *c->at == '\t' || *c->at == '\r' || *c->at == '\n'))
        c->at++;
}

/* Steps over a character if it is the next one. */
static bool
take(struct check *c, char wanted)
{
    if (!more(c) || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

static int
literal(struct check *c, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0)
        return -EBADMSG;
    c->at += n;
    return 0;
}

static bool
digits(struct check *c)
{
    const char *start = c->at;
    while (more(c) && *c->at >= '0' && *c->at <= '9')
        c->at++;
    return c->at > start;
}

static int
number(struct check *c)
{
    (void)take(c, '-');
    if (!take(c, '0') && !digits(c))
        return -EBADMSG;
    if (take(c, '.') && !digits(c))
        return -EBADMSG;
    if (take(c, 'e') || take(c, 'E')) {
        if (!take(c, '+'))
            (void)take(c, '-');
        if (!digits(c))
            return -EBADMSG;
    }
    return 0;
}

/* The value of four hexadecimal digits, or -1. */
static int
hex4(struct check *c)
{
    int code = 0;
    if (c->end - c->at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char x = *c->at++;
        if (x >= '0' && x <= '9')
            code = code << 4 | (x - '0');
        else if ((x >= 'a' && x <= 'f') || (x >= 'A' && x <= 'F'))
            code = code << 4 | ((x & ~0x20) - 'A' + 10);
        else
            return -1;
    }
    return code;
}

static int
hex_escape(struct check *c)
{
    int code = hex4(c);
    if (code < 0)
        return -EBADMSG;
    if (code == 0 || (code >= 0xDC00 && code <= 0xDFFF))
        return -EILSEQ;
    if (code < 0xD800 || code > 0xDBFF)
        return 0;
    if (literal(c, "\\u") < 0)
        return -EILSEQ;
    int low = hex4(c);
    return low >= 0xDC00 && low <= 0xDFFF ? 0 : -EILSEQ;
}

static int
escape(struct check *c)
{
    if (!more(c) || *c->at == '\0')
        return -EBADMSG;
    char kind = *c->at++;
    if (kind == 'u')
        return hex_escape(c);
    return strchr("\"\\/bfnrt", kind) ? 0 : -EBADMSG;
}

static int
string(struct check *c)
{
    if (!take(c, '"'))
        return -EBADMSG;
    while (more(c)) {
        unsigned char byte = (unsigned char)*c->at;
        uint32_t character;
        size_t n = utf8_decode(c->at, (size_t)(c->end - c->at), &character);
        if (byte >= 0x80 && n == 1)
            return -EILSEQ;
        if (byte < 0x20)
            return -EBADMSG;
        c->at += n;
        if (byte == '"')
            return 0;
        if (byte != '\\')
            continue;
        int r = escape(c);
        if (r < 0)
            return r;
    }
    return -EBADMSG;
}

static bool
is_wanted(const struct check *c, const char *key, const char *key_end)
{
    if (!c->member || c->depth != 1 || c->found.text)
        return false;
    size_t n = strlen(c->member);
    return (size_t)(key_end - key) == n + 2 && memcmp(key + 1, c->member, n) == 0;
}

static int
object_member(struct check *c)
{
    skip_blanks(c);
    const char *key = c->at;
    int r = string(c);
    if (r < 0)
        return r;
    bool wanted = is_wanted(c, key, c->at);
    skip_blanks(c);
    if (!take(c, ':'))
        return -EBADMSG;
    skip_blanks(c);
    const char *start = c->at;
    r = value(c);
    if (r == 0 && wanted)
        c->found = (struct json_span){start, (size_t)(c->at - start)};
    return r;
}

/* The items between brackets, of which the opening one was taken already. */
static int
items(struct check *c, char closing, int (*item)(struct check *))
{
    if (c->depth == c->max_depth)
        return -ELOOP;
    c->depth++;
    skip_blanks(c);
    if (!take(c, closing)) {
        do {
            int r = item(c);
            if (r < 0)
                return r;
            skip_blanks(c);
        } while (take(c, ','));
        if (!take(c, closing))
            return -EBADMSG;
    }
    c->depth--;
    return 0;
}

static int
value(struct check *c)
{
    skip_blanks(c);
    if (!more(c))
        return -EBADMSG;
    switch (*c->at) {
    case '{':
        c->at++;
        return items(c, '}', object_member);
    case '[':
        c->at++;
        return items(c, ']', value);
    case '"':
        return string(c);
    case 't':
        return literal(c, "true");
    case 'f':
        return literal(c, "false");
    case 'n':
        return literal(c, "null");
    default:
        return number(c);
    }
}

int
json_check(const char *text, size_t n, unsigned max_depth, const char *member,
    struct json_span *ret_member)
{
    struct check c = {.at = text, .end = text + n, .max_depth = max_depth, .member = member};
    int r = value(&c);
    if (r < 0)
        return r;
    skip_blanks(&c);
    if (more(&c))
        return -EBADMSG;
    if (ret_member)
        *ret_member = c.found;
    return 0;
}
