/* SPDX-License-Identifier: MIT */
/*
 * Every bound that both sides of the socket have to agree on. A limit of one side alone stands in
 * that side's own header.
 */
#ifndef LOOPTOP_LIMITS_H
#define LOOPTOP_LIMITS_H

#define LOOPTOP_REQUEST_MAX (64 * 1024)         /* bytes of one request line, newline included */
#define LOOPTOP_RESPONSE_MAX (16 * 1024 * 1024) /* bytes of one response or notification line */
#define LOOPTOP_DEPTH_MAX 16                    /* nesting of a request's JSON */
#define LOOPTOP_CLIENTS_MAX 8                   /* clients connected to one agent at once */
#define LOOPTOP_ROWS_MAX 8192                   /* task rows in one answer */
#define LOOPTOP_NAME_MAX 64                     /* bytes of a task name kept, terminator included */
#define LOOPTOP_FILTER_MAX 512                  /* bytes of a filter expression */
#define LOOPTOP_CANCEL_MAX 1024                 /* tasks in one cancel request */
#define LOOPTOP_MESSAGE_MAX 256                 /* bytes of a cancel message */
#define LOOPTOP_FRAMES_MAX 2048                 /* frames of one stack */
#define LOOPTOP_LOCALS_MAX 64                   /* locals shown of one frame */
#define LOOPTOP_VALUE_MAX 80                    /* characters shown of one local's value */
#define LOOPTOP_LOOPS_MAX 1024                  /* entries of loops, one of them for none */
#define LOOPTOP_HISTORY 600                     /* seconds of history, one sample a second */
#define LOOPTOP_INTERVAL_MIN_NS 100000000ull    /* shortest interval of a subscription */

#endif
