/* SPDX-License-Identifier: MIT */
/*
 * Text into the terms of proto/filter.h. Values go lower-cased and terminated into filter.text: all
 * together they are no longer than the expression, and each gets VALUE_EXTRA bytes at most on top:
 * the end and two stars, or the end and what a state is longer than its label.
 */
#include "proto/filter.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/parse.h"
#include "common/utf8.h"

#define FIELDS                                                                                     \
    "id name state coro coroutine wait waiting_on at created created_at exc exception parent "     \
    "loop age idle busy pct busy_pct steps max max_step"
#define STATES "new ready run wait cancelling canc done failed fail cancelled cncld"
#define VALUE_EXTRA 7
#define FIELD_NAME_MAX 24 /* bytes of an unknown field's name or of a value shown in a message */

_Static_assert(
    sizeof(((struct filter *)0)->text) >= LOOPTOP_FILTER_MAX + VALUE_EXTRA * FILTER_TERMS_MAX,
    "see above");

enum kind {
    KIND_TEXT,   /* : ~ = != on text */
    KIND_ID,     /* as text, and as a number where the value is one */
    KIND_NUMBER, /* : = != < <= > >= */
    KIND_TIME,   /* the same, with units */
};

struct field {
    const char *name;
    enum filter_field field;
    enum kind kind;
    bool contains; /* what `:` means of a text without wild characters */
};

/* A column's name in the table stands behind the short one. */
static const struct field fields[] = {
    {"id", FILTER_ID, KIND_ID, false},
    {"name", FILTER_NAME, KIND_TEXT, false},
    {"state", FILTER_STATE, KIND_TEXT, false},
    {"coro", FILTER_CORO, KIND_TEXT, true},
    {"coroutine", FILTER_CORO, KIND_TEXT, true},
    {"wait", FILTER_WAIT, KIND_TEXT, true},
    {"waiting_on", FILTER_WAIT, KIND_TEXT, true},
    {"at", FILTER_AT, KIND_TEXT, true},
    {"created", FILTER_CREATED, KIND_TEXT, true},
    {"created_at", FILTER_CREATED, KIND_TEXT, true},
    {"exc", FILTER_EXC, KIND_TEXT, false},
    {"exception", FILTER_EXC, KIND_TEXT, false},
    {"parent", FILTER_PARENT, KIND_ID, false},
    {"loop", FILTER_LOOP, KIND_ID, false},
    {"age", FILTER_AGE, KIND_TIME, false},
    {"idle", FILTER_IDLE, KIND_TIME, false},
    {"busy", FILTER_BUSY, KIND_TIME, false},
    {"pct", FILTER_PCT, KIND_NUMBER, false},
    {"busy_pct", FILTER_PCT, KIND_NUMBER, false},
    {"steps", FILTER_STEPS, KIND_NUMBER, false},
    {"max", FILTER_MAX, KIND_TIME, false},
    {"max_step", FILTER_MAX, KIND_TIME, false},
};

struct parser {
    const char *text, *at;
    struct filter *filter;
    size_t used; /* of filter->text */
    int *ret_column;
    char *message;
    size_t message_size;
};

/* A value as written: without its quotes. */
struct value {
    const char *text;
    size_t n;
    bool quoted;
};

/* Columns are characters, not bytes: a caret is put under them. */
static int __attribute__((format(printf, 3, 4)))
fail(struct parser *p, const char *where, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)utf8_copy(p->message, p->message_size, text, strlen(text));
    int column = 1;
    const char *c = p->text;
    while (c < where) {
        uint32_t character;
        c += utf8_decode(c, strlen(c), &character);
        column++;
    }
    *p->ret_column = column;
    return -EINVAL;
}

