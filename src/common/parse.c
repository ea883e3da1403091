/* SPDX-License-Identifier: MIT */
/* By hand, since strtod and strtoull take blanks, signs and the locale's decimal point. */
#include "common/parse.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define DURATION_MAX_NS 9.2e18 /* what an int64_t of nanoseconds holds */

int
parse_uint(const char *text, size_t n, uint64_t min, uint64_t max, uint64_t *ret_value)
{
    uint64_t value = 0;
    bool over = false;
    if (n == 0)
        return -EINVAL;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -EINVAL;
        over |= __builtin_mul_overflow(value, 10u, &value);
        over |= __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value);
    }
    if (over || value < min || value > max)
        return -ERANGE;
    *ret_value = value;
    return 0;
}

int
parse_uint_text(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value)
{
    return text ? parse_uint(text, strlen(text), min, max, ret_value) : -EINVAL;
}

/* The number text begins with; returns how many bytes it takes, 0: there is none. */
static size_t
leading_number(const char *text, size_t n, double *ret_value)
{
    double value = 0, scale = 1;
    bool point = false;
    size_t pos = 0, digits = 0;
    for (; pos < n; pos++) {
        if (text[pos] == '.' && !point) {
            point = true;
            continue;
        }
        if (text[pos] < '0' || text[pos] > '9')
            break;
        /* 17 digits of a fraction are more than a double holds, and scale must stay finite */
        if (point && scale > 1e17)
            continue;
        value = value * 10 + (text[pos] - '0');
        scale *= point ? 10 : 1;
        digits++;
    }
    if (digits == 0 || text[pos - 1] == '.')
        return 0;
    *ret_value = value / scale;
    return pos;
}

int
parse_number(const char *text, size_t n, double *ret_value)
{
    double value;
    size_t used = leading_number(text, n, &value);
    if (used == 0 || used != n)
        return -EINVAL;
    if (value > 1e300)
        return -ERANGE;
    *ret_value = value;
    return 0;
}

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* The unit text begins with; returns its length, 0: none. */
static size_t
leading_unit(const char *text, size_t n, double *ret_ns)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {
        /* those of two letters first: "ms" is not minutes */
        {"ns", 1},
        {"us", 1e3},
        {"\xC2\xB5s", 1e3},
        {"\xCE\xBCs", 1e3},
        {"ms", 1e6},
        {"s", 1e9},
        {"m", 60e9},
        {"h", 3600e9},
        {"d", 86400e9},
    };
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t len = strlen(units[i].name), same = 0;
        while (same < len && same < n && lower(text[same]) == units[i].name[same])
            same++;
        if (same == len) {
            *ret_ns = units[i].ns;
            return len;
        }
    }
    return 0;
}

int
parse_duration(const char *text, size_t n, double *ret_ns)
{
    double total = 0;
    size_t pos = 0;
    while (pos < n) {
        double value, unit = 1e9;
        size_t used = leading_number(text + pos, n - pos, &value);
        if (used == 0)
            return -EINVAL;
        size_t unit_len = leading_unit(text + pos + used, n - pos - used, &unit);
        bool plain = pos == 0 && used == n;
        if (unit_len == 0 && !plain)
            return -EINVAL;
        total += value * unit;
        pos += used + unit_len;
    }
    if (n == 0)
        return -EINVAL;
    if (total > DURATION_MAX_NS)
        return -ERANGE;
    *ret_ns = total;
    return 0;
}

int
parse_duration_text(const char *text, double *ret_ns)
{
    return text ? parse_duration(text, strlen(text), ret_ns) : -EINVAL;
}
