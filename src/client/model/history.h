/* SPDX-License-Identifier: MIT */
/* The last samples of a figure, one a second, oldest first. NaN: not known. */
#ifndef LOOPTOP_CLIENT_MODEL_HISTORY_H
#define LOOPTOP_CLIENT_MODEL_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "looptop/limits.h"

struct history {
    double values[LOOPTOP_HISTORY];
    size_t count;
    uint64_t second; /* the second the last sample is of; 0: none came since history_set */
};

/* Replaces all by the last LOOPTOP_HISTORY of n values. */
void history_set(struct history *history, const double *values, size_t n);

/* Takes the larger of each pair, the newest of both aligned: several loops become one line. */
void history_join(struct history *history, const double *values, size_t n);

/* A sample at a time of the wall clock; of several in one second the largest counts. */
void history_push(struct history *history, double time_s, double value);

/* How much the figure grew over the last minute, or what there is of it; NaN below ten samples. */
double history_growth(const struct history *history);

#endif
