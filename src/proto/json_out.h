/* SPDX-License-Identifier: MIT */
/*
 * Writes JSON into a buf, fast: no tree is built. Commas are the writer's: a value after a value
 * gets one. Errors stick in the buf. Text is made valid UTF-8 and escaped.
 */
#ifndef LOOPTOP_PROTO_JSON_OUT_H
#define LOOPTOP_PROTO_JSON_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

struct json_out {
    struct buf *buf; /* borrowed */
    bool comma;      /* a value stands before, at this level */
};

void json_out_init(struct json_out *out, struct buf *buf);

void json_out_object(struct json_out *out); /* { */
void json_out_object_end(struct json_out *out);
void json_out_array(struct json_out *out); /* [ */
void json_out_array_end(struct json_out *out);

/* Key of the next value; a literal that needs no escaping. */
void json_out_key(struct json_out *out, const char *key);

void json_out_string(struct json_out *out, const char *text);
void json_out_string_n(struct json_out *out, const char *text, size_t n);
void json_out_uint(struct json_out *out, uint64_t value);
void json_out_int(struct json_out *out, int64_t value);
void json_out_fixed(struct json_out *out, double value, int decimals); /* NaN, infinite: null */
void json_out_bool(struct json_out *out, bool value);
void json_out_null(struct json_out *out);
/* Ready-made JSON, copied as it is. */
void json_out_raw(struct json_out *out, const char *json, size_t n);

/* key and value in one */
void json_out_kv_string(struct json_out *out, const char *key, const char *text); /* NULL: null */
void json_out_kv_uint(struct json_out *out, const char *key, uint64_t value);
void json_out_kv_int(struct json_out *out, const char *key, int64_t value);
void json_out_kv_fixed(struct json_out *out, const char *key, double value, int decimals);
void json_out_kv_bool(struct json_out *out, const char *key, bool value);
void json_out_kv_null(struct json_out *out, const char *key);

#endif
