/* SPDX-License-Identifier: MIT */
/* The other half of proto/rpc.h: frames around answers. Errors stick in the buf. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/utf8.h"
#include "proto/rpc.h"

void
rpc_error_set(struct rpc_error *error, int code, const char *format, ...)
{
    va_list args;
    *error = (struct rpc_error){.code = code};
    va_start(args, format);
    (void)vsnprintf(error->message, sizeof(error->message), format, args);
    va_end(args);
    /* one line, whatever the client put into it, and no half character at its end */
    size_t n = strlen(error->message);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)error->message[i] < 0x20 || error->message[i] == 0x7F)
            error->message[i] = ' ';
    if (n == sizeof(error->message) - 1) {
        char whole[sizeof(error->message)];
        memcpy(whole, error->message, sizeof(whole));
        (void)utf8_copy(error->message, sizeof(error->message), whole, n);
    }
}

void
rpc_result_begin(struct buf *buf, const char *id)
{
    (void)buf_puts(buf, "{\"jsonrpc\":\"2.0\",\"id\":");
    (void)buf_puts(buf, id);
    (void)buf_puts(buf, ",\"result\":");
}

void
rpc_result_end(struct buf *buf)
{
    (void)buf_append(buf, "}\n", 2);
}

void
rpc_notification_begin(struct buf *buf, const char *method)
{
    (void)buf_puts(buf, "{\"jsonrpc\":\"2.0\",\"method\":\"");
    (void)buf_puts(buf, method);
    (void)buf_puts(buf, "\",\"params\":");
}

void
rpc_error_write(struct buf *buf, const char *id, const struct rpc_error *error)
{
    struct json_out out;
    (void)buf_puts(buf, "{\"jsonrpc\":\"2.0\",\"id\":");
    (void)buf_puts(buf, id);
    (void)buf_puts(buf, ",\"error\":");
    json_out_init(&out, buf);
    json_out_object(&out);
    json_out_kv_int(&out, "code", error->code);
    json_out_kv_string(&out, "message", error->message);
    if (error->field[0] || error->column > 0) {
        json_out_key(&out, "data");
        json_out_object(&out);
        if (error->field[0])
            json_out_kv_string(&out, "field", error->field);
        if (error->column > 0)
            json_out_kv_int(&out, "column", error->column);
        json_out_object_end(&out);
    }
    json_out_object_end(&out);
    rpc_result_end(buf);
}
