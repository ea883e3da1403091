/* SPDX-License-Identifier: MIT */
/*
 * Text into numbers, all of it or not at all: no blanks, no sign where none belongs, no rest behind
 * the number, no octal, no locale. Pure.
 */
#ifndef LOOPTOP_COMMON_PARSE_H
#define LOOPTOP_COMMON_PARSE_H

#include <stddef.h>
#include <stdint.h>

/* A whole decimal number from min to max. 0, -EINVAL not a number, -ERANGE. */
int parse_uint(const char *text, size_t n, uint64_t min, uint64_t max, uint64_t *ret_value);

/* The same of a terminated string; NULL: -EINVAL. */
int parse_uint_text(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value);

/* A decimal number such as 12, 0.5 or .5; no sign, no exponent. 0, -EINVAL, -ERANGE. */
int parse_number(const char *text, size_t n, double *ret_value);

/*
 * A length of time in nanoseconds: numbers with ns us ms s m h d, one after the other ("1.5s",
 * "3h04m"), a plain number is seconds. Case-insensitive. 0, -EINVAL, -ERANGE above 292 years.
 */
int parse_duration(const char *text, size_t n, double *ret_ns);

/* The same of a terminated string; NULL: -EINVAL. */
int parse_duration_text(const char *text, double *ret_ns);

#endif
