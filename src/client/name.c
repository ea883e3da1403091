/* SPDX-License-Identifier: MIT */
/* Command lines are matched as `ls --json` shows them, not as they are shortened for a table. */
#include "client/name.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/model/match.h"
#include "client/survey.h"
#include "client/verb.h"
#include "common/cleanup.h"
#include "common/fmt.h"
#include "platform/proc.h"

#define LINE_MAX_BYTES (128 * 1024)
#define NAMED_MAX 12 /* processes that are named where there are several */

static bool
matches(pid_t pid, const char *pattern)
{
    CLEANUP_FREE char *raw = malloc(LINE_MAX_BYTES), *line = malloc(LINE_MAX_BYTES);
    size_t len;

    return raw && line && proc_cmdline(NULL, pid, raw, LINE_MAX_BYTES, &len) == 0 &&
           match_line(pattern, fmt_clean(line, LINE_MAX_BYTES, raw));
}

static int
say_several(const char *pattern, const pid_t *pids, size_t count)
{
    char list[NAMED_MAX * 12 + 8] = "";
    size_t n = 0;

    for (size_t i = 0; i < count && i < NAMED_MAX; i++)
        n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%d", i > 0 ? ", " : "", (int)pids[i]);
    if (count > NAMED_MAX)
        (void)snprintf(list + n, sizeof(list) - n, ", ...");
    return verb_fail(VERB_USAGE,
        "%zu processes match '%s': %s: give the PID of one, or more of its "
        "command line",
        count, pattern, list);
}

int
name_find(const char *pattern, pid_t *ret_pid)
{
    CLEANUP(survey_done) struct survey survey = {0};
    pid_t found[NAMED_MAX];
    size_t count = 0;
    int r = survey_find(&survey);

    if (r < 0)
        return verb_fail(VERB_NOT_SO, "cannot list processes: %s", strerror(-r));
    for (size_t i = 0; i < survey.count; i++) {
        if (!matches(survey.rows[i].pid, pattern))
            continue;
        if (count < NAMED_MAX)
            found[count] = survey.rows[i].pid;
        count++;
    }
    if (count == 0)
        return verb_fail(VERB_NOT_SO,
            "no process with an event loop has '%s' in its command line: `looptop ls` lists them",
            pattern);
    if (count > 1)
        return say_several(pattern, found, count);
    *ret_pid = found[0];
    return VERB_DONE;
}
