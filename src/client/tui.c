/* SPDX-License-Identifier: MIT */
/*
 * The full-screen program: one thread that waits for keys, signals and the agent, changes the
 * model, and draws when something changed. Nothing here blocks but the wait itself, and a try to
 * connect again of at most a third of a second.
 */
#include "client/tui.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/model/process.h"
#include "client/screen/keys.h"
#include "client/tui_impl.h"
#include "common/clock.h"
#include "platform/proc.h"

#define STATUS_DONE 0
#define STATUS_USAGE 2
#define TICK_MS 1000     /* the clock in the header */
#define TICK_BUSY_MS 150 /* while something is waited for: it turns */

void
tui_layout(struct tui *tui)
{
    screen_layout(&tui->parts, &tui->model, tui->screen.surface.cols, tui->screen.surface.rows);
    tui->dirty = true;
}

static void
draw(struct tui *tui)
{
    int x, y;

    screen_draw(&tui->parts, &tui->model, &tui->screen.surface, &x, &y);
    tui_screen_show(&tui->screen, x, y);
    tui->dirty = false;
}

static void
follow_size(struct tui *tui)
{
    if (tui_screen_follow(&tui->screen))
        tui_layout(tui);
}

/* Leaves looptop, and not only this process. */
static void
leave(struct tui *tui)
{
    tui->quit = tui->over = true;
}

static void
take_signals(struct tui *tui)
{
    if (!tui_screen_signals(&tui->screen))
        leave(tui);
    follow_size(tui);
    tui->dirty = true;
}

static void
take_keys(struct tui *tui)
{
    int key;

    while (!tui->quit && (key = surface_curses_key(tui->screen.terminal)) != KEYS_NONE) {
        tui_key(tui, key);
        tui->dirty = true;
    }
}

/* Whether something on the screen turns or counts. */
static bool
is_waiting(const struct tui *tui)
{
    const struct model *model = &tui->model;

    if (model->link.state == LINK_ENDED)
        return frame_note_shown(model);
    return model->link.state != LINK_LIVE || !model->have_page ||
           model->status.gil_waiting_ns > MODEL_SILENT_NS || tui->subscribe_due_ns != 0 ||
           model->detail.asked_ns != 0 || frame_note_shown(model);
}

static void
take_time(struct tui *tui)
{
    struct model *model = &tui->model;
    uint64_t now = clock_monotonic_ns();
    uint64_t step = is_waiting(tui) ? TICK_BUSY_MS : TICK_MS;

    if (now / (step * 1000000) != model->now_ns / (step * 1000000))
        tui->dirty = true;
    model->now_ns = now;
    model->now_s = clock_realtime_s();
}

static void
wait(struct tui *tui)
{
    struct pollfd fds[] = {
        {.fd = STDIN_FILENO, .events = POLLIN},
        {.fd = tui->screen.signals, .events = POLLIN},
        {.fd = tui->conn ? conn_fd(tui->conn) : -1, .events = POLLIN},
    };

    if (tui->conn && conn_wants_write(tui->conn))
        fds[2].events |= POLLOUT;
    int n = poll(fds, 3, is_waiting(tui) ? TICK_BUSY_MS : TICK_MS);
    take_time(tui);
    if (n < 0 && errno != EINTR)
        leave(tui);
    if (n <= 0)
        return;
    if (fds[1].revents)
        take_signals(tui);
    if (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL))
        leave(tui); /* the terminal is gone */
    else if (fds[0].revents)
        take_keys(tui);
    if (fds[2].revents)
        tui_link_pump(tui);
}

static void
run(struct tui *tui)
{
    while (!tui->quit) {
        tui_link_tick(tui);
        tui_table_sync(tui);
        tui_request_detail(tui);
        if (tui->dirty)
            draw(tui);
        wait(tui);
    }
}

static int
start(struct tui *tui, const struct tui_options *options)
{
    struct model *model = &tui->model;

    tui->options = options;
    tui->screen.signals = -1;
    model_init(model, options->pid);
    model->now_ns = clock_monotonic_ns();
    model->now_s = clock_realtime_s();
    model->readonly = options->readonly;
    model->interval_s = options->delay_s;
    model->query = options->query;
    model_set_filter(model, options->query.filter ? options->query.filter : "");
    (void)proc_start_ns(NULL, options->pid, &tui->start_ns);
    process_describe(
        options->pid, model->name, sizeof model->name, model->command, sizeof model->command);
    int error = screen_open(&tui->parts, model);
    return error ? error : tui_screen_open(&tui->screen, options, model);
}

static void
stop(struct tui *tui)
{
    tui_request_forget(tui, "looptop was left");
    screen_close(&tui->parts);
    tui_screen_close(&tui->screen);
    model_done(&tui->model);
    conn_close(tui->conn);
}

int
tui_show(struct conn *conn, const struct tui_options *options, bool *ret_over)
{
    struct tui *tui = calloc(1, sizeof *tui);

    if (!tui) {
        conn_close(conn);
        *ret_over = true;
        return STATUS_USAGE;
    }
    tui->conn = conn;
    int error = start(tui, options);
    if (!error) {
        follow_size(tui);
        tui_link_opened(tui);
        run(tui);
    }
    *ret_over = tui->over;
    stop(tui);
    free(tui);
    return error ? STATUS_USAGE : STATUS_DONE;
}

int
tui_run(struct conn *conn, const struct tui_options *options)
{
    bool over;

    return tui_show(conn, options, &over);
}
