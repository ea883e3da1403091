/* SPDX-License-Identifier: MIT */
/* What was done to the process through the agent: the last 256. io thread only. */
#ifndef LOOPTOP_AGENT_EVENTS_H
#define LOOPTOP_AGENT_EVENTS_H

#include <stdint.h>

#include "looptop/limits.h"

struct json_out;

#define EVENTS_KEPT 256

struct event {
    uint64_t seq; /* from 1 */
    double time_s;
    char kind[16];
    uint64_t task;
    char name[LOOPTOP_NAME_MAX];
    char text[192];
    int peer_pid, peer_uid;
};

/* Keeps a copy; fills in number and time. */
void events_add(const struct event *event);

/* How many there have been. */
uint64_t events_count(void);

/* Writes {"events":[...]} of those after a number, at most limit. */
void events_report(struct json_out *out, uint64_t after, uint64_t limit);

#endif
