/* SPDX-License-Identifier: MIT */
/*
 * looptop run: becomes the command, with an environment in which every Python it starts loads the
 * agent. The process keeps its pid, its descriptors and its signal dispositions.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "client/libdir.h"
#include "client/verb.h"

#define EXIT_NOT_RUNNABLE 126 /* as the shells do */
#define EXIT_NOT_FOUND 127

static const struct option options_long[] = {
    {"readonly", no_argument, NULL, 'r'},
    VERB_OPTION_HELP,
    VERB_OPTION_END,
};

static int
run(const struct verb *verb, int argc, char **argv)
{
    bool readonly = false;
    int c, r, status = VERB_DONE;

    while ((c = verb_option(verb, argc, argv, "+:h", options_long, &status)) > 0)
        readonly = true;
    if (c == 0)
        return status;
    if (optind == argc)
        return verb_misused(verb, "which command? For example `looptop run python app.py`");
    r = libdir_set_environment(readonly);
    if (r == -ENOENT)
        return verb_fail(VERB_NOT_SO, "the agents are not where looptop is, nor where it was to be "
                                      "installed: set LOOPTOP_LIBDIR "
                                      "to the directory that holds agent/ and python/");
    if (r < 0)
        return verb_fail(VERB_NOT_SO, "cannot prepare the environment: %s", strerror(-r));
    (void)execvp(argv[optind], argv + optind);
    r = errno;
    return verb_fail(r == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUNNABLE, "cannot run %s: %s",
        argv[optind], strerror(r));
}

const struct verb verb_run = {
    .name = "run",
    .arguments = "[--readonly] [--] COMMAND [ARGUMENT]...",
    .summary = "Start a Python program with the agent from its first task on",
    .options = "      --readonly  the agent refuses to cancel tasks\n"
               "\nExamples: looptop run python app.py\n"
               "          looptop run uvicorn app:app --port 8000\n",
    .run = run,
};
