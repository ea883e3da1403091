/* SPDX-License-Identifier: MIT */
/*
 * Frames of plain text: the header as the full screen draws it, on a surface that is printed, and
 * the table as `ps` prints it, which is not cut where nobody looks at it through a terminal.
 */
#include "client/top.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/model/model.h"
#include "client/model/process.h"
#include "client/out.h"
#include "client/screen/surface_dump.h"
#include "client/view/registry.h"
#include "client/view/view.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "vendor/cjson/cJSON.h"

#define HEADER_ROWS 4
#define HEADER_COLS 132 /* where there is no terminal that says */

struct batch {
    pid_t pid;
    struct conn *conn; /* borrowed */
    const struct ps_options *options;
    struct model *model; /* owned */
    struct view header;
    struct surface surface;
};

static void
batch_done(struct batch *batch)
{
    view_close(&batch->header);
    surface_done(&batch->surface);
    if (batch->model)
        model_done(batch->model);
    free(batch->model);
}

static int
batch_init(struct batch *batch, double delay_s)
{
    unsigned width = out_width();
    struct model *model = malloc(sizeof(*model));
    int r;

    if (!model)
        return -1;
    batch->model = model;
    model_init(model, batch->pid);
    model->interval_s = delay_s;
    (void)strcpy(model->python, conn_hello(batch->conn)->python);
    process_describe(
        batch->pid, model->name, sizeof(model->name), model->command, sizeof(model->command));
    r = surface_init(&batch->surface, (int)(width ? width : HEADER_COLS), HEADER_ROWS, !out_utf8());
    return r < 0 ? r : view_open(&batch->header, &header_view, model);
}

static void
put_header(struct buf *buf, struct batch *batch, const struct status *status)
{
    struct model *model = batch->model;
    struct rect area = {0, 0, batch->surface.cols, batch->surface.rows};

    model->now_s = clock_realtime_s();
    model->now_ns = clock_monotonic_ns();
    model_take_status(model, status);
    surface_clear(&batch->surface);
    view_resize(&batch->header, model, area.w, area.h);
    view_update(&batch->header, model);
    view_draw(&batch->header, model, &batch->surface, area);
    (void)surface_dump(&batch->surface, buf);
}

/* The bars are those of the full screen from the first frame on; without an answer they begin now.
 */
static void
take_histories(struct batch *batch)
{
    static const struct {
        const char *method;
        void (*take)(struct model *model, const cJSON *result);
    } asked[] = {{"loops", model_take_loops}, {"memory", model_take_memory}};
    struct conn_error error;

    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        cJSON *result = NULL;
        if (conn_call(batch->conn, asked[i].method, "{\"history\":true}", VERB_TIMEOUT_MS, &result,
                &error) == 0)
            asked[i].take(batch->model, result);
        cJSON_Delete(result);
    }
}

static int
put_frame(struct buf *buf, struct batch *batch)
{
    CLEANUP(task_list_done) struct task_list list = {0};
    CLEANUP_FREE struct status *status = NULL;
    struct conn_error error;

    if (ps_status(batch->conn, &status, &error) < 0 ||
        ps_fetch(batch->conn, batch->options, &list, &error) < 0)
        return verb_call_failed(&error);
    put_header(buf, batch, status);
    (void)buf_puts(buf, "\n");
    return ps_table(buf, &list, batch->options, out_width()) < 0 ? VERB_NOT_SO : VERB_DONE;
}

static void
pause_for(double seconds)
{
    struct timespec rest;

    rest.tv_sec = (time_t)seconds;
    rest.tv_nsec = (long)((seconds - (double)rest.tv_sec) * 1e9);
    while (nanosleep(&rest, &rest) < 0)
        ;
}

int
top_batch(
    pid_t pid, struct conn *conn, const struct ps_options *options, unsigned frames, double delay_s)
{
    CLEANUP(batch_done) struct batch batch = {.pid = pid, .conn = conn, .options = options};
    int status = VERB_DONE;
    struct buf buf;

    if (batch_init(&batch, delay_s) < 0)
        return verb_fail(VERB_NOT_SO, "no memory");
    buf_init(&buf, OUT_MAX);
    take_histories(&batch);
    for (unsigned i = 0; status == VERB_DONE && (frames == 0 || i < frames); i++) {
        if (i > 0) {
            pause_for(delay_s);
            (void)buf_puts(&buf, "\n");
        }
        status = put_frame(&buf, &batch);
        if (out_flush(&buf) < 0 && status == VERB_DONE)
            status = VERB_NOT_SO;
    }
    return out_finish(&buf, status);
}
