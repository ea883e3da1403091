/* SPDX-License-Identifier: MIT */
/*
 * Names of the protocol that agent and client share: methods, error codes, task states, columns.
 * looptop-protocol(7) documents them; the framing is one JSON-RPC 2.0 message a line.
 */
#ifndef LOOPTOP_PROTOCOL_H
#define LOOPTOP_PROTOCOL_H

/* JSON-RPC's own error codes, then ours */
enum looptop_error {
    LOOPTOP_ERR_PARSE = -32700,
    LOOPTOP_ERR_REQUEST = -32600,
    LOOPTOP_ERR_METHOD = -32601,
    LOOPTOP_ERR_PARAMS = -32602,
    LOOPTOP_ERR_INTERNAL = -32603,
    LOOPTOP_ERR_PROTOCOL = -32001, /* client and agent speak different versions */
    LOOPTOP_ERR_READONLY = -32002, /* LOOPTOP_READONLY=1 in the target */
    LOOPTOP_ERR_NO_TASK = -32003,  /* no such task, or it is gone */
    LOOPTOP_ERR_NO_GIL = -32004,   /* the GIL did not come free in time */
    LOOPTOP_ERR_TOO_BIG = -32005,  /* request over LOOPTOP_REQUEST_MAX */
    LOOPTOP_ERR_CLIENTS = -32006,  /* LOOPTOP_CLIENTS_MAX clients are connected already */
    LOOPTOP_ERR_INACTIVE = -32007, /* asyncio is not imported yet, or the agent refused it */
};

enum looptop_state {
    LOOPTOP_NEW,        /* no step yet */
    LOOPTOP_READY,      /* queued to run */
    LOOPTOP_RUN,        /* in a step now */
    LOOPTOP_WAIT,       /* suspended, not woken yet */
    LOOPTOP_CANCELLING, /* cancellation requested and not yet done or taken back */
    LOOPTOP_DONE,       /* the last three stay visible for a while after the end */
    LOOPTOP_FAILED,
    LOOPTOP_CANCELLED,
    LOOPTOP_STATES
};

#define LOOPTOP_STATE_NAMES                                                                        \
    {                                                                                              \
        "new", "ready", "run", "wait", "cancelling", "done", "failed", "cancelled"                 \
    }

/*
 * Columns of a task row, in the order in which the agent sends them; each is also a sort key.
 * S: an index into the answer's "strings", or -1. L: an index into its "sites", or -1.
 */
enum looptop_column {
    LOOPTOP_COL_ID,
    LOOPTOP_COL_NAME,       /* string */
    LOOPTOP_COL_STATE,      /* index of enum looptop_state */
    LOOPTOP_COL_COROUTINE,  /* S: qualified name of the task's coroutine */
    LOOPTOP_COL_WAITING_ON, /* S: what the deepest user frame awaits */
    LOOPTOP_COL_AT,         /* L: deepest frame of the user's own code */
    LOOPTOP_COL_AGE,        /* ns since birth, or since first seen: see AGE_EXACT */
    LOOPTOP_COL_AGE_EXACT,  /* 1, or 0: the task is older than the agent, AGE is a lower bound */
    LOOPTOP_COL_IDLE,       /* ns since the last step's end; of a running task: since step start */
    LOOPTOP_COL_BUSY,       /* ns in steps, all together */
    LOOPTOP_COL_BUSY_PCT,   /* share of the last second spent in its steps, 0.0 to 100.0 */
    LOOPTOP_COL_STEPS,
    LOOPTOP_COL_MAX_STEP,   /* ns of the longest step */
    LOOPTOP_COL_CREATED_AT, /* L: where the task was created */
    LOOPTOP_COL_PARENT,     /* id of the creating task, 0: none or not known */
    LOOPTOP_COL_LOOP,       /* id of its loop */
    LOOPTOP_COL_EXCEPTION,  /* S: of a failed task, the exception's type */
    LOOPTOP_COL_ENDED,      /* ns since the end; -1 while the task lives */
    LOOPTOP_COL_QUEUED,     /* ns since it was queued to run; -1 while it is not */
    LOOPTOP_COL_FLAGS,      /* bits of enum looptop_row_flag */
    LOOPTOP_COLUMNS
};

#define LOOPTOP_COLUMN_NAMES                                                                       \
    {                                                                                              \
        "id", "name", "state", "coroutine", "waiting_on", "at", "age_ns", "age_exact", "idle_ns",  \
            "busy_ns", "busy_pct", "steps", "max_step_ns", "created_at", "parent", "loop",         \
            "exception", "ended_ns", "queued_ns", "flags"                                          \
    }

enum looptop_row_flag {
    LOOPTOP_ROW_AT_STALE = 1, /* AT and WAITING ON are of an earlier step */
};

#define LOOPTOP_OUTCOME_NAMES                                                                      \
    {                                                                                              \
        "cancelled", "finished", "failed", "suppressed", "pending", "gone", "refused"              \
    }

enum looptop_outcome {
    LOOPTOP_OUTCOME_CANCELLED,  /* it ended by CancelledError */
    LOOPTOP_OUTCOME_FINISHED,   /* it returned all the same */
    LOOPTOP_OUTCOME_FAILED,     /* it ended by another exception */
    LOOPTOP_OUTCOME_SUPPRESSED, /* it got the cancellation and still runs */
    LOOPTOP_OUTCOME_PENDING,    /* its loop did not come to it yet */
    LOOPTOP_OUTCOME_GONE,       /* no such task, or it had ended before */
    LOOPTOP_OUTCOME_REFUSED,    /* not tried; the reason is said */
    LOOPTOP_OUTCOMES
};

#endif
