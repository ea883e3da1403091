/* SPDX-License-Identifier: MIT */
/*
 * The full-screen program: one thread that waits for keys, signals and the agent, changes the
 * model, and draws when something changed. Nothing here blocks but the wait itself, and a try to
 * connect again of at most a third of a second.
 */
#include "client/tui.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/model/process.h"
#include "client/screen/keys.h"
#include "client/screen/tty_guard.h"
#include "client/theme/load.h"
#include "client/top.h"
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
    screen_layout(&tui->parts, &tui->model, tui->surface.cols, tui->surface.rows);
    tui->dirty = true;
}

static void
draw(struct tui *tui)
{
    int x, y;

    screen_draw(&tui->parts, &tui->model, &tui->surface, &x, &y);
    surface_curses_cursor(tui->terminal, x, y);
    (void)surface_curses_show(tui->terminal, &tui->surface);
    tui->dirty = false;
}

static void
follow_size(struct tui *tui)
{
    int cols, rows;

    surface_curses_size(tui->terminal, &cols, &rows);
    if (cols == tui->surface.cols && rows == tui->surface.rows)
        return;
    if (surface_resize(&tui->surface, cols, rows) == 0)
        tui_layout(tui);
}

static void
take_signals(struct tui *tui)
{
    int signal;

    while ((signal = tty_guard_next_signal(tui->signals)) != 0) {
        switch (signal) {
        case SIGWINCH:
            break;
        case SIGTSTP:
            surface_curses_suspend(tui->terminal);
            tty_guard_stop();
            surface_curses_resume(tui->terminal);
            break;
        case SIGCONT:
            surface_curses_redraw(tui->terminal);
            break;
        default:
            tui->quit = true;
        }
    }
    follow_size(tui);
    tui->dirty = true;
}

static void
take_keys(struct tui *tui)
{
    int key;

    while (!tui->quit && (key = surface_curses_key(tui->terminal)) != KEYS_NONE) {
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
        {.fd = tui->signals, .events = POLLIN},
        {.fd = tui->conn ? conn_fd(tui->conn) : -1, .events = POLLIN},
    };

    if (tui->conn && conn_wants_write(tui->conn))
        fds[2].events |= POLLOUT;
    int n = poll(fds, 3, is_waiting(tui) ? TICK_BUSY_MS : TICK_MS);
    take_time(tui);
    if (n < 0 && errno != EINTR)
        tui->quit = true;
    if (n <= 0)
        return;
    if (fds[1].revents)
        take_signals(tui);
    if (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL))
        tui->quit = true; /* the terminal is gone */
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

/* In one line, without directories; all is said on stderr. */
static void
note_faults(struct model *model, const struct theme_faults *faults)
{
    const char *text = faults->text[0], *slash = memrchr(text, '/', strcspn(text, ":"));
    char more[32] = "";

    if (faults->count == 0)
        return;
    if (faults->count > 1)
        snprintf(more, sizeof more, " (and %u more)", faults->count - 1);
    model_note(model, NOTE_WARNING, "theme %s%s", slash ? slash + 1 : text, more);
}

/* NO_COLOR counts where no option says otherwise. */
static enum color_mode
wanted_color(const struct tui_options *options)
{
    const char *no_color = getenv("NO_COLOR");

    if (options->color == COLOR_AUTO && no_color && *no_color)
        return COLOR_MONO;
    return options->color;
}

static int
load_themes(struct tui *tui)
{
    const char *name = tui->options->theme ? tui->options->theme : "default";
    struct theme_faults faults, unused;

    int error = top_theme(name, &tui->theme, &faults);
    if (error < 0)
        return error;
    note_faults(&tui->model, &faults);
    return theme_load("mono", &tui->mono, &unused);
}

static int
open_screen(struct tui *tui)
{
    struct surface_curses_options options = {.in = stdin,
        .out = stdout,
        .color = wanted_color(tui->options),
        .theme = &tui->theme,
        .mono = &tui->mono};
    char why[256];

    (void)setlocale(LC_CTYPE, "");
    bool ascii = tui->options->ascii || strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    if (surface_init(&tui->surface, 0, 0, ascii) < 0)
        return -ENOMEM;
    tui->signals = tty_guard_signals();
    if (tui->signals < 0)
        return tui->signals;
    int error = surface_curses_open(&options, &tui->terminal, why, sizeof why);
    if (error < 0)
        fprintf(stderr, "looptop: %s\n", why);
    return error;
}

static int
start(struct tui *tui, const struct tui_options *options)
{
    struct model *model = &tui->model;

    tui->options = options;
    tui->signals = -1;
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
    int error = load_themes(tui);
    if (!error)
        error = screen_open(&tui->parts, model);
    return error ? error : open_screen(tui);
}

static void
stop(struct tui *tui)
{
    tui_request_forget(tui, "looptop was left");
    screen_close(&tui->parts);
    surface_curses_close(tui->terminal);
    tty_guard_signals_end(tui->signals);
    surface_done(&tui->surface);
    model_done(&tui->model);
    conn_close(tui->conn);
}

int
tui_run(struct conn *conn, const struct tui_options *options)
{
    struct tui *tui = calloc(1, sizeof *tui);

    if (!tui) {
        conn_close(conn);
        return STATUS_USAGE;
    }
    tui->conn = conn;
    int error = start(tui, options);
    if (!error) {
        follow_size(tui);
        tui_link_opened(tui);
        run(tui);
    }
    stop(tui);
    free(tui);
    return error ? STATUS_USAGE : STATUS_DONE;
}
