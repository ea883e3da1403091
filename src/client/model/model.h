/* SPDX-License-Identifier: MIT */
/*
 * All that the screens show, as plain structs: views read it and nothing else, only the program
 * (tui*.c) writes it. Owns what hangs on it; one thread.
 */
#ifndef LOOPTOP_CLIENT_MODEL_MODEL_H
#define LOOPTOP_CLIENT_MODEL_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "client/model/detail.h"
#include "client/model/history.h"
#include "client/model/outcomes.h"
#include "client/model/processes.h"
#include "client/model/status.h"
#include "client/model/tags.h"
#include "client/model/tasks.h"
#include "client/model/window.h"
#include "looptop/limits.h"

/* From here on a figure is worth a warning, or is an error: DESIGN.md section 6. */
#define MODEL_WARN_NS 50000000
#define MODEL_ERROR_NS 200000000
#define MODEL_SILENT_NS 300000000 /* an answer that is later than this is waited for visibly */

enum link_state {
    LINK_LIVE,
    LINK_SILENT, /* connected, but an answer is overdue */
    LINK_GONE,   /* not connected; tried again and again */
    LINK_ENDED,  /* the process is over: it cannot come back */
};

struct link {
    enum link_state state;
    uint64_t since_ns;       /* monotonic: what is waited for was due */
    const char *waiting_for; /* a literal */
    char reason[512];        /* why it is gone */
    uint64_t retry_ns;       /* when the next try is made */
};

struct cJSON;

struct model {
    /* the process */
    pid_t pid;
    char name[64];
    char command[512];
    char python[32];
    bool readonly; /* looptop was started so; the target says its own in status */
    double interval_s;

    /* what was heard of it */
    bool have_status;
    struct status status;
    struct history lag, busy, tasks, rss;
    struct link link;

    /* the table */
    struct task_query query; /* its filter points at `filter` or is NULL */
    char filter[LOOPTOP_FILTER_MAX];
    bool have_page;
    struct task_page page;
    struct window window;
    struct tag selected; /* what the selected task is called; its row may be out of sight */
    struct tags tags;
    struct outcomes outcomes;
    uint32_t hidden_columns; /* bit i: the i-th column is switched off */
    bool paused;

    struct detail detail;

    struct processes processes; /* where no process has been chosen: pid is 0 */

    double now_s;    /* wall clock */
    uint64_t now_ns; /* monotonic */
    char note[256];  /* the last thing to say, "" none */
    enum note_kind note_kind;
    uint64_t note_ns;
};

void model_init(struct model *model, pid_t pid);
void model_done(struct model *model);

/* Takes a status over and adds a sample to the histories. */
void model_take_status(struct model *model, const struct status *status);

/* Take the histories of the agent's answers to `loops` and `memory` over. */
void model_take_loops(struct model *model, const struct cJSON *result);
void model_take_memory(struct model *model, const struct cJSON *result);

/* Takes a page, asked with this focus, over. */
void model_take_page(struct model *model, struct task_page *page, uint64_t focus);

/* The selection changed, or rows came: remembers what the selected task is called. */
void model_select(struct model *model);

/* Says something at the foot of the screen. */
void model_note(struct model *model, enum note_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void model_set_filter(struct model *model, const char *filter);

/* The loop to worry about: blocked longest, else of most lag; NULL: there is none. */
const struct loop_status *model_worst_loop(const struct status *status);

/*
 * The worst figures of all loops together, so that none hides behind another: the worst loop with
 * the largest lags and the largest busy share of any. False: there is no loop.
 */
bool model_worst_lag(const struct status *status, struct loop_status *ret_worst);

/* Whether a loop is held up past the error threshold, as far as can be said. */
bool model_loop_blocked(const struct status *status, const struct loop_status *loop);

/* Why nothing can be asked, NULL: it can. */
const char *model_unreachable(const struct model *model);

/* Why nothing may be cancelled, NULL: it may. */
const char *model_readonly(const struct model *model);

#endif
