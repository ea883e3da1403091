/* SPDX-License-Identifier: MIT */
/*
 * Figures and texts as a person reads them: three significant digits with the unit attached, at
 * most FMT_WIDTH columns, so that a column of them keeps its width. Pure; independent of the
 * locale.
 */
#ifndef LOOPTOP_COMMON_FMT_H
#define LOOPTOP_COMMON_FMT_H

#include <stddef.h>

#define FMT_SIZE 32 /* room for any figure below, terminator included */
#define FMT_WIDTH 6 /* columns that a figure takes at most */

/*
 * A duration: 0, 412ns, 40us, 0.31ms, 412ms, 2.1s, 31s, 4m12s, 3h04m, 3d04h, 412d. Below zero and
 * not-a-number: "-".
 */
const char *fmt_duration(char out[FMT_SIZE], double ns);

/* Bytes in powers of 1024: 0, 812, 1.2K, 148M, 2.31G. */
const char *fmt_bytes(char out[FMT_SIZE], double bytes);

/* A count in powers of 1000: 0, 1284, 12.8k, 1.90M. */
const char *fmt_count(char out[FMT_SIZE], double count);

/* A rate or share with one decimal below 100: 0, 0.2, 98.1, 812, 8.1k. */
const char *fmt_rate(char out[FMT_SIZE], double value);

/*
 * Copies text for a terminal into out (size bytes, terminated): control characters become '?',
 * invalid UTF-8 becomes U+FFFD, what does not fit is cut with U+2026. Returns out.
 */
char *fmt_clean(char *out, size_t size, const char *text);

#endif
