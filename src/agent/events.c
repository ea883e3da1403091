// SPDX-License-Identifier: MIT
/* See events.h. */
#include "agent/events.h"

#include "agent/atomic.h"
#include "common/clock.h"
#include "proto/json_out.h"

static struct event ring[EVENTS_KEPT];
static uint64_t count;

void
events_add(const struct event *event)
{
    struct event *slot = &ring[count % EVENTS_KEPT];
    *slot = *event;
    slot->seq = ++count;
    slot->time_s = clock_realtime_s();
}

uint64_t
events_count(void)
{
    return count;
}

static void
write_event(struct json_out *out, const struct event *event)
{
    json_out_object(out);
    json_out_kv_uint(out, "seq", event->seq);
    json_out_kv_fixed(out, "time_s", event->time_s, 3);
    json_out_kv_string(out, "kind", event->kind);
    json_out_kv_uint(out, "task", event->task);
    json_out_kv_string(out, "name", event->name);
    json_out_kv_string(out, "text", event->text);
    json_out_key(out, "peer");
    json_out_object(out);
    json_out_kv_int(out, "pid", event->peer_pid);
    json_out_kv_int(out, "uid", event->peer_uid);
    json_out_object_end(out);
    json_out_object_end(out);
}

void
events_report(struct json_out *out, uint64_t after, uint64_t limit)
{
    uint64_t first = count > EVENTS_KEPT ? count - EVENTS_KEPT : 0;
    if (after > first)
        first = after;
    json_out_object(out);
    json_out_key(out, "events");
    json_out_array(out);
    for (uint64_t i = first; i < count && i - first < limit; i++)
        write_event(out, &ring[i % EVENTS_KEPT]);
    json_out_array_end(out);
    json_out_object_end(out);
}
