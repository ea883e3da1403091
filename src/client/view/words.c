/* SPDX-License-Identifier: MIT */
/* One place for every word and sign that several views share. */
#include "client/view/words.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *text, *glyph;
    enum role role;
} states[LOOPTOP_STATES] = {
    [LOOPTOP_NEW] = {"+ NEW", "+", ROLE_TASK_NEW},
    [LOOPTOP_READY] = {"◆ READY", "◆", ROLE_TASK_READY},
    [LOOPTOP_RUN] = {"▶ RUN", "▶", ROLE_TASK_RUN},
    [LOOPTOP_WAIT] = {"◇ WAIT", "◇", ROLE_TASK_WAIT},
    [LOOPTOP_CANCELLING] = {"✕ CANC", "✕", ROLE_TASK_CANCELLING},
    [LOOPTOP_DONE] = {"✓ DONE", "✓", ROLE_TASK_DONE},
    [LOOPTOP_FAILED] = {"✗ FAIL", "✗", ROLE_TASK_FAILED},
    [LOOPTOP_CANCELLED] = {"⊘ CNCLD", "⊘", ROLE_TASK_CANCELLED},
};

const char *
words_state(enum looptop_state state)
{
    return (unsigned)state < LOOPTOP_STATES ? states[state].text : WORDS_UNKNOWN;
}

const char *
words_state_glyph(enum looptop_state state)
{
    return (unsigned)state < LOOPTOP_STATES ? states[state].glyph : WORDS_UNKNOWN;
}

enum role
words_state_role(enum looptop_state state)
{
    return (unsigned)state < LOOPTOP_STATES ? states[state].role : ROLE_TASK;
}

const char *
words_duration(char out[FMT_SIZE], int64_t ns)
{
    return ns < 0 ? WORDS_UNKNOWN : fmt_duration(out, (double)ns);
}

const char *
words_bytes(char out[FMT_SIZE], int64_t bytes)
{
    return bytes < 0 ? WORDS_UNKNOWN : fmt_bytes(out, (double)bytes);
}

const char *
words_rate(char out[FMT_SIZE], double value)
{
    return isnan(value) ? WORDS_UNKNOWN : fmt_rate(out, value);
}

const char *
words_count(char out[FMT_SIZE], double value)
{
    return isnan(value) || value < 0 ? WORDS_UNKNOWN : fmt_count(out, value);
}

void
words_place(char *out, size_t size, const char *file, unsigned line, bool long_path)
{
    const char *slash = strrchr(file, '/');
    const char *start = slash ? slash + 1 : file;

    if (long_path && slash) {
        start = slash;
        while (start > file && start[-1] != '/')
            start--;
    }
    if (line > 0)
        snprintf(out, size, "%s:%u", start, line);
    else
        snprintf(out, size, "%s", start);
}

void
words_site(char *out, size_t size, const struct task_site *site, bool long_path)
{
    char place[256];

    if (!site || (site->file[0] == '\0' && site->function[0] == '\0')) {
        snprintf(out, size, "%s", WORDS_UNKNOWN);
        return;
    }
    words_place(place, sizeof place, site->file, site->line, long_path);
    snprintf(out, size, "%s%s%s", place, site->function[0] ? " " : "", site->function);
}

enum role
words_lag_role(int64_t ns)
{
    if (ns >= MODEL_ERROR_NS)
        return ROLE_ERROR;
    return ns >= MODEL_WARN_NS ? ROLE_WARNING : ROLE_STRONG;
}

enum role
words_note_role(enum note_kind kind)
{
    switch (kind) {
    case NOTE_WARNING:
        return ROLE_WARNING;
    case NOTE_ERROR:
        return ROLE_ERROR;
    default:
        return ROLE_ACCENT;
    }
}

const char *
words_spinner(uint64_t now_ns)
{
    static const char *const signs[] = {"|", "/", "-", "\\"};

    return signs[now_ns / 150000000 % 4];
}
