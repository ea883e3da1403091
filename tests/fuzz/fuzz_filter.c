/* SPDX-License-Identifier: MIT */
/*
 * The input is a filter, a newline, and the text of a task's fields. Held: an error's column lies
 * in the text or right behind it, and the message fits and is valid UTF-8; what is accepted gives
 * the same answer twice, also parsed anew, and `!` before a single term turns it round.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"
#include "proto/filter.h"

#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

#define MESSAGE_SIZE 96

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_error(const char *text, int column, const char *message)
{
    HOLDS(column >= 1 && (size_t)column <= strlen(text) + 1);
    size_t n = strnlen(message, MESSAGE_SIZE);
    HOLDS(n > 0 && n < MESSAGE_SIZE && utf8_prefix(message, n, n) == n);
    for (size_t i = 0; i < n; i++)
        HOLDS((unsigned char)message[i] >= 0x20);
}

static void
check_filter(const struct filter *filter)
{
    HOLDS(filter->count <= FILTER_TERMS_MAX);
    for (unsigned i = 0; i < filter->count; i++) {
        const struct filter_term *term = &filter->terms[i];
        HOLDS(term->first_of_group || i > 0);
        HOLDS(term->field < FILTER_FIELDS && term->op <= FILTER_GE && term->number >= 0);
        HOLDS(memchr(filter->text + term->text, 0, sizeof(filter->text) - term->text));
    }
}

static void
check_negation(const struct filter *filter, const struct filter_task *task)
{
    struct filter turned = *filter;
    if (filter->count != 1)
        return;
    turned.terms[0].negate = !turned.terms[0].negate;
    HOLDS(filter_match(&turned, task) != filter_match(filter, task));
}

static void
try_filter(const char *text, const char *field)
{
    struct filter filter, again;
    int column = 0;
    char message[MESSAGE_SIZE] = "";
    struct filter_task task = {.id = strlen(field),
        .state = (enum looptop_state)(strlen(text) % (LOOPTOP_STATES + 1)),
        .age_ns = 5e9,
        .name = field,
        .coroutine = *field ? field + 1 : NULL,
        .at_file = field,
        .at_function = field,
        .at_line = UINT32_MAX,
        .created_file = *field ? field : NULL};
    int r = filter_parse(text, &filter, &column, message, sizeof(message));
    HOLDS(r == 0 || r == -EINVAL);
    if (r < 0) {
        check_error(text, column, message);
        return;
    }
    check_filter(&filter);
    bool matched = filter_match(&filter, &task);
    HOLDS(filter_parse(text, &again, &column, message, sizeof(message)) == 0);
    HOLDS(filter_match(&again, &task) == matched && filter_match(&filter, &task) == matched);
    check_negation(&filter, &task);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    HOLDS(text);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    char *newline = strchr(text, '\n');
    if (newline)
        *newline = '\0';
    try_filter(text, newline ? newline + 1 : "");
    free(text);
    return 0;
}
