/* SPDX-License-Identifier: MIT */
/* looptop top, and looptop PID: the full-screen program, or with --batch frames of plain text. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "client/conn.h"
#include "client/out.h"
#include "client/ps.h"
#include "client/top.h"
#include "client/tui.h"
#include "client/tui_list.h"
#include "client/verb.h"
#include "common/cleanup.h"
#include "common/parse.h"

#define DELAY_MIN_NS 1e8 /* the agent's shortest interval */
#define DELAY_MAX_NS 3.6e12
#define BATCH_LIMIT 20 /* tasks in a frame, where nothing else is asked for */

static const struct option options_long[] = {
    {"batch", no_argument, NULL, 'b'},
    {"frames", required_argument, NULL, 'n'},
    {"delay", required_argument, NULL, 'd'},
    {"sort", required_argument, NULL, 's'},
    {"filter", required_argument, NULL, 'f'},
    {"limit", required_argument, NULL, 'l'},
    {"columns", required_argument, NULL, 'c'},
    {"no-finished", no_argument, NULL, 'F'},
    {"readonly", no_argument, NULL, 'r'},
    {"color", required_argument, NULL, 'C'},
    {"theme", required_argument, NULL, 'T'},
    {"ascii", no_argument, NULL, 'A'},
    VERB_OPTION_HELP,
    VERB_OPTION_END,
};

struct top_request {
    struct ps_options list;
    struct tui_options tui;
    unsigned frames;
    bool batch;
};

static int
take_color(const struct verb *verb, const char *text, enum color_mode *ret_mode)
{
    static const char *const names[] = {"auto", "mono", "16", "256", "true"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret_mode = (enum color_mode)i;
            return VERB_DONE;
        }
    }
    return verb_misused(verb, "--color takes auto, mono, 16, 256 or true, not '%s'", text);
}

static int
take_number(const struct verb *verb, int c, struct top_request *request)
{
    uint64_t frames;
    double delay_ns;

    if (c == 'n') {
        if (parse_uint_text(optarg, 1, UINT32_MAX, &frames) < 0)
            return verb_misused(verb, "'%s' is not a number of frames", optarg);
        request->frames = (unsigned)frames;
        return VERB_DONE;
    }
    if (parse_duration_text(optarg, &delay_ns) < 0 || delay_ns < DELAY_MIN_NS ||
        delay_ns > DELAY_MAX_NS)
        return verb_misused(verb, "--delay takes a time from 0.1s to 1h, not '%s'", optarg);
    request->tui.delay_s = delay_ns / 1e9;
    return VERB_DONE;
}

static int
take_option(const struct verb *verb, int c, struct top_request *request)
{
    switch (c) {
    case 'b':
        request->batch = true;
        return VERB_DONE;
    case 'n':
    case 'd':
        return take_number(verb, c, request);
    case 's':
        return ps_option_sort(verb, optarg, &request->list);
    case 'f':
        return ps_option_filter(verb, optarg, &request->list);
    case 'l':
        return ps_option_limit(verb, optarg, &request->list);
    case 'c':
        return ps_option_columns(verb, optarg, &request->list);
    case 'F':
        request->list.finished = false;
        return VERB_DONE;
    case 'r':
        request->tui.readonly = true;
        return VERB_DONE;
    case 'C':
        return take_color(verb, optarg, &request->tui.color);
    case 'T':
        request->tui.theme = optarg;
        return VERB_DONE;
    default:
        request->tui.ascii = true;
        out_force_ascii();
        return VERB_DONE;
    }
}

/* Frames of text have no colours, but a theme that is wrong is told all the same. */
static int
check_theme(const char *name)
{
    struct theme theme;
    struct theme_faults faults;

    return !name || top_theme(name, &theme, &faults) == 0 ? VERB_DONE : VERB_USAGE;
}

static void
prepare_screen(struct top_request *request)
{
    request->tui.ascii = !out_utf8();
    request->tui.query.sort = request->list.sort;
    request->tui.query.reverse = request->list.reverse;
    request->tui.query.filter = request->list.filter;
    request->tui.query.finished = request->list.finished;
}

/* No process is given: those there are, to choose from where that is possible. */
static int
list(struct top_request *request)
{
    static char name[] = "ls", *no_arguments[] = {name, NULL};

    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        optind = 0; /* the options have been read: others are */
        return verb_ls.run(&verb_ls, 1, no_arguments);
    }
    prepare_screen(request);
    request->tui.attach = verb_attach(&verb_top);
    return tui_list_run(&request->tui);
}

static int
run(const struct verb *verb, int argc, char **argv)
{
    CLEANUP(verb_conn_done) struct conn *conn = NULL;
    struct top_request request = {.list = PS_OPTIONS_DEFAULT, .tui = {.delay_s = 1}};
    int c, status = VERB_DONE;

    while ((c = verb_option(verb, argc, argv, ":bn:d:s:f:l:c:h", options_long, &status)) > 0) {
        status = take_option(verb, c, &request);
        if (status != VERB_DONE)
            return status;
    }
    if (c == 0)
        return status;
    if (optind == argc && !request.batch)
        return list(&request);
    if (request.batch)
        status = check_theme(request.tui.theme);
    if (status == VERB_DONE)
        status = verb_open_only(verb, argc, argv, &request.tui.pid, &conn);
    if (status != VERB_DONE)
        return status;
    if (!request.batch && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
        return verb_misused(verb, "the full screen needs a terminal: use --batch without one");
    if (request.list.limit == 0)
        request.list.limit = BATCH_LIMIT;
    if (request.batch) {
        verb_await_tables(request.tui.pid, conn);
        return top_batch(request.tui.pid, conn, &request.list, request.frames, request.tui.delay_s);
    }
    prepare_screen(&request);
    return tui_run(TAKE(conn), &request.tui);
}

const struct verb verb_top = {
    .name = "top",
    .arguments = "[OPTION]... [PID]",
    .summary = "Watch a process: full-screen, or frames of text with --batch",
    .options = "  -b, --batch            print frames of plain text\n"
               "  -n, --frames N         end after N frames (default: go on)\n"
               "  -d, --delay TIME       between updates (default 1s)\n"
               "  -s, --sort COLUMN[,-]  order; with ,- the other way round (default: idle)\n"
               "  -f, --filter EXPR      only these tasks, such as 'state:wait idle>30s'\n"
               "  -l, --limit N          tasks in a frame (default 20; --batch)\n"
               "  -c, --columns LIST     columns to print, with commas between (--batch)\n"
               "      --no-finished      without tasks that have ended\n"
               "      --readonly         no cancelling from here\n"
               "      --color MODE       auto, mono, 16, 256 or true\n"
               "      --theme NAME       a theme's name or file\n"
               "      --force            attach though the program's owner has said no\n"
               "      --ascii            no characters beyond ASCII\n"
               "\n`looptop PID` is the same as `looptop top PID`. Without PID the processes are "
               "listed, to\n"
               "choose one from.\n",
    .run = run,
    .takes_pid = true,
    .attach = CONN_ATTACH,
    .at_once = true,
};
