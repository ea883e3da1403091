/* SPDX-License-Identifier: MIT */
/*
 * The processes of this machine that looptop has something to say of, with their figures: what
 * /proc tells of each, and what its agent answers where one is inside. Looked at once (`ls`,
 * --name) or again and again (the live list, which keeps its connections). One thread.
 */
#ifndef LOOPTOP_CLIENT_SURVEY_H
#define LOOPTOP_CLIENT_SURVEY_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/model/processes.h"
#include "client/scan.h"

#define SURVEY_OPEN_MAX 64 /* agents connected at once: others wait for their turn */

struct survey_link;

struct survey {
    struct process_row *rows;  /* owned, in the order of their pids */
    struct survey_link *links; /* owned; of each row */
    size_t count;
    struct scan scan;
};

/*
 * Looks at what there is now: new rows, what /proc tells of each, CPU time since the look before.
 * Connects to agents that are new and asks all again. 0, -errno.
 */
int survey_look(struct survey *survey);

/* The connections to be polled, at most SURVEY_OPEN_MAX; returns how many. */
size_t survey_fds(const struct survey *survey, struct pollfd fds[SURVEY_OPEN_MAX]);

/* Takes what has come, and notices what has not. */
void survey_read(struct survey *survey);

/* Finds only which processes there are: rows without what agents and CPU clocks tell. 0, -errno. */
int survey_find(struct survey *survey);

/*
 * One look with all of it: waits for the answers, for CPU time to be told, and for the end of what
 * is about to end. Closes its connections. 0, -errno.
 */
int survey_once(struct survey *survey);

/* Closes and frees all. */
void survey_done(struct survey *survey);

#endif
