/* SPDX-License-Identifier: MIT */
/*
 * A request line as a stranger sends it. Held: what is refused has a code, a message and an id that
 * is JSON, and nothing to free; what is accepted has an id that stands in the line as it is; the
 * answers are one line of valid JSON each.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "looptop/limits.h"
#include "proto/json_check.h"
#include "proto/rpc.h"

#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_line(struct buf *buf)
{
    HOLDS(buf->error == 0 && buf->len > 0);
    HOLDS(memchr(buf->data, '\n', buf->len) == buf->data + buf->len - 1);
    HOLDS(json_check(buf->data, buf->len, 8, NULL, NULL) == 0);
    buf_clear(buf);
}

static void
check_error(struct buf *buf, const struct rpc_request *request, const struct rpc_error *error)
{
    HOLDS(error->code < 0 && error->message[0]);
    rpc_error_write(buf, request->id, error);
    check_line(buf);
}

/* Each kind of param under each name: a value in range, or an error that names the param. */
static void
read_params(struct buf *buf, const struct rpc_request *request)
{
    static const char *const names[] = {"a", "b", "ids", "tasks", ""};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct rpc_error error = {0};
        struct rpc_request inner;
        const char *text = NULL;
        uint64_t number = 0, numbers[4];
        size_t count = 0;
        bool flag = false;
        if (rpc_param_string(request, names[i], 8, "", &text, &error) < 0)
            check_error(buf, request, &error);
        else
            HOLDS(strlen(text) <= 8);
        if (rpc_param_uint(request, names[i], 2, 1000, 5, &number, &error) < 0)
            check_error(buf, request, &error);
        else
            HOLDS(number >= 2 && number <= 1000);
        if (rpc_param_uints(request, names[i], 4, numbers, &count, &error) < 0)
            check_error(buf, request, &error);
        HOLDS(count <= 4);
        if (rpc_param_bool(request, names[i], false, &flag, &error) < 0)
            check_error(buf, request, &error);
        if (rpc_param_object(request, names[i], &inner, &flag, &error) == 0 && flag)
            (void)rpc_param_uint(&inner, names[i], 0, 9, 0, &number, &error);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rpc_request request;
    struct rpc_error error = {0};
    struct buf buf;
    buf_init(&buf, 4096);
    int r = rpc_parse((const char *)data, size, &request, &error);
    HOLDS(r == 0 || r == -EBADMSG);
    HOLDS(strlen(request.id) < RPC_ID_MAX && strlen(request.method) < RPC_METHOD_MAX);
    if (r < 0) {
        HOLDS(!request.root);
        check_error(&buf, &request, &error);
    } else {
        HOLDS(size < LOOPTOP_REQUEST_MAX && request.method[0]);
        HOLDS(request.notification || memmem(data, size, request.id, strlen(request.id)));
        read_params(&buf, &request);
        rpc_result_begin(&buf, request.id);
        (void)buf_puts(&buf, "null");
        rpc_result_end(&buf);
        check_line(&buf);
        rpc_request_done(&request);
    }
    buf_done(&buf);
    return 0;
}
