/* SPDX-License-Identifier: MIT */
/*
 * The share of about the last second, half of one at least, that each task spent in its steps, the
 * one under way included. io thread.
 */
#ifndef LOOPTOP_AGENT_LIST_RATES_H
#define LOOPTOP_AGENT_LIST_RATES_H

#include "agent/record_view.h"

/* In percent, as of the view. Where no second has been watched yet: of the task's life. */
double list_rates_busy(const struct record_view *view);

#endif
