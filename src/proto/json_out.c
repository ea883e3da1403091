/* SPDX-License-Identifier: MIT */
/*
 * Each value reserves its room once and then writes digits by hand: an answer of a hundred thousand
 * task rows is two million values, and printf would also follow the locale of the host process.
 * Control characters are escaped, C1 and DEL too, since people read these lines on terminals.
 */
#include "proto/json_out.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/utf8.h"

#define INTEGER_MAX 21     /* a comma, a sign, and digits: 20 of an unsigned, 19 of a signed one */
#define FIXED_MAX 32       /* of a value below FIXED_LIMIT */
#define FIXED_DECIMALS 9   /* more are cut */
#define FIXED_LIMIT 9.0e18 /* what scaled still fits 64 bits */
#define HUGE_DIGITS 312    /* of the largest double, without decimals */

static const char digit_pairs[] = "0001020304050607080910111213141516171819"
                                  "2021222324252627282930313233343536373839"
                                  "4041424344454647484950515253545556575859"
                                  "6061626364656667686970717273747576777879"
                                  "8081828384858687888990919293949596979899";

void
json_out_init(struct json_out *out, struct buf *buf)
{
    *out = (struct json_out){.buf = buf};
}

/* Room for n bytes and the comma before them, which it writes; NULL when there is none. */
static char *
begin(struct json_out *out, size_t n)
{
    struct buf *buf = out->buf;
    if (buf_reserve(buf, n + out->comma) < 0)
        return NULL;
    char *p = buf->data + buf->len;
    if (out->comma)
        *p++ = ',';
    out->comma = true;
    return p;
}

static void
end(struct json_out *out, const char *p)
{
    out->buf->len = (size_t)(p - out->buf->data);
}

static void
put_literal(struct json_out *out, const char *text, size_t n)
{
    char *p = begin(out, n);
    if (!p)
        return;
    memcpy(p, text, n);
    end(out, p + n);
}

static void
open_with(struct json_out *out, char bracket)
{
    put_literal(out, &bracket, 1);
    out->comma = false;
}

static void
close_with(struct json_out *out, char bracket)
{
    out->comma = false;
    put_literal(out, &bracket, 1);
}

void
json_out_object(struct json_out *out)
{
    open_with(out, '{');
}

void
json_out_object_end(struct json_out *out)
{
    close_with(out, '}');
}

void
json_out_array(struct json_out *out)
{
    open_with(out, '[');
}

void
json_out_array_end(struct json_out *out)
{
    close_with(out, ']');
}

void
json_out_key(struct json_out *out, const char *key)
{
    size_t n = strlen(key);
    char *p = begin(out, n + 3);
    if (!p)
        return;
    *p++ = '"';
    memcpy(p, key, n);
    p += n;
    *p++ = '"';
    *p++ = ':';
    end(out, p);
    out->comma = false;
}

/* How many bytes from text on need no escaping; a whole valid character counts, or none of it. */
static size_t
plain_run(const char *text, size_t n)
{
    size_t pos = 0;
    while (pos < n) {
        unsigned char c = (unsigned char)text[pos];
        if (c >= 0x20 && c < 0x7F) {
            if (c == '"' || c == '\\')
                break;
            pos++;
            continue;
        }
        if (c < 0x80)
            break;
        uint32_t character;
        size_t len = utf8_decode(text + pos, n - pos, &character);
        if (len == 1 || character < 0xA0)
            break;
        pos += len;
    }
    return pos;
}

/* Writes one character that may not stand as it is; returns its length in text. */
static size_t
put_escaped(struct buf *buf, const char *text, size_t n)
{
    static const char from[] = "\"\\\n\t\r\b\f";
    static const char to[] = "\"\\ntrbf";
    static const char hex[] = "0123456789abcdef";
    uint32_t character;
    size_t len = utf8_decode(text, n, &character);
    const char *known = character && character < 0x80 ? strchr(from, (int)character) : NULL;
    if (known) {
        const char pair[2] = {'\\', to[known - from]};
        (void)buf_append(buf, pair, sizeof(pair));
    } else if (character < 0xA0) {
        const char escape[6] = {'\\', 'u', '0', '0', hex[character >> 4], hex[character & 15]};
        (void)buf_append(buf, escape, sizeof(escape));
    } else {
        char bytes[4];
        (void)buf_append(buf, bytes, utf8_encode(character, bytes));
    }
    return len;
}

