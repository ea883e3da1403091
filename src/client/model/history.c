/* SPDX-License-Identifier: MIT */
/* Samples in a plain array: moving 600 numbers once a second is nothing, and readers get order. */
#include "client/model/history.h"

#include <math.h>
#include <string.h>

#define GROWTH_SECONDS 60
#define GROWTH_SAMPLES_MIN 10

void
history_set(struct history *history, const double *values, size_t n)
{
    size_t skip = n > LOOPTOP_HISTORY ? n - LOOPTOP_HISTORY : 0;

    history->count = n - skip;
    history->second = 0;
    memcpy(history->values, values + skip, history->count * sizeof *values);
}

void
history_join(struct history *history, const double *values, size_t n)
{
    if (n > LOOPTOP_HISTORY) {
        values += n - LOOPTOP_HISTORY;
        n = LOOPTOP_HISTORY;
    }
    if (n > history->count) {
        size_t more = n - history->count;
        memmove(history->values + more, history->values, history->count * sizeof *values);
        memcpy(history->values, values, more * sizeof *values);
        history->count = n;
        values += more;
        n -= more;
    }
    double *newest = history->values + history->count - n;
    for (size_t i = 0; i < n; i++)
        newest[i] = fmax(newest[i], values[i]);
}

void
history_push(struct history *history, double time_s, double value)
{
    uint64_t second = time_s > 0 ? (uint64_t)time_s : 0;

    if (history->count > 0 && second == history->second && second != 0) {
        double *last = &history->values[history->count - 1];
        *last = fmax(*last, value);
        return;
    }
    if (history->count == LOOPTOP_HISTORY) {
        memmove(
            history->values, history->values + 1, (LOOPTOP_HISTORY - 1) * sizeof *history->values);
        history->count--;
    }
    history->values[history->count++] = value;
    history->second = second;
}

double
history_growth(const struct history *history)
{
    size_t span = history->count < GROWTH_SECONDS ? history->count : GROWTH_SECONDS;

    if (span < GROWTH_SAMPLES_MIN)
        return NAN;
    double now = history->values[history->count - 1];
    double then = history->values[history->count - span];
    return (now - then) * GROWTH_SECONDS / (double)(span - 1);
}
