/* SPDX-License-Identifier: MIT */
/*
 * One connected client: its bytes in and out, its requests under way, its subscription. io thread
 * only. Reading stops while its answers pile up, so that the client's own slowness bounds what it
 * costs.
 */
#ifndef LOOPTOP_AGENT_PEER_H
#define LOOPTOP_AGENT_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/buf.h"
#include "looptop/limits.h"
#include "platform/own_fd.h"

#define PEER_OUT_MAX                                                                               \
    (LOOPTOP_RESPONSE_MAX + (1u << 20)) /* bytes waiting to be read by a client                    \
                                         */
#define PEER_OUT_HIGH (1u << 20)        /* with so many waiting no more requests are taken */
#define PEER_PENDING_MAX 32             /* requests of one client under way in the gil thread */

struct list_query;

struct peer {
    struct own_fd socket; /* none: free */
    uint64_t number;      /* never reused: an answer that comes late finds nobody */
    pid_t pid;
    uid_t uid;
    struct buf in, out;
    bool skipping; /* the rest of a line that was too long */
    bool eof;      /* it sends no more; what it asked for is still answered */
    bool broken;   /* to be closed */
    unsigned pending;
    /* subscription */
    uint64_t interval_ns; /* 0: none */
    uint64_t due_ns;      /* monotonic */
    uint64_t seq;
    struct list_query *query; /* owned; NULL: no tasks wanted */
    bool update_pending;      /* waits for fresh places */
    bool update_again;        /* was given up for a fork: now it is written */
};

static inline bool
peer_is_open(const struct peer *peer)
{
    return peer->socket.fd >= 0;
}

/* Takes a connection over. 0, -ENOMEM. */
int peer_open(struct peer *peer, int fd, pid_t pid, uid_t uid);

/* Closes and frees; the entry is free again. */
void peer_close(struct peer *peer);

/* Reads what is there and gives each whole line to handle. Sets broken at the end or on an error.
 */
void peer_read(struct peer *peer, void (*handle)(struct peer *peer, const char *line, size_t n));

/* Writes what can be written. Sets broken on an error, or when a client at its end has all. */
void peer_write(struct peer *peer);

/* Whether a whole line is there and may be taken. */
bool peer_has_line(const struct peer *peer);

/* Whether more is to be read, or written, now. */
bool peer_wants_read(const struct peer *peer);
bool peer_wants_write(const struct peer *peer);

#endif