/* n bytes of text as a message shows them: short, without control characters. */
static const char *
shown(char out[FIELD_NAME_MAX + 1], const char *text, size_t n)
{
    (void)utf8_copy(out, FIELD_NAME_MAX + 1, text, n);
    for (char *c = out; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = '?';
    return out;
}

static bool
is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
ends_term(char c)
{
    return c == '\0' || c == '|' || is_blank(c);
}

static void
skip_blanks(struct parser *p)
{
    while (is_blank(*p->at))
        p->at++;
}

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool
same_word(const char *word, const char *text, size_t n)
{
    if (strlen(word) != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (lower(text[i]) != word[i])
            return false;
    return true;
}

static bool
has_wild(const struct value *v)
{
    return memchr(v->text, '*', v->n) || memchr(v->text, '?', v->n);
}

static void
store_byte(struct parser *p, char c)
{
    p->filter->text[p->used++] = c;
}

/* Keeps the value as the term's text; a bare word with wild characters may stand anywhere. */
static void
store_text(struct parser *p, struct filter_term *term, const struct value *v)
{
    bool anywhere = term->field == FILTER_ANY && term->op == FILTER_GLOB;
    term->text = (uint16_t)p->used;
    if (anywhere)
        store_byte(p, '*');
    for (size_t i = 0; i < v->n; i++)
        store_byte(p, lower(v->text[i]));
    if (anywhere)
        store_byte(p, '*');
    store_byte(p, '\0');
}

static int
take_value(struct parser *p, struct value *ret_value)
{
    const char *start = p->at;
    if (*start == '"') {
        const char *close = strchr(start + 1, '"');
        if (!close)
            return fail(p, start, "the closing '\"' is missing");
        if (!ends_term(close[1]))
            return fail(p, close + 1, "expected a blank after the closing '\"'");
        *ret_value = (struct value){start + 1, (size_t)(close - start - 1), true};
        p->at = close + 1;
        return 0;
    }
    while (!ends_term(*p->at))
        p->at++;
    *ret_value = (struct value){start, (size_t)(p->at - start), false};
    return 0;
}

/* The operator text begins with; returns its length, 0: none. */
static size_t
leading_op(const char *text, enum filter_op *ret_op)
{
    static const struct {
        const char *text;
        enum filter_op op;
    } ops[] = {
        {"!=", FILTER_NE},
        {"<=", FILTER_LE},
        {">=", FILTER_GE},
        {"<", FILTER_LT},
        {">", FILTER_GT},
        {":", FILTER_GLOB},
        {"~", FILTER_CONTAINS},
        {"=", FILTER_EQ},
    };
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        size_t n = strlen(ops[i].text);
        if (strncmp(text, ops[i].text, n) == 0) {
            *ret_op = ops[i].op;
            return n;
        }
    }
    return 0;
}

static bool
is_order(enum filter_op op)
{
    return op == FILTER_LT || op == FILTER_LE || op == FILTER_GT || op == FILTER_GE;
}

/* Makes v the state that it names, or whose label in the table it is. */
static int
take_state(struct parser *p, struct value *v)
{
    static const char *const names[] = LOOPTOP_STATE_NAMES;
    static const struct {
        const char *label;
        enum looptop_state state;
    } labels[] = {
        {"canc", LOOPTOP_CANCELLING},
        {"fail", LOOPTOP_FAILED},
        {"cncld", LOOPTOP_CANCELLED},
    };
    char word[FIELD_NAME_MAX + 1];
    for (size_t i = 0; i < LOOPTOP_STATES; i++)
        if (same_word(names[i], v->text, v->n))
            return 0;
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        if (same_word(labels[i].label, v->text, v->n)) {
            v->text = names[labels[i].state];
            v->n = strlen(v->text);
            return 0;
        }
    }
    return fail(p, v->text, "unknown state '%s'; states are " STATES, shown(word, v->text, v->n));
}

static int
text_value(struct parser *p, const struct field *field, const char *op_at, struct value *v,
    struct filter_term *term)
{
    if (is_order(term->op))
        return fail(p, op_at, "'%s' is text; expected one of : ~ = !=", field->name);
    if (term->op == FILTER_GLOB && !has_wild(v))
        term->op = field->contains ? FILTER_CONTAINS : FILTER_EQ;
    bool whole = term->op == FILTER_EQ || term->op == FILTER_NE;
    if (field->field == FILTER_STATE && whole && take_state(p, v) < 0)
        return -EINVAL;
    store_text(p, term, v);
    return 0;
}

static int
number_value(struct parser *p, const struct field *field, const char *op_at, const struct value *v,
    struct filter_term *term)
{
    char word[FIELD_NAME_MAX + 1];
    if (term->op == FILTER_CONTAINS)
        return fail(p, op_at, "'%s' is a number; expected one of : = != < <= > >=", field->name);
    if (term->op == FILTER_GLOB)
        term->op = FILTER_EQ;
    int r = field->kind == KIND_TIME ? parse_duration(v->text, v->n, &term->number)
                                     : parse_number(v->text, v->n, &term->number);
    if (r == -ERANGE)
        return fail(p, v->text, "'%s' is too large", shown(word, v->text, v->n));
    if (r < 0 && field->kind == KIND_TIME)
        return fail(p, v->text, "expected a time such as 30s, 5m or 1h30m, not '%s'",
            shown(word, v->text, v->n));
    if (r < 0)
        return fail(p, v->text, "expected a number, not '%s'", shown(word, v->text, v->n));
    return 0;
}

/* An id is compared as a number, or as its digits where `~` or a wild character asks for that. */
static int
id_value(struct parser *p, const struct field *field, const char *op_at, const struct value *v,
    struct filter_term *term)
{
    if (term->op == FILTER_CONTAINS || (term->op == FILTER_GLOB && has_wild(v))) {
        store_text(p, term, v);
        return 0;
    }
    return number_value(p, field, op_at, v, term);
}

