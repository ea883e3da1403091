/* SPDX-License-Identifier: MIT */
/*
 * The input is a program for the writer: each byte an action, with what follows as its value. Held:
 * whatever is written is one valid document that cJSON, too, can read; in a smaller buffer the same
 * program either gives the same bytes or sticks with an error, within its bounds.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "proto/json_check.h"
#include "proto/json_out.h"
#include "vendor/cjson/cJSON.h"

#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

#define DEPTH_MAX 20
#define BUF_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct program {
    const uint8_t *at, *end;
    bool is_object[DEPTH_MAX];
    unsigned depth;
};

static void
take(struct program *p, void *value, size_t n)
{
    size_t left = (size_t)(p->end - p->at);
    n = n < left ? n : left;
    memcpy(value, p->at, n);
    p->at += n;
}

static void
write_string(struct program *p, struct json_out *out)
{
    uint8_t want = 0;
    take(p, &want, 1);
    size_t left = (size_t)(p->end - p->at), n = want < left ? want : left;
    /* a copy of its own, so that a read behind its end is seen */
    char *text = malloc(n + 1);
    HOLDS(text);
    take(p, text, n);
    json_out_string_n(out, text, n);
    text[n] = '\0';
    free(text);
}

static void
write_number(struct program *p, struct json_out *out, unsigned kind)
{
    uint64_t bits = 0;
    double real;
    take(p, &bits, sizeof(bits));
    memcpy(&real, &bits, sizeof(real));
    if (kind == 0)
        json_out_uint(out, bits);
    else if (kind == 1)
        json_out_int(out, (int64_t)bits);
    else
        json_out_fixed(out, real, (int)(bits % 13) - 1);
}

static void
open_level(struct program *p, struct json_out *out, bool object)
{
    if (p->depth == DEPTH_MAX) {
        json_out_null(out);
        return;
    }
    p->is_object[p->depth++] = object;
    if (object)
        json_out_object(out);
    else
        json_out_array(out);
}

static void
close_level(struct program *p, struct json_out *out)
{
    if (p->is_object[--p->depth])
        json_out_object_end(out);
    else
        json_out_array_end(out);
}

static void
write_value(struct program *p, struct json_out *out, unsigned action)
{
    if (p->is_object[p->depth - 1])
        json_out_key(out, "key");
    if (action < 3)
        write_number(p, out, action);
    else if (action < 5)
        open_level(p, out, action == 3);
    else if (action == 5)
        json_out_bool(out, true);
    else if (action == 6)
        json_out_raw(out, "[{}]", 4);
    else
        write_string(p, out);
}

static void
run(const uint8_t *data, size_t size, struct buf *buf)
{
    struct program p = {.at = data, .end = data + size};
    struct json_out out;
    json_out_init(&out, buf);
    open_level(&p, &out, false);
    while (p.at < p.end) {
        unsigned action = *p.at++ % 12;
        if (action >= 10 && p.depth > 1)
            close_level(&p, &out);
        else
            write_value(&p, &out, action);
    }
    while (p.depth > 0)
        close_level(&p, &out);
}

static void
run_in_less(const uint8_t *data, size_t size, const struct buf *whole)
{
    struct buf less;
    size_t max = size > 0 ? whole->len * data[0] / 255 : 0;
    buf_init(&less, max);
    run(data, size, &less);
    HOLDS(less.len <= max && less.cap <= max);
    HOLDS(less.error == (max < whole->len ? -E2BIG : 0) || less.error == -E2BIG);
    if (less.error == 0)
        HOLDS(less.len == whole->len && memcmp(less.data, whole->data, less.len) == 0);
    buf_done(&less);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf buf;
    buf_init(&buf, BUF_MAX);
    run(data, size, &buf);
    if (buf.error == 0) {
        int r = json_check(buf.data, buf.len, DEPTH_MAX + 2, NULL, NULL);
        /* a NUL is written as JSON has it, and only the check does not take it */
        HOLDS(r == 0 || (r == -EILSEQ && memmem(buf.data, buf.len, "\\u0000", 6)));
        cJSON *root = cJSON_ParseWithLength(buf.data, buf.len);
        HOLDS(root);
        cJSON_Delete(root);
        run_in_less(data, size, &buf);
    }
    buf_done(&buf);
    return 0;
}