void
json_out_string_n(struct json_out *out, const char *text, size_t n)
{
    size_t run = plain_run(text, n);
    char *p = begin(out, run + 2);
    if (!p)
        return;
    *p++ = '"';
    if (run > 0)
        memcpy(p, text, run);
    p += run;
    if (run == n) {
        *p++ = '"';
        end(out, p);
        return;
    }
    end(out, p);
    for (size_t pos = run; pos < n;) {
        pos += put_escaped(out->buf, text + pos, n - pos);
        run = plain_run(text + pos, n - pos);
        (void)buf_append(out->buf, text + pos, run);
        pos += run;
    }
    (void)buf_append(out->buf, "\"", 1);
}

void
json_out_string(struct json_out *out, const char *text)
{
    json_out_string_n(out, text, strlen(text));
}

/* Writes the digits of value and returns their end. */
static char *
put_digits(char *p, uint64_t value)
{
    /* most values of a row: -1, 0, an index, a bit */
    if (value < 10) {
        *p = (char)('0' + value);
        return p + 1;
    }
    char digits[20];
    char *d = digits + sizeof(digits);
    while (value >= 100) {
        d -= 2;
        memcpy(d, digit_pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10) {
        d -= 2;
        memcpy(d, digit_pairs + value * 2, 2);
    } else {
        *--d = (char)('0' + value);
    }
    size_t n = (size_t)(digits + sizeof(digits) - d);
    memcpy(p, d, n);
    return p + n;
}

void
json_out_uint(struct json_out *out, uint64_t value)
{
    char *p = begin(out, INTEGER_MAX);
    if (p)
        end(out, put_digits(p, value));
}

void
json_out_int(struct json_out *out, int64_t value)
{
    char *p = begin(out, INTEGER_MAX);
    if (!p)
        return;
    if (value < 0)
        *p++ = '-';
    end(out, put_digits(p, value < 0 ? 0 - (uint64_t)value : (uint64_t)value));
}

/* A value too large for its decimals to matter; without any, "%.0f" knows no locale. */
static void
put_huge(struct json_out *out, double value)
{
    char text[HUGE_DIGITS];
    int n = snprintf(text, sizeof(text), "%.0f", value);
    put_literal(out, text, (size_t)n);
}

void
json_out_fixed(struct json_out *out, double value, int decimals)
{
    static const uint64_t powers[FIXED_DECIMALS + 1] = {
        1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};
    if (!isfinite(value)) {
        json_out_null(out);
        return;
    }
    decimals = decimals < 0 ? 0 : decimals > FIXED_DECIMALS ? FIXED_DECIMALS : decimals;
    while (decimals > 0 && fabs(value) * (double)powers[decimals] >= FIXED_LIMIT)
        decimals--;
    if (fabs(value) >= FIXED_LIMIT) {
        put_huge(out, value);
        return;
    }
    char *p = begin(out, FIXED_MAX);
    if (!p)
        return;
    uint64_t scaled = (uint64_t)(fabs(value) * (double)powers[decimals] + 0.5);
    if (value < 0 && scaled > 0)
        *p++ = '-';
    p = put_digits(p, scaled / powers[decimals]);
    if (decimals > 0)
        *p++ = '.';
    uint64_t rest = scaled % powers[decimals];
    for (int i = decimals; i > 0; i--)
        *p++ = (char)('0' + rest / powers[i - 1] % 10);
    end(out, p);
}

void
json_out_bool(struct json_out *out, bool value)
{
    if (value)
        put_literal(out, "true", 4);
    else
        put_literal(out, "false", 5);
}

void
json_out_null(struct json_out *out)
{
    put_literal(out, "null", 4);
}

void
json_out_raw(struct json_out *out, const char *json, size_t n)
{
    put_literal(out, json, n);
}

void
json_out_kv_string(struct json_out *out, const char *key, const char *text)
{
    json_out_key(out, key);
    if (text)
        json_out_string(out, text);
    else
        json_out_null(out);
}

void
json_out_kv_uint(struct json_out *out, const char *key, uint64_t value)
{
    json_out_key(out, key);
    json_out_uint(out, value);
}

void
json_out_kv_int(struct json_out *out, const char *key, int64_t value)
{
    json_out_key(out, key);
    json_out_int(out, value);
}

void
json_out_kv_fixed(struct json_out *out, const char *key, double value, int decimals)
{
    json_out_key(out, key);
    json_out_fixed(out, value, decimals);
}

void
json_out_kv_bool(struct json_out *out, const char *key, bool value)
{
    json_out_key(out, key);
    json_out_bool(out, value);
}

void
json_out_kv_null(struct json_out *out, const char *key)
{
    json_out_key(out, key);
    json_out_null(out);
}
