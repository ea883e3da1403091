// SPDX-License-Identifier: MIT
/* See peer.h. */
#include "agent/peer.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/list.h"
#include "common/clock.h"
#include "looptop/protocol.h"
#include "proto/rpc.h"

#define TURN_NS 2000000 /* a client's requests are answered for so long, then the others' */

static uint64_t last_number;

int
peer_open(struct peer *peer, int fd, pid_t pid, uid_t uid)
{
    *peer =
        (struct peer){.socket = own_fd_take(fd), .number = ++last_number, .pid = pid, .uid = uid};
    buf_init(&peer->in, LOOPTOP_REQUEST_MAX);
    buf_init(&peer->out, PEER_OUT_MAX);
    return buf_reserve(&peer->in, 1);
}

void
peer_close(struct peer *peer)
{
    own_fd_close(&peer->socket);
    buf_done(&peer->in);
    buf_done(&peer->out);
    peer->query = list_query_free(peer->query);
    *peer = (struct peer){.socket = OWN_FD_NONE};
}

/* Whether another request may be taken on. */
static bool
may_take(const struct peer *peer)
{
    return peer->out.len < PEER_OUT_HIGH && peer->pending < PEER_PENDING_MAX;
}

bool
peer_wants_read(const struct peer *peer)
{
    return !peer->eof && may_take(peer);
}

bool
peer_wants_write(const struct peer *peer)
{
    return peer->out.len > 0;
}

bool
peer_has_line(const struct peer *peer)
{
    return !peer->broken && may_take(peer) && peer->in.len > 0 &&
           memchr(peer->in.data, '\n', peer->in.len) != NULL;
}

/* A line that does not end within the limit: says so once and skips to its end. */
static void
too_long(struct peer *peer)
{
    struct rpc_error error = {0};
    if (!peer->skipping) {
        rpc_error_set(
            &error, LOOPTOP_ERR_TOO_BIG, "a request has at most %d bytes", LOOPTOP_REQUEST_MAX);
        rpc_error_write(&peer->out, "null", &error);
    }
    peer->skipping = true;
    buf_clear(&peer->in);
}

static void
take_lines(struct peer *peer, void (*handle)(struct peer *peer, const char *line, size_t n))
{
    uint64_t until_ns = clock_monotonic_ns() + TURN_NS;
    while (may_take(peer) && !peer->broken) {
        const char *end = memchr(peer->in.data, '\n', peer->in.len);
        if (end == NULL)
            break;
        size_t n = (size_t)(end - peer->in.data);
        if (peer->skipping)
            peer->skipping = false;
        else
            handle(peer, peer->in.data, n > 0 && end[-1] == '\r' ? n - 1 : n);
        buf_consume(&peer->in, n + 1);
        if (clock_monotonic_ns() > until_ns)
            break;
    }
    if (peer->in.len >= LOOPTOP_REQUEST_MAX && memchr(peer->in.data, '\n', peer->in.len) == NULL)
        too_long(peer);
}

void
peer_read(struct peer *peer, void (*handle)(struct peer *peer, const char *line, size_t n))
{
    take_lines(peer, handle); /* what was left over */
    if (!peer_wants_read(peer) || peer->broken)
        return;
    size_t room = LOOPTOP_REQUEST_MAX - peer->in.len;
    if (room == 0)
        return;
    if (buf_reserve(&peer->in, room) < 0) {
        peer->broken = true;
        return;
    }
    ssize_t n = recv(peer->socket.fd, peer->in.data + peer->in.len, room, MSG_DONTWAIT);
    if (n > 0) {
        peer->in.len += (size_t)n;
        take_lines(peer, handle);
    } else if (n == 0) {
        peer->eof = true;
    } else if (errno != EAGAIN && errno != EINTR) {
        peer->broken = true;
    }
}

void
peer_write(struct peer *peer)
{
    if (peer->out.error != 0 || (peer->out.len > 0 && !own_fd_is_ours(&peer->socket))) {
        peer->broken = true;
        return;
    }
    size_t sent = 0;
    while (sent < peer->out.len) {
        ssize_t n = send(peer->socket.fd, peer->out.data + sent, peer->out.len - sent,
            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            peer->broken = errno != EAGAIN;
            break;
        }
        sent += (size_t)n;
    }
    buf_consume(&peer->out, sent);
    if (peer->eof && peer->out.len == 0 && peer->pending == 0 && peer->interval_ns == 0 &&
        !peer_has_line(peer))
        peer->broken = true;
    if (peer->out.len == 0 && peer->out.cap > PEER_OUT_HIGH)
        buf_done(&peer->out); /* a large answer's memory goes back */
}
