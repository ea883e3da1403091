/* SPDX-License-Identifier: MIT */
/*
 * The full-screen program's own state, shared by tui.c (loop and drawing), tui_link.c (connection),
 * tui_request.c (requests and answers), tui_table.c (which rows to ask for), tui_find.c (search),
 * tui_key.c (keys and what they do), tui_tag.c (tagging), tui_cancel.c (what is to be cancelled)
 * and tui_save.c (save, copy). Nobody else includes this.
 */
#ifndef LOOPTOP_CLIENT_TUI_IMPL_H
#define LOOPTOP_CLIENT_TUI_IMPL_H

#include "client/conn.h"
#include "client/model/model.h"
#include "client/tui.h"
#include "client/tui_screen.h"
#include "client/view/screen.h"

struct cJSON;

#define TUI_REQUESTS 32
#define TUI_EARLY_KEYS 64
#define TUI_CANCEL_WAIT_NS 2000000000ull

enum request_kind {
    REQUEST_NONE,
    REQUEST_TASKS,
    REQUEST_SUBSCRIBE,
    REQUEST_LOOPS,
    REQUEST_MEMORY,
    REQUEST_STACK,
    REQUEST_ROW,
    REQUEST_PARENT,     /* the row of the task that created the one looked at */
    REQUEST_CANCEL_ROW, /* of a task that is to be cancelled and out of sight */
    REQUEST_CANCEL,
    REQUEST_FIND_PLACE,
    REQUEST_FIND,
    REQUEST_TAG, /* all tasks that match the filter */
    REQUESTS
};

/* How a request for a part of the table was made: its answer is judged by it. */
struct asked {
    unsigned generation; /* of sort and filter */
    uint64_t offset, focus;
    unsigned limit;
};

struct request {
    uint64_t id; /* of the protocol */
    enum request_kind kind;
    uint64_t sent_ns;
    struct asked asked;
    uint64_t *ids; /* of a cancellation; owned */
    size_t ids_count;
};

struct tui_find {
    char text[LOOPTOP_FILTER_MAX];
    char filter[LOOPTOP_FILTER_MAX]; /* text and the table's filter in one */
    int step;                        /* +1 forward, -1 backward */
    bool wrapped;
};

struct tui {
    const struct tui_options *options;
    struct model model;

    struct conn *conn; /* NULL while gone */
    uint64_t start_ns; /* of the process; 0: not known */
    double started_s;  /* of the agent, as it said */
    unsigned tries;    /* to connect again */
    struct request requests[TUI_REQUESTS];

    unsigned generation;      /* goes up as sort or filter change */
    unsigned good_generation; /* the last one the agent took */
    char good_filter[LOOPTOP_FILTER_MAX];
    struct asked subscribed;   /* what the subscription asks for */
    uint64_t subscription;     /* its number, 0: none yet */
    uint64_t subscribe_due_ns; /* 0: nothing to change */
    uint64_t update_ns;        /* when the last update came or the first was asked for */
    uint64_t stack_due_ns;
    bool held; /* paused, and the rows to scroll through meanwhile have come */

    bool inactive;     /* there are no tasks to ask for until the hooks are active */
    struct asked last; /* the last request for rows, and when: not repeated at once */
    uint64_t last_ns;
    struct status incoming; /* scratch: too large for the stack */

    struct tui_find find;

    struct tui_screen screen;
    struct screen parts;
    enum action_kind prompt_for;            /* ACTION_FILTER or ACTION_FIND */
    char prompt_former[LOOPTOP_FILTER_MAX]; /* the filter before the prompt */
    struct line_history filters, finds;
    int early[TUI_EARLY_KEYS]; /* keys that act on rows, pressed before the first rows came */
    int early_count;
    bool dirty, quit;
    bool over; /* a signal or the terminal's end asks for the end of all of looptop */
};

/* tui.c */
void tui_layout(struct tui *tui);

/* tui_link.c */
void tui_link_opened(struct tui *tui);
void tui_link_lost(struct tui *tui, const char *reason);
void tui_link_pump(struct tui *tui);
/* Time has passed: reconnects, notices silence. */
void tui_link_tick(struct tui *tui);

/* tui_request.c */
struct request *tui_request_find(struct tui *tui, enum request_kind kind);
/* Sends; params (JSON, NULL: none) is borrowed. NULL where it cannot be sent. */
struct request *tui_request(
    struct tui *tui, enum request_kind kind, const char *method, const char *params);
void tui_request_cancel(struct tui *tui, const uint64_t *ids, size_t count, const char *message);
/* Asks for stack and row of the task looked at, when it is time. */
void tui_request_detail(struct tui *tui);
/* Takes a message of the agent. */
void tui_request_take(struct tui *tui, const struct cJSON *message, uint64_t id);
/* Nothing asked will be answered any more. */
void tui_request_forget(struct tui *tui, const char *reason);

/* tui_table.c */
void tui_table_changed(struct tui *tui); /* sort or filter did */
void tui_table_sync(struct tui *tui);
void tui_table_take(
    struct tui *tui, const struct cJSON *result, const struct asked *asked, bool update);
/* The agent did not take the query; column of the filter, 0: not known. */
void tui_table_refused(
    struct tui *tui, const struct request *request, int64_t code, const char *text, int column);
void tui_table_subscribed(struct tui *tui, const struct asked *asked, const struct cJSON *result);
/* Asks for rows, or notes why it cannot. */
void tui_table_ask(struct tui *tui, enum request_kind kind, const struct task_query *query);
/* Whether the rows in hand are all that match, as the table is filtered now. */
bool tui_table_whole(const struct tui *tui);

/* tui_find.c */
void tui_find_start(struct tui *tui, const char *text, int step);
void tui_find_place(struct tui *tui, const struct cJSON *result);
void tui_find_take(struct tui *tui, const struct cJSON *result);
void tui_find_refused(struct tui *tui, const char *text, int column);

/* tui_key.c */
void tui_key(struct tui *tui, int key);
/* Once the first rows have come, and no popup is over them: does what was pressed before. */
void tui_key_early(struct tui *tui);
void tui_open_popup(struct tui *tui, const struct view_ops *ops);

/* tui_tag.c */
void tui_tag(struct tui *tui); /* the selected task; the cursor moves on */
void tui_tag_matching(struct tui *tui);
void tui_tag_take(struct tui *tui, const struct cJSON *result);

/* tui_cancel.c */
void tui_cancel_ask(struct tui *tui);
/* The row of the task that is to be cancelled came; its state decides. */
void tui_cancel_row(struct tui *tui, const struct request *request, const struct cJSON *result);

/* tui_save.c */
void tui_save(struct tui *tui);
void tui_copy(struct tui *tui);

#endif
