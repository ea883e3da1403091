/* SPDX-License-Identifier: MIT */
/*
 * Rounding comes before the choice of the unit: 999.7 us is 1.00ms, never "1000us". snprintf's
 * decimal point follows LC_NUMERIC, which neither the agent's host nor the client sets for us, so
 * the digits are laid out by hand.
 */
#include "common/fmt.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/utf8.h"

/* The nearest whole number of one that is not negative; libm's would be one more library to need.
 */
static long
whole(double value)
{
    return (long)(value + 0.5);
}

/* Writes value with three significant digits, or fewer where the rest is zero-free already. */
static void
three_digits(char out[FMT_SIZE], double value, const char *unit)
{
    long scaled, unit_of;

    if (value < 9.995) {
        scaled = whole(value * 100);
        unit_of = 100;
    } else if (value < 99.95) {
        scaled = whole(value * 10);
        unit_of = 10;
    } else {
        scaled = whole(value);
        unit_of = 1;
    }
    if (unit_of == 100 && scaled % 10 == 0) {
        scaled /= 10;
        unit_of = 10;
    }
    if (unit_of == 10 && scaled % 10 == 0) {
        scaled /= 10;
        unit_of = 1;
    }
    if (unit_of == 1)
        (void)snprintf(out, FMT_SIZE, "%ld%s", scaled, unit);
    else if (unit_of == 10)
        (void)snprintf(out, FMT_SIZE, "%ld.%ld%s", scaled / 10, scaled % 10, unit);
    else
        (void)snprintf(out, FMT_SIZE, "%ld.%02ld%s", scaled / 100, scaled % 100, unit);
}

static void
two_units(char out[FMT_SIZE], uint64_t big, char big_unit, uint64_t small, char small_unit)
{
    (void)snprintf(out, FMT_SIZE, "%llu%c%02llu%c", (unsigned long long)big % 1000, big_unit,
        (unsigned long long)small % 100, small_unit);
}

const char *
fmt_duration(char out[FMT_SIZE], double ns)
{
    uint64_t s;

    if (!(ns >= 0) || ns > 3e20) {
        (void)strcpy(out, "-");
        return out;
    }
    s = (uint64_t)whole(ns / 1e9 > 9e9 ? 9e9 : ns / 1e9);
    if (ns < 0.5)
        (void)strcpy(out, "0");
    else if (ns < 999.5)
        (void)snprintf(out, FMT_SIZE, "%ldns", whole(ns));
    else if (ns < 999.5e3)
        three_digits(out, ns / 1e3, "us");
    else if (ns < 999.5e6)
        three_digits(out, ns / 1e6, "ms");
    else if (ns < 59.95e9)
        three_digits(out, ns / 1e9, "s");
    else if (s < 3600)
        two_units(out, s / 60, 'm', s % 60, 's');
    else if (s < 86400)
        two_units(out, s / 3600, 'h', s / 60 % 60, 'm');
    else if (s < 100 * 86400ull)
        two_units(out, s / 86400, 'd', s / 3600 % 24, 'h');
    else
        (void)snprintf(out, FMT_SIZE, "%llud", (unsigned long long)(s / 86400));
    return out;
}

static const char *
scaled(char out[FMT_SIZE], double value, double base, double limit, const char *const units[5])
{
    size_t unit = 0;

    if (value != value) {
        (void)strcpy(out, "-");
        return out;
    }
    if (value < 0)
        value = 0;
    if (value > 9e17)
        value = 9e17;
    if (value < limit) {
        (void)snprintf(out, FMT_SIZE, "%ld", whole(value));
        return out;
    }
    while (value >= base - 0.5 && unit < 4) {
        value /= base;
        unit++;
    }
    three_digits(out, value, units[unit]);
    return out;
}

const char *
fmt_bytes(char out[FMT_SIZE], double bytes)
{
    static const char *const units[5] = {"", "K", "M", "G", "T"};

    return scaled(out, bytes, 1024, 1000, units);
}

const char *
fmt_count(char out[FMT_SIZE], double count)
{
    static const char *const units[5] = {"", "k", "M", "G", "T"};

    return scaled(out, count, 1000, 9999.5, units);
}

const char *
fmt_rate(char out[FMT_SIZE], double value)
{
    long tenths;

    if (!(value >= 0) || value >= 99.95)
        return fmt_count(out, value);
    tenths = whole(value * 10);
    if (tenths == 0)
        (void)strcpy(out, "0");
    else
        (void)snprintf(out, FMT_SIZE, "%ld.%ld", tenths / 10, tenths % 10);
    return out;
}

static uint32_t
harmless(uint32_t c)
{
    bool control = c < 0x20 || (c >= 0x7f && c < 0xa0);
    bool turns_direction = (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);

    return control || turns_direction ? '?' : c;
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
