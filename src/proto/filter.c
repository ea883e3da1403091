/* SPDX-License-Identifier: MIT */
/*
 * Matches a task against parsed terms. It runs for each row of a large table, so nothing is copied
 * but the text of a place. Only ASCII letters are folded: what else names hold is compared as it
 * is.
 */
#include "proto/filter.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PLACE_MAX                                                                                  \
    1024 /* bytes of "file:line function"; of a longer one the beginning is cut off                \
          */

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* The start of the next character: what follows the continuation bytes. */
static const char *
next_char(const char *c)
{
    c++;
    while (((unsigned char)*c & 0xC0u) == 0x80)
        c++;
    return c;
}

static bool
equals(const char *want, const char *text)
{
    while (*want && *want == lower(*text)) {
        want++;
        text++;
    }
    return *want == *text;
}

static bool
contains(const char *want, const char *text)
{
    if (!*want)
        return true;
    for (; *text; text++) {
        size_t i = 0;
        while (want[i] && want[i] == lower(text[i]))
            i++;
        if (!want[i])
            return true;
    }
    return false;
}

/* On a mismatch only the last star is tried again: an earlier one could not do better. */
static bool
glob(const char *want, const char *text)
{
    const char *star = NULL, *star_text = NULL;
    while (*text) {
        if (*want == '*') {
            star = ++want;
            star_text = text;
        } else if (*want == '?') {
            want++;
            text = next_char(text);
        } else if (*want && *want == lower(*text)) {
            want++;
            text++;
        } else if (star) {
            want = star;
            text = star_text = next_char(star_text);
        } else {
            return false;
        }
    }
    while (*want == '*')
        want++;
    return *want == '\0';
}

static bool
match_text(enum filter_op op, const char *want, const char *text)
{
    if (!text)
        return false;
    switch (op) {
    case FILTER_GLOB:
        return glob(want, text);
    case FILTER_CONTAINS:
        return contains(want, text);
    case FILTER_NE:
        return !equals(want, text);
    default:
        return equals(want, text);
    }
}

struct place {
    char text[PLACE_MAX]; /* "/srv/app.py:31 worker" */
    const char *local;    /* the same without directories, as the screen shows it */
    char *blank;          /* the one before the function */
    bool cut;
};

/* Where the file name begins behind its directories. */
static const char *
basename_of(const char *file)
{
    const char *slash = strrchr(file, '/');
    return slash ? slash + 1 : file;
}

static char *
put_line(char *p, uint32_t line)
{
    char digits[10];
    size_t n = sizeof(digits);
    do {
        digits[--n] = (char)('0' + line % 10);
        line /= 10;
    } while (line > 0);
    memcpy(p, digits + n, sizeof(digits) - n);
    return p + sizeof(digits) - n;
}

static void
spell_place(struct place *place, const char *file, uint32_t line, const char *function)
{
    size_t file_len = strlen(file), function_len = strlen(function);
    size_t room = sizeof(place->text) / 2 - 8;
    place->cut = file_len > room || function_len > room;
    if (file_len > room) {
        file += file_len - room;
        file_len = room;
    }
    if (function_len > room)
        function_len = room;
    char *p = place->text;
    memcpy(p, file, file_len);
    place->local = p + (basename_of(file) - file);
    p += file_len;
    *p++ = ':';
    p = put_line(p, line);
    place->blank = p;
    *p++ = ' ';
    memcpy(p, function, function_len);
    p[function_len] = '\0';
}

/* A place matches as a whole, with or without directories, or by its parts. */
static bool
match_place(
    enum filter_op op, const char *want, const char *file, uint32_t line, const char *function)
{
    struct place place;
    if (!file && !function)
        return false;
    if (op == FILTER_NE)
        return !match_place(FILTER_EQ, want, file, line, function);
    spell_place(&place, file ? file : "", line, function ? function : "");
    if (match_text(op, want, place.text))
        return true;
    if (op == FILTER_CONTAINS && !place.cut)
        return false;
    if (match_text(op, want, place.local) || match_text(op, want, file) ||
        (file && match_text(op, want, basename_of(file))) || match_text(op, want, function))
        return true;
    *place.blank = '\0';
    return match_text(op, want, place.text) || match_text(op, want, place.local);
}

static bool
match_number(enum filter_op op, double want, double number)
{
    switch (op) {
    case FILTER_NE:
        return number != want;
    case FILTER_LT:
        return number < want;
    case FILTER_LE:
        return number <= want;
    case FILTER_GT:
        return number > want;
    case FILTER_GE:
        return number >= want;
    default:
        return number == want;
    }
}

/* By its digits where the term asks for text. */
static bool
match_id(const struct filter_term *term, const char *want, uint64_t id)
{
    char digits[24];
    if (term->op != FILTER_GLOB && term->op != FILTER_CONTAINS)
        return match_number(term->op, term->number, (double)id);
    (void)snprintf(digits, sizeof(digits), "%" PRIu64, id);
    return match_text(term->op, want, digits);
}

static bool
match_any(enum filter_op op, const char *want, const struct filter_task *t)
{
    return match_text(op, want, t->name) || match_text(op, want, t->coroutine) ||
           match_text(op, want, t->waiting_on) ||
           match_place(op, want, t->at_file, t->at_line, t->at_function);
}

static const char *
state_name(enum looptop_state state)
{
    static const char *const names[] = LOOPTOP_STATE_NAMES;
    return (unsigned)state < LOOPTOP_STATES ? names[state] : NULL;
}

static bool
match_term(const struct filter_term *term, const char *want, const struct filter_task *t)
{
    enum filter_op op = term->op;
    switch (term->field) {
    case FILTER_ID:
        return match_id(term, want, t->id);
    case FILTER_PARENT:
        return match_id(term, want, t->parent);
    case FILTER_LOOP:
        return match_id(term, want, t->loop);
    case FILTER_NAME:
        return match_text(op, want, t->name);
    case FILTER_STATE:
        return match_text(op, want, state_name(t->state));
    case FILTER_CORO:
        return match_text(op, want, t->coroutine);
    case FILTER_WAIT:
        return match_text(op, want, t->waiting_on);
    case FILTER_EXC:
        return match_text(op, want, t->exception);
    case FILTER_AT:
        return match_place(op, want, t->at_file, t->at_line, t->at_function);
    case FILTER_CREATED:
        return match_place(op, want, t->created_file, t->created_line, t->created_function);
    case FILTER_AGE:
        return match_number(op, term->number, t->age_ns);
    case FILTER_IDLE:
        return match_number(op, term->number, t->idle_ns);
    case FILTER_BUSY:
        return match_number(op, term->number, t->busy_ns);
    case FILTER_MAX:
        return match_number(op, term->number, t->max_step_ns);
    case FILTER_PCT:
        return match_number(op, term->number, t->busy_pct);
    case FILTER_STEPS:
        return match_number(op, term->number, (double)t->steps);
    case FILTER_ANY:
    case FILTER_FIELDS:
        break;
    }
    return match_any(op, want, t);
}

/* A group matches when all its terms do, the filter when one of its groups does. */
bool
filter_match(const struct filter *filter, const struct filter_task *task)
{
    bool group = true;
    for (unsigned i = 0; i < filter->count; i++) {
        const struct filter_term *term = &filter->terms[i];
        if (term->first_of_group && i > 0) {
            if (group)
                return true;
            group = true;
        }
        if (group)
            group = match_term(term, filter->text + term->text, task) != term->negate;
    }
    return group;
}
