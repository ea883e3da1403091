/* SPDX-License-Identifier: MIT */
/*
 * One agent of many that are asked how it goes with their processes: nothing here waits, but for
 * room in an agent's queue of connections. Zeroed is not connected. One thread.
 */
#ifndef LOOPTOP_CLIENT_ASK_H
#define LOOPTOP_CLIENT_ASK_H

#include <stdbool.h>
#include <stdint.h>

#include "client/conn.h"
#include "client/model/processes.h"

struct ask {
    struct conn *conn; /* owned; NULL: not connected */
    uint64_t hello_id, status_id;
    uint64_t sent_ns; /* when what is waited for was sent, 0: nothing is */
    bool greeted;     /* it agreed on the protocol */
    bool broken;      /* the connection ended by itself: the process is about to, perhaps */
    bool full;        /* nobody takes connections from its queue */
};

/*
 * Connects to the agent of a process and asks. 0: it is asked, or there is one whose queue is full.
 * -ENOENT and other -errno: there is none that could be asked.
 */
int ask_open(struct ask *ask, pid_t pid);

/* Asks for figures again, unless an answer is still to come. */
void ask_again(struct ask *ask);

/* Reads what is there into the row, without waiting. */
void ask_read(struct ask *ask, struct process_row *row);

/* Whether an answer is to come; overdue: it was asked longer ago than that. */
bool ask_waits(const struct ask *ask);
bool ask_overdue(const struct ask *ask, uint64_t now_ns, uint64_t patience_ns);

/* The agent is there and does not answer: its figures are not known. */
void ask_silent(struct process_row *row);

/* Nothing is known of the process from an agent. */
void ask_forget(struct process_row *row);

/* Closes; twice is once. What is known of the agent stays. */
void ask_close(struct ask *ask);

#endif
