/* SPDX-License-Identifier: MIT */
/*
 * looptop: top for asyncio. Finds out which verb is meant and hands over. A first argument that is
 * a number or an option is for `top`, and so is none at all: it lists the processes there are.
 */
#include <ctype.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "client/out.h"
#include "client/verb.h"
#include "looptop/version.h"

static const struct verb *const verbs[] = {
    &verb_run,
    &verb_ls,
    &verb_ps,
    &verb_stack,
    &verb_loops,
    &verb_mem,
    &verb_cancel,
    &verb_top,
    &verb_detach,
    &verb_demo,
};
#define VERBS_COUNT (sizeof(verbs) / sizeof(verbs[0]))

static int
help(void)
{
    (void)printf("usage: looptop [OPTION]...             list the processes that run asyncio, to "
                 "choose one\n"
                 "       looptop [OPTION]... PID         look at one of them, full-screen\n"
                 "       looptop [OPTION]... --name TEXT the same, by a part of its command line\n"
                 "       looptop VERB [ARGUMENT]...\n"
                 "\ntop for asyncio: the tasks of a live Python process, what each waits for and "
                 "since when.\n\nverbs:\n");
    for (size_t i = 0; i < VERBS_COUNT; i++)
        (void)printf("  %-8s %s\n", verbs[i]->name, verbs[i]->summary);
    (void)printf(
        "\noptions:\n"
        "  --help     this text; `looptop VERB --help` or `looptop help VERB` for one verb\n"
        "  --version  version of looptop\n"
        "\nexit status: 0 done, 1 the thing asked for is not so, 2 usage, "
        "3 cannot connect\n");
    return VERB_DONE;
}

static const struct verb *
find_verb(const char *word)
{
    for (size_t i = 0; i < VERBS_COUNT; i++)
        if (strcmp(word, verbs[i]->name) == 0)
            return verbs[i];
    return NULL;
}

static size_t
smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;

    return least < c ? least : c;
}

/* Edits between two short words: insertions, removals and changes of one character. */
static size_t
distance(const char *a, const char *b)
{
    size_t row[16], n = strlen(b);

    if (n >= sizeof(row) / sizeof(row[0]))
        return n;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t corner = row[0];

        row[0] = i + 1;
        for (size_t j = 0; j < n; j++) {
            size_t above = row[j + 1];

            row[j + 1] = smallest(above + 1, row[j] + 1, corner + (a[i] != b[j]));
            corner = above;
        }
    }
    return row[n];
}

static int
unknown_verb(const char *word)
{
    const struct verb *best = NULL;
    size_t least = 3; /* further apart is no misspelling */

    for (size_t i = 0; i < VERBS_COUNT; i++) {
        size_t d = distance(word, verbs[i]->name);

        if (d < least && d < strlen(verbs[i]->name)) {
            best = verbs[i];
            least = d;
        }
    }
    if (best)
        return verb_fail(VERB_USAGE,
            "no verb '%s': did you mean `looptop %s`? See `looptop --help`", word, best->name);
    return verb_fail(VERB_USAGE, "no verb '%s': see `looptop --help`", word);
}

/* looptop help [VERB] */
static int
help_on(int argc, char **argv)
{
    const struct verb *verb = argc > 0 ? find_verb(argv[0]) : NULL;

    if (argc > 1)
        return verb_fail(VERB_USAGE, "help: '%s' is one argument too many", argv[1]);
    if (argc == 0)
        return help();
    return verb ? verb_help(verb) : unknown_verb(argv[0]);
}

static int
run(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : NULL;
    const struct verb *verb;

    if (!word)
        return verb_top.run(&verb_top, argc, argv);
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return help();
    if (strcmp(word, "help") == 0)
        return help_on(argc - 2, argv + 2);
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        (void)printf("looptop %s\n", LOOPTOP_VERSION);
        return VERB_DONE;
    }
    if (isdigit((unsigned char)word[0]) || word[0] == '-')
        return verb_top.run(&verb_top, argc, argv);
    verb = find_verb(word);
    if (verb)
        return verb->run(verb, argc - 1, argv + 1);
    return unknown_verb(word);
}

int
main(int argc, char **argv)
{
    int status;

    /* LC_CTYPE alone: numbers are written and read with a point, whatever the language. */
    (void)setlocale(LC_CTYPE, "");
    if (!out_utf8())
        out_force_ascii();
    status = run(argc, argv);
    if (fflush(stdout) != 0 && status == VERB_DONE)
        status = verb_fail(VERB_NOT_SO, "cannot write the output");
    return status;
}
