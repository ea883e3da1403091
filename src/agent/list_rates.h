/* SPDX-License-Identifier: MIT */
/* The share of the last second that each task spent in its steps. io thread. */
#ifndef LOOPTOP_AGENT_LIST_RATES_H
#define LOOPTOP_AGENT_LIST_RATES_H

#include "agent/record_view.h"

/* In percent. Where no second has been watched yet: of the task's life. */
double list_rates_busy(const struct record_view *view);

#endif
