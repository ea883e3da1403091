/* SPDX-License-Identifier: MIT */
/*
 * One thread that waits for keys, signals, agents and the time of the next look. While a process is
 * looked at the list stands still and is connected to nobody; the terminal changes hands.
 */
#include "client/tui_list.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/model/model.h"
#include "client/screen/keys.h"
#include "client/survey.h"
#include "client/tui_list_impl.h"
#include "client/tui_screen.h"
#include "common/clock.h"

#define STATUS_DONE 0
#define STATUS_USAGE 2
#define TICK_MS 1000 /* the clock in the header */
#define OPEN_MS 3000 /* for an answer of a healthy agent, with the machine under load */

void
tui_list_layout(struct tui_list *list)
{
    list_screen_layout(
        &list->parts, &list->model, list->screen.surface.cols, list->screen.surface.rows);
    list->dirty = true;
}

static void
draw(struct tui_list *list)
{
    int x, y;

    list_screen_draw(&list->parts, &list->model, &list->screen.surface, &x, &y);
    tui_screen_show(&list->screen, x, y);
    list->dirty = false;
}

/* The rows of the survey are those of the list from now on. */
static void
take_rows(struct tui_list *list)
{
    if (processes_take(&list->model.processes, list->survey.rows, list->survey.count) < 0)
        model_note(&list->model, NOTE_ERROR, "out of memory");
    list->dirty = true;
}

static void
look(struct tui_list *list)
{
    struct model *model = &list->model;
    uint64_t delay = (uint64_t)(list->options->delay_s * 1e9);

    model->now_ns = clock_monotonic_ns();
    list->look_ns = model->now_ns + delay;
    if (model->paused)
        return;
    int r = survey_look(&list->survey);
    if (r < 0)
        model_note(model, NOTE_ERROR, "cannot list processes: %s", strerror(-r));
    else
        take_rows(list);
}

static bool
open_screen(struct tui_list *list)
{
    if (tui_screen_open(&list->screen, list->options, &list->model) < 0)
        return false;
    (void)tui_screen_follow(&list->screen);
    tui_list_layout(list);
    return true;
}

/* Hands the terminal to the process's screen, and takes it again. */
static void
show_process(struct tui_list *list, struct conn *conn, pid_t pid)
{
    struct tui_options options = *list->options;
    bool over = false;

    options.pid = pid;
    survey_done(&list->survey);
    tui_screen_close(&list->screen);
    list->status = tui_show(conn, &options, &over);
    list->quit = over || list->status != STATUS_DONE;
    if (list->quit)
        return;
    if (!open_screen(list)) {
        list->status = STATUS_USAGE;
        list->quit = true;
        return;
    }
    list->look_ns = 0;
}

void
tui_list_open(struct tui_list *list)
{
    const struct process_row *row = processes_selected(&list->model.processes);
    struct conn_error error;
    struct conn *conn;

    if (!row) {
        model_note(&list->model, NOTE_INFO, "no process is selected");
        return;
    }
    pid_t pid = row->pid;
    model_note(&list->model, NOTE_INFO, "opening process %d...", (int)pid);
    draw(list);
    if (conn_open(pid, list->options->attach, OPEN_MS, &conn, &error) >= 0) {
        list->model.note[0] = '\0';
        show_process(list, conn, pid);
        return;
    }
    list->model.now_ns = clock_monotonic_ns();
    model_note(&list->model, NOTE_ERROR, "%s", error.text);
    list->look_ns = 0;
}

static void
take_keys(struct tui_list *list)
{
    int key;

    while (!list->quit && (key = surface_curses_key(list->screen.terminal)) != KEYS_NONE) {
        tui_list_key(list, key);
        list->dirty = true;
    }
}

static void
take_signals(struct tui_list *list)
{
    if (!tui_screen_signals(&list->screen))
        list->quit = true;
    if (tui_screen_follow(&list->screen))
        tui_list_layout(list);
    list->dirty = true;
}

static int
wait_ms(const struct tui_list *list)
{
    uint64_t now = clock_monotonic_ns();
    uint64_t left = list->look_ns > now ? (list->look_ns - now) / 1000000 + 1 : 0;

    return left < TICK_MS ? (int)left : TICK_MS;
}

static void
wait(struct tui_list *list)
{
    struct pollfd fds[2 + SURVEY_OPEN_MAX] = {
        {.fd = STDIN_FILENO, .events = POLLIN},
        {.fd = list->screen.signals, .events = POLLIN},
    };
    size_t agents = survey_fds(&list->survey, fds + 2);
    int n = poll(fds, 2 + agents, wait_ms(list));

    list->model.now_ns = clock_monotonic_ns();
    list->model.now_s = clock_realtime_s();
    if (n <= 0) {
        list->quit = list->quit || (n < 0 && errno != EINTR);
        list->dirty = true;
        return;
    }
    if (fds[1].revents)
        take_signals(list);
    for (size_t i = 0; i < agents; i++)
        list->heard = list->heard || fds[2 + i].revents;
    if (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL))
        list->quit = true; /* the terminal is gone */
    else if (fds[0].revents)
        take_keys(list);
}

/* What agents have answered, as long as the rows are not to stand still. */
static void
take_answers(struct tui_list *list)
{
    list->heard = false;
    if (list->survey.count == 0)
        return;
    survey_read(&list->survey);
    if (!list->model.paused)
        take_rows(list);
}

static void
run(struct tui_list *list)
{
    while (!list->quit) {
        if (clock_monotonic_ns() >= list->look_ns) {
            take_answers(list); /* or what has not come */
            look(list);
        }
        if (list->dirty)
            draw(list);
        wait(list);
        if (list->heard && !list->quit)
            take_answers(list);
    }
}

int
tui_list_run(const struct tui_options *options)
{
    struct tui_list *list = calloc(1, sizeof *list);

    if (!list)
        return STATUS_USAGE;
    list->options = options;
    model_init(&list->model, 0);
    list->model.interval_s = options->delay_s;
    list->model.now_ns = clock_monotonic_ns();
    list->model.now_s = clock_realtime_s();
    list->status = STATUS_USAGE;
    if (list_screen_open(&list->parts, &list->model) == 0 && open_screen(list)) {
        list->status = STATUS_DONE;
        run(list);
    }
    int status = list->status;
    tui_screen_close(&list->screen);
    survey_done(&list->survey);
    list_screen_close(&list->parts);
    model_done(&list->model);
    free(list);
    return status;
}
