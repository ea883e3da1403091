/* SPDX-License-Identifier: MIT */
/*
 * JSON-RPC 2.0 requests: a line of bytes into a struct, and the frames around answers. Parsing
 * checks size, depth, UTF-8 and types; params are read with rpc_param_*, which check type and
 * range.
 */
#ifndef LOOPTOP_PROTO_RPC_H
#define LOOPTOP_PROTO_RPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "proto/json_out.h"

struct cJSON;

#define RPC_ID_MAX 64     /* bytes of a request's id as JSON text, terminator included */
#define RPC_METHOD_MAX 32 /* bytes of a method's name, terminator included */

struct rpc_request {
    struct cJSON *root;         /* owned; everything below borrows from it */
    const struct cJSON *params; /* object, or NULL when absent */
    char id[RPC_ID_MAX];        /* JSON text of the id: a number, a string or null */
    bool notification;          /* no id: no answer is wanted */
    char method[RPC_METHOD_MAX];
};

struct rpc_error {
    int code;          /* enum looptop_error; 0: none */
    char message[320]; /* one line */
    char field[32];    /* the param at fault, or "" */
    int column;        /* in a filter, from 1; 0: does not apply */
};

/*
 * Parses one line without its newline. 0: *ret_request is the caller's, to be given to
 * rpc_request_done. -EBADMSG: *ret_error says what to answer, and *ret_request holds the id as far
 * as it was known ("null" otherwise) and nothing to free. -ENOMEM. For one thread of a process:
 * cJSON notes the place of its last error in a global.
 */
int rpc_parse(
    const char *line, size_t n, struct rpc_request *ret_request, struct rpc_error *ret_error);

void rpc_request_done(struct rpc_request *request);

/*
 * Params by name. Each returns 0 and the value, or the fallback where the param is absent or null;
 * -EINVAL and a filled *ret_error where type or range are wrong. Strings are borrowed from request;
 * max_bytes is without the terminator. Whole numbers end at 2^53, where a double stops being exact.
 */
int rpc_param_string(const struct rpc_request *request, const char *name, size_t max_bytes,
    const char *fallback, const char **ret_value, struct rpc_error *ret_error);
int rpc_param_uint(const struct rpc_request *request, const char *name, uint64_t min, uint64_t max,
    uint64_t fallback, uint64_t *ret_value, struct rpc_error *ret_error);
int rpc_param_bool(const struct rpc_request *request, const char *name, bool fallback,
    bool *ret_value, struct rpc_error *ret_error);
/* Array of whole numbers (or one number) into ret_values; absent: *ret_count 0. */
int rpc_param_uints(const struct rpc_request *request, const char *name, size_t max_count,
    uint64_t *ret_values, size_t *ret_count, struct rpc_error *ret_error);
/*
 * The object under a name as a request of its own (method and id copied, params = the object), for
 * reading its fields; nothing to free. *ret_present false when absent.
 */
int rpc_param_object(const struct rpc_request *request, const char *name,
    struct rpc_request *ret_inner, bool *ret_present, struct rpc_error *ret_error);

/* Fills an error in printf's way. */
void rpc_error_set(struct rpc_error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* `{"jsonrpc":"2.0","id":ID,"result":` — then one value by json_out — then rpc_result_end. */
void rpc_result_begin(struct buf *buf, const char *id);
/* `}` and newline. */
void rpc_result_end(struct buf *buf);
/* A whole error line. */
void rpc_error_write(struct buf *buf, const char *id, const struct rpc_error *error);
/* `{"jsonrpc":"2.0","method":METHOD,"params":` — one value — then rpc_result_end. */
void rpc_notification_begin(struct buf *buf, const char *method);

#endif