static const struct field *
find_field(const char *name, size_t n)
{
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (same_word(fields[i].name, name, n))
            return &fields[i];
    return NULL;
}

/* FIELD OP VALUE, of which the field's name is n bytes. */
static int
field_term(struct parser *p, size_t n, size_t op_len, struct filter_term *term)
{
    char word[FIELD_NAME_MAX + 1];
    const char *start = p->at, *op_at = start + n;
    const struct field *field = find_field(start, n);
    struct value v;
    if (n == 0)
        return fail(p, start, "expected a field before '%.*s'", (int)op_len, op_at);
    if (!field)
        return fail(p, start, "unknown field '%s'; fields are " FIELDS, shown(word, start, n));
    p->at = op_at + op_len;
    if (ends_term(*p->at))
        return fail(p, p->at, "expected a value after '%s%.*s'", field->name, (int)op_len, op_at);
    bool is_number = field->kind == KIND_NUMBER || field->kind == KIND_TIME;
    if (strchr(is_number ? "=~<>:!" : "=~", *p->at))
        return fail(p, op_at,
            "'%.*s' is no operator; expected one of : ~ = != < <= > >=", (int)op_len + 1, op_at);
    if (take_value(p, &v) < 0)
        return -EINVAL;
    term->field = field->field;
    if (field->kind == KIND_TEXT)
        return text_value(p, field, op_at, &v, term);
    if (field->kind == KIND_ID)
        return id_value(p, field, op_at, &v, term);
    return number_value(p, field, op_at, &v, term);
}

/* What other languages have in place of blanks, | and ! would be looked for as text, to no or to
 * another effect. */
static int
check_word(struct parser *p, const struct value *v)
{
    static const struct {
        const char *word, *instead;
    } others[] = {
        {"and", "a blank"}, {"or", "|"}, {"not", "!"}, {"&", "a blank"}, {"&&", "a blank"}};
    if (v->quoted)
        return 0;
    if (v->n > 0 && v->text[0] == '(')
        return fail(p, v->text,
            "there are no parentheses: a blank means and, | or, ! not; quote a text with some");
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (same_word(others[i].word, v->text, v->n))
            return fail(p, v->text, "'%s' is written as %s; quote it to look for the text",
                others[i].word, others[i].instead);
    return 0;
}

/* Letters and an operator right behind them make a field; "app.py:31" is a word. */
static int
parse_term(struct parser *p, struct filter_term *term)
{
    size_t n = 0;
    enum filter_op op = FILTER_CONTAINS;
    struct value v;
    if (*p->at == '!' && p->at[1] != '=') {
        term->negate = true;
        p->at++;
        if (ends_term(*p->at) || *p->at == '!')
            return fail(p, p->at, "expected a term after '!'");
    }
    while ((p->at[n] >= 'a' && p->at[n] <= 'z') || (p->at[n] >= 'A' && p->at[n] <= 'Z') ||
           p->at[n] == '_')
        n++;
    size_t op_len = leading_op(p->at + n, &op);
    if (op_len > 0) {
        term->op = op;
        return field_term(p, n, op_len, term);
    }
    if (take_value(p, &v) < 0 || check_word(p, &v) < 0)
        return -EINVAL;
    term->field = FILTER_ANY;
    term->op = has_wild(&v) ? FILTER_GLOB : FILTER_CONTAINS;
    store_text(p, term, &v);
    return 0;
}

static int
parse_terms(struct parser *p)
{
    bool first = true;
    struct filter *filter = p->filter;
    for (skip_blanks(p); *p->at; skip_blanks(p)) {
        if (*p->at == '|') {
            if (first)
                return fail(p, p->at, "expected a term before '|'");
            first = true;
            p->at++;
            continue;
        }
        if (filter->count == FILTER_TERMS_MAX)
            return fail(p, p->at, "more than %d terms", FILTER_TERMS_MAX);
        struct filter_term *term = &filter->terms[filter->count];
        *term = (struct filter_term){.first_of_group = first};
        if (parse_term(p, term) < 0)
            return -EINVAL;
        filter->count++;
        first = false;
    }
    if (first && filter->count > 0)
        return fail(p, p->at, "expected a term after '|'");
    return 0;
}

int
filter_parse(
    const char *text, struct filter *ret_filter, int *ret_column, char *message, size_t size)
{
    struct filter filter = {0};
    struct parser p = {.text = text,
        .at = text,
        .filter = &filter,
        .ret_column = ret_column,
        .message = message,
        .message_size = size};
    if (strlen(text) > LOOPTOP_FILTER_MAX)
        return fail(&p, text + LOOPTOP_FILTER_MAX, "longer than %d bytes", LOOPTOP_FILTER_MAX);
    int r = parse_terms(&p);
    if (r < 0)
        return r;
    *ret_filter = filter;
    return 0;
}
