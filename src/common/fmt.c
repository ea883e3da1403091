/* SPDX-License-Identifier: MIT */
/*
 * Rounding comes before the choice of the unit: 999.7 us is 1.0ms, never "1000us". snprintf's
 * decimal point follows LC_NUMERIC, which neither the agent's host nor the client sets for us, so
 * that the digits are laid out by hand; and libm would be one more library for the agent to need.
 */
#include "common/fmt.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/utf8.h"

#define DAY_S 86400ull

static bool ascii_only; /* relaxed atomic */

void
fmt_set_ascii(bool on)
{
    __atomic_store_n(&ascii_only, on, __ATOMIC_RELAXED);
}

static bool
is_ascii(void)
{
    return __atomic_load_n(&ascii_only, __ATOMIC_RELAXED);
}

const char *
fmt_unknown(void)
{
    return is_ascii() ? "-" : "\xE2\x80\x94";
}

/* The nearest whole number of one that is not negative and fits. */
static unsigned long
whole(double value)
{
    return (unsigned long)(value + 0.5);
}

/* A value below 1000; one decimal where it is below decimal_below. */
static void
figure(char out[FMT_SIZE], double value, double decimal_below, const char *unit)
{
    unsigned long tenths = whole(value * 10);
    if (value < decimal_below - 0.05)
        (void)snprintf(out, FMT_SIZE, "%lu.%lu%s", tenths / 10, tenths % 10, unit);
    else
        (void)snprintf(out, FMT_SIZE, "%lu%s", whole(value), unit);
}

static const char *
known(char out[FMT_SIZE], const char *text)
{
    (void)snprintf(out, FMT_SIZE, "%s", text);
    return out;
}

/* Two units side by side from a minute on; there nobody wants rounding, only what has passed. */
static void
long_duration(char out[FMT_SIZE], uint64_t s)
{
    unsigned long days = s / DAY_S, hours = s / 3600 % 24, minutes = s / 60 % 60;
    if (s < 3600)
        (void)snprintf(out, FMT_SIZE, "%lum%02lus", minutes, (unsigned long)(s % 60));
    else if (s < DAY_S)
        (void)snprintf(out, FMT_SIZE, "%luh%02lum", hours, minutes);
    else if (days < 100)
        (void)snprintf(out, FMT_SIZE, "%lud%02luh", days, hours);
    else if (days < 10000)
        (void)snprintf(out, FMT_SIZE, "%lud", days);
    else
        (void)snprintf(out, FMT_SIZE, "%luy", days / 365);
}

const char *
fmt_duration(char out[FMT_SIZE], double ns)
{
    if (!(ns >= 0) || ns > 1e20)
        return known(out, fmt_unknown());
    if (ns < 0.5)
        return known(out, "0");
    if (ns < 999.5)
        figure(out, ns, 0, "ns");
    else if (ns < 99.5e3)
        figure(out, ns / 1e3, 10, is_ascii() ? "us" : "\xC2\xB5s");
    else if (ns < 999.5e6)
        figure(out, ns / 1e6, 10, "ms");
    else if (ns < 59.5e9)
        figure(out, ns / 1e9, 10, "s");
    else
        long_duration(out, whole(ns / 1e9));
    return out;
}

/* A value of 1000 or more with the prefix that makes it less. */
static void
with_prefix(char out[FMT_SIZE], double value, double base, double decimal_below, char kilo)
{
    char prefix[] = {'\0', '\0'};
    static const char larger[] = "MGTPE";
    size_t i = 0;
    value /= base;
    for (prefix[0] = kilo; value >= 999.5 && larger[i]; i++) {
        value /= base;
        prefix[0] = larger[i];
    }
    figure(out, value < 9e6 ? value : 9e6, decimal_below, prefix);
}

const char *
fmt_bytes(char out[FMT_SIZE], double bytes)
{
    if (!(bytes >= 0))
        return known(out, fmt_unknown());
    if (bytes < 0.5)
        return known(out, "0");
    if (bytes < 999.5)
        figure(out, bytes, 0, "B");
    else
        with_prefix(out, bytes, 1024, 10, 'K');
    return out;
}

const char *
fmt_count(char out[FMT_SIZE], double count)
{
    if (!(count >= 0))
        return known(out, fmt_unknown());
    if (count < 9999.5)
        figure(out, count, 0, "");
    else
        with_prefix(out, count, 1000, 100, 'k');
    return out;
}

const char *
fmt_rate(char out[FMT_SIZE], double per_s)
{
    if (!(per_s >= 0))
        return known(out, fmt_unknown());
    if (per_s == 0)
        return known(out, "0");
    if (per_s < 0.095)
        (void)snprintf(out, FMT_SIZE, "0.%02lu", whole(per_s * 100));
    else if (per_s < 999.5)
        figure(out, per_s, 10, "");
    else
        with_prefix(out, per_s, 1000, 10, 'k');
    return out;
}

const char *
fmt_pct(char out[FMT_SIZE], double pct)
{
    if (!(pct >= 0))
        return known(out, fmt_unknown());
    figure(out, pct < 99999 ? pct : 99999, 100, "");
    return out;
}

static uint32_t
harmless(uint32_t c)
{
    bool control = c < 0x20 || (c >= 0x7f && c < 0xa0);
    /* separators of lines and paragraphs end a line for whoever reads the output by lines */
    bool separates = c == 0x2028 || c == 0x2029;
    bool turns_direction = (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);

    return control || separates || turns_direction ? '?' : c;
}

/* Copies clean characters while they fit into max bytes; returns the bytes used. */
static size_t
copy_clean(char *out, size_t max, const char *text, size_t n, bool *ret_all)
{
    size_t used = 0, at = 0;

    while (at < n) {
        char bytes[4];
        uint32_t c;
        size_t step = utf8_decode(text + at, n - at, &c), len = utf8_encode(harmless(c), bytes);

        if (used + len > max)
            break;
        memcpy(out + used, bytes, len);
        used += len;
        at += step;
    }
    *ret_all = at == n;
    return used;
}

char *
fmt_clean(char *out, size_t size, const char *text)
{
    size_t n = strlen(text), used;
    bool all;

    if (size == 0)
        return out;
    used = copy_clean(out, size - 1, text, n, &all);
    if (!all && size > 4) {
        used = copy_clean(out, size - 4, text, n, &all);
        used += utf8_encode(0x2026, out + used);
    }
    out[used] = '\0';
    return out;
}
