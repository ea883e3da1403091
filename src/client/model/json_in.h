/* SPDX-License-Identifier: MIT */
/*
 * Reads fields of an answer that was parsed into a tree. Each function checks type and range, since
 * the agent's bytes are not trusted: 0 and the value, or the fallback where the field is absent or
 * null; -EPROTO where it is of another type or out of range.
 */
#ifndef LOOPTOP_CLIENT_MODEL_JSON_IN_H
#define LOOPTOP_CLIENT_MODEL_JSON_IN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cJSON;

/* A number as it stands. -EPROTO for anything but a finite number. */
int json_in_number(const struct cJSON *item, double *ret_value);
/* A whole number of at least 0; -EPROTO for others. */
int json_in_whole(const struct cJSON *item, uint64_t *ret_value);

int json_in_uint(const struct cJSON *object, const char *key, uint64_t fallback, uint64_t *ret);
int json_in_int(const struct cJSON *object, const char *key, int64_t fallback, int64_t *ret);
int json_in_double(const struct cJSON *object, const char *key, double fallback, double *ret);
int json_in_bool(const struct cJSON *object, const char *key, bool fallback, bool *ret);
/* Text, cut to size; absent or null: "". */
int json_in_text(const struct cJSON *object, const char *key, char *out, size_t size);
/* A nested object; absent or null: *ret_inner NULL. */
int json_in_object(const struct cJSON *object, const char *key, const struct cJSON **ret_inner);
/* A nested array; absent or null: *ret_inner NULL. */
int json_in_array(const struct cJSON *object, const char *key, const struct cJSON **ret_inner);

#endif
