/* SPDX-License-Identifier: MIT */
/*
 * Figures and texts as a person reads them: at most three significant digits with the unit
 * attached, never wider than FMT_WIDTH columns, so that a column of them keeps its width. What is
 * not known (negative or not a number) is an em dash. Each writes into the caller's buffer and
 * returns it. Independent of the locale; any thread.
 */
#ifndef LOOPTOP_COMMON_FMT_H
#define LOOPTOP_COMMON_FMT_H

#include <stdbool.h>
#include <stddef.h>

#define FMT_SIZE 32 /* room for any figure below, terminator included */
#define FMT_WIDTH 6 /* columns that a figure takes at most */

/* From now on figures are ASCII: "-" for what is not known, "us". Set once, at the start. */
void fmt_set_ascii(bool on);

/* What stands for a value that is not known. */
const char *fmt_unknown(void);

/* A duration: 0, 412ns, 40us (with a micro sign), 0.8ms, 412ms, 2.1s, 31s, 4m12s, 3h04m, 3d04h,
 * 412d. */
const char *fmt_duration(char out[FMT_SIZE], double ns);

/* Bytes in powers of 1024: 0, 812B, 1.2K, 148M, 3.4G. */
const char *fmt_bytes(char out[FMT_SIZE], double bytes);

/* A count in powers of 1000: 0, 1284, 12.3k, 123k, 1.9M. */
const char *fmt_count(char out[FMT_SIZE], double count);

/* A rate, without its "/s": 0, 0.02, 0.2, 91, 8.1k. */
const char *fmt_rate(char out[FMT_SIZE], double per_s);

/* A share, without its "%": 0.0, 98.1, 100. */
const char *fmt_pct(char out[FMT_SIZE], double pct);

/*
 * Copies text for a terminal into out (size bytes, terminated): control characters, separators of
 * lines and what turns the direction become '?', invalid UTF-8 becomes U+FFFD, what does not fit is
 * cut with U+2026. Returns out.
 */
char *fmt_clean(char *out, size_t size, const char *text);

#endif
