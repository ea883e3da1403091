/* SPDX-License-Identifier: MIT */
/* looptop ls: the processes that run an event loop or have an agent, as a table or a document. */
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/model/processes.h"
#include "client/out.h"
#include "client/ps.h"
#include "client/survey.h"
#include "client/verb.h"
#include "common/cleanup.h"
#include "platform/proc.h"
#include "platform/sock.h"

static const struct option options_long[] = {
    {"ascii", no_argument, NULL, 'A'},
    VERB_OPTION_JSON,
    VERB_OPTION_HELP,
    VERB_OPTION_END,
};

/* Removes sockets that killed agents of our own left; a directory that is not ours is let be. */
static void
sweep(void)
{
    char dir[SOCK_PATH_SIZE];
    struct stat st;

    if (sock_dir(dir, sizeof(dir), false) == 0 && lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) &&
        st.st_uid == geteuid())
        (void)sock_sweep(dir);
}

static void
cell(const void *data, size_t row, size_t column, char out[OUT_CELL_MAX])
{
    const struct survey *survey = data;

    (void)processes_cell(
        &survey->rows[row], (enum process_column)column, out_at_least(), out, OUT_CELL_MAX);
}

static void
put_table(struct buf *buf, const struct survey *survey)
{
    static const struct out_column columns[PROCESS_COLUMNS] = {
        [PROCESS_PID] = {"PID", true, false, 0, 0},
        [PROCESS_USER] = {"USER", false, false, 0, 5},
        [PROCESS_PYTHON] = {"PYTHON", false, false, 0, 4},
        [PROCESS_LOOP] = {"LOOP", false, false, 0, 8},
        [PROCESS_TASKS] = {"TASKS", true, false, 0, 1},
        [PROCESS_LAG] = {"LAG", true, false, 0, 2},
        [PROCESS_BUSY] = {"BUSY%", true, false, 0, 6},
        [PROCESS_CPU] = {"CPU%", true, false, 0, 3},
        [PROCESS_RSS] = {"RSS", true, false, 0, 9},
        [PROCESS_UP] = {"UP", true, false, 0, 7},
        [PROCESS_COMMAND] = {"COMMAND", false, false, 24, 0},
    };
    struct out_table table = {
        .columns = columns,
        .columns_count = PROCESS_COLUMNS,
        .rows_count = survey->count,
        .cell = cell,
        .data = survey,
    };

    (void)out_table(buf, &table, out_width());
}

static void
json_text(struct json_out *out, const char *key, const char *text)
{
    json_out_kv_string(out, key, text[0] ? text : NULL);
}

static void
json_count(struct json_out *out, const char *key, int64_t value)
{
    if (value >= 0)
        json_out_kv_int(out, key, value);
    else
        json_out_kv_null(out, key);
}

static void
json_process(struct json_out *out, const struct process_row *row)
{
    bool loop = row->state == PROCESS_ANSWERED && row->loop[0];
    char cmdline[4096];
    size_t len;

    json_out_object(out);
    json_out_kv_int(out, "pid", row->pid);
    json_out_kv_uint(out, "uid", row->uid);
    json_text(out, "python", row->python);
    json_text(out, "agent", row->agent);
    json_text(out, "loop", row->loop);
    json_count(out, "tasks", row->tasks);
    json_out_kv_fixed(out, "lag_ms", row->lag_ns >= 0 ? (double)row->lag_ns / 1e6 : (double)NAN, 3);
    json_out_kv_fixed(out, "busy_pct", row->busy_pct, 2);
    if (loop)
        json_out_kv_bool(out, "busy_exact", row->busy_exact);
    else
        json_out_kv_null(out, "busy_exact");
    json_out_kv_fixed(out, "cpu_pct", row->cpu_pct, 2);
    json_count(out, "rss_bytes", row->rss);
    json_out_kv_fixed(out, "uptime_s", row->up_ns >= 0 ? (double)row->up_ns / 1e9 : (double)NAN, 2);
    json_out_kv_string(out, "cmdline",
        proc_cmdline(NULL, row->pid, cmdline, sizeof(cmdline), &len) == 0 ? cmdline : NULL);
    json_out_object_end(out);
}

static void
put_json(struct buf *buf, const struct survey *survey)
{
    struct json_out out;

    json_out_init(&out, buf);
    json_out_object(&out);
    json_out_key(&out, "processes");
    json_out_array(&out);
    for (size_t i = 0; i < survey->count; i++)
        json_process(&out, &survey->rows[i]);
    json_out_array_end(&out);
    json_out_object_end(&out);
    (void)buf_puts(buf, "\n");
}

static int
show(bool json)
{
    CLEANUP(survey_done) struct survey survey = {0};
    struct buf buf;
    int r = survey_once(&survey);

    if (r < 0)
        return verb_fail(VERB_NOT_SO, "cannot list processes: %s", strerror(-r));
    sweep();
    buf_init(&buf, OUT_MAX);
    if (json)
        put_json(&buf, &survey);
    else if (survey.count > 0)
        put_table(&buf, &survey);
    else
        (void)verb_fail(0,
            "no process of yours runs an asyncio loop: start one with `looptop run python "
            "app.py`, or try `looptop demo`");
    return out_finish(&buf, VERB_DONE);
}

static int
run(const struct verb *verb, int argc, char **argv)
{
    bool json = false;
    int c, status = VERB_DONE;

    while ((c = verb_option(verb, argc, argv, ":jh", options_long, &status)) > 0) {
        if (c == 'A')
            out_force_ascii();
        else
            json = true;
    }
    if (c == 0)
        return status;
    if (optind < argc)
        return verb_misused(verb, "'%s' is one argument too many", argv[optind]);
    return show(json);
}

const struct verb verb_ls = {
    .name = "ls",
    .arguments = "[OPTION]...",
    .summary = "List the processes that run an event loop or have an agent",
    .options = "      --ascii  no characters beyond ASCII\n"
               "  -j, --json   one JSON document: see looptop-json(5)\n",
    .run = run,
};
