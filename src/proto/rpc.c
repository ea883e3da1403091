/* SPDX-License-Identifier: MIT */
/*
 * A request is checked byte by byte before cJSON sees it, so that the tree cJSON builds is bounded
 * and means what was sent. The id is echoed as it was written: a double would garble large numbers.
 * cJSON reads numbers with strtod, hence the C locale around it, for this thread only.
 */
#include "proto/rpc.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/utf8.h"
#include "looptop/limits.h"
#include "looptop/protocol.h"
#include "proto/json_check.h"
#include "vendor/cjson/cJSON.h"

#define EXACT_MAX (1ull << 53) /* whole numbers up to here are exact in a double */

static int
refuse(struct rpc_error *ret_error, int code, const char *text)
{
    rpc_error_set(ret_error, code, "%s", text);
    return -EBADMSG;
}

/* Size and grammar; *ret_id is the id as written. */
static int
check_line(const char *line, size_t n, struct json_span *ret_id, struct rpc_error *ret_error)
{
    if (n >= LOOPTOP_REQUEST_MAX) {
        rpc_error_set(
            ret_error, LOOPTOP_ERR_TOO_BIG, "the request is over %d bytes", LOOPTOP_REQUEST_MAX);
        return -EBADMSG;
    }
    int r = json_check(line, n, LOOPTOP_DEPTH_MAX, "id", ret_id);
    if (r == -ELOOP) {
        rpc_error_set(
            ret_error, LOOPTOP_ERR_PARSE, "nested over %d levels deep", LOOPTOP_DEPTH_MAX);
        return -EBADMSG;
    }
    if (r == -EILSEQ)
        return refuse(
            ret_error, LOOPTOP_ERR_PARSE, "text that is not valid Unicode, or holds a NUL");
    if (r < 0)
        return refuse(ret_error, LOOPTOP_ERR_PARSE, "not JSON");
    return 0;
}

/* NULL when out of memory: the grammar was checked. */
static cJSON *
parse_tree(const char *line, size_t n)
{
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c_locale)
        return NULL;
    locale_t before = uselocale(c_locale);
    cJSON *root = cJSON_ParseWithLengthOpts(line, n, NULL, 0);
    uselocale(before);
    freelocale(c_locale);
    return root;
}

/* The id's JSON text, once its type is known to be right. */
static int
read_id(const cJSON *root, const struct json_span *span, struct rpc_request *request,
    struct rpc_error *ret_error)
{
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(root, "id");
    request->notification = !id && !span->text;
    if (request->notification)
        return 0;
    bool scalar =
        cJSON_IsString(id) || cJSON_IsNull(id) || (cJSON_IsNumber(id) && isfinite(id->valuedouble));
    /* no span: the key was spelled with escapes; a bracket: that, and a second, plain one */
    if (!scalar || !span->text || *span->text == '{' || *span->text == '[')
        return refuse(ret_error, LOOPTOP_ERR_REQUEST, "id must be a string, a number or null");
    if (span->n >= sizeof(request->id)) {
        rpc_error_set(ret_error, LOOPTOP_ERR_REQUEST, "id is over %d bytes", RPC_ID_MAX - 1);
        return -EBADMSG;
    }
    memcpy(request->id, span->text, span->n);
    request->id[span->n] = '\0';
    return 0;
}

static int
read_method(const cJSON *root, struct rpc_request *request, struct rpc_error *ret_error)
{
    const cJSON *method = cJSON_GetObjectItemCaseSensitive(root, "method");
    if (!cJSON_IsString(method) || method->valuestring[0] == '\0')
        return refuse(ret_error, LOOPTOP_ERR_REQUEST, "method must be a string");
    size_t n = strlen(method->valuestring);
    if (n >= sizeof(request->method))
        return refuse(ret_error, LOOPTOP_ERR_METHOD, "no such method");
    memcpy(request->method, method->valuestring, n + 1);
    return 0;
}

static int
read_request(const cJSON *root, const struct json_span *id, struct rpc_request *request,
    struct rpc_error *ret_error)
{
    if (cJSON_IsArray(root))
        return refuse(ret_error, LOOPTOP_ERR_REQUEST, "batches are not taken");
    if (!cJSON_IsObject(root))
        return refuse(ret_error, LOOPTOP_ERR_REQUEST, "a request must be an object");
    int r = read_id(root, id, request, ret_error);
    if (r < 0)
        return r;
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(root, "jsonrpc");
    if (!cJSON_IsString(version) || strcmp(version->valuestring, "2.0") != 0)
        return refuse(ret_error, LOOPTOP_ERR_REQUEST, "jsonrpc must be \"2.0\"");
    r = read_method(root, request, ret_error);
    if (r < 0)
        return r;
    const cJSON *params = cJSON_GetObjectItemCaseSensitive(root, "params");
    if (cJSON_IsNull(params))
        params = NULL;
    if (params && !cJSON_IsObject(params))
        return refuse(ret_error, LOOPTOP_ERR_PARAMS, "params must be an object");
    request->params = params;
    return 0;
}

int
rpc_parse(const char *line, size_t n, struct rpc_request *ret_request, struct rpc_error *ret_error)
{
    struct json_span id = {0};
    *ret_request = (struct rpc_request){.id = "null"};
    int r = check_line(line, n, &id, ret_error);
    if (r < 0)
        return r;
    cJSON *root = parse_tree(line, n);
    if (!root)
        return -ENOMEM;
    r = read_request(root, &id, ret_request, ret_error);
    if (r < 0) {
        cJSON_Delete(root);
        return r;
    }
    ret_request->root = root;
    return 0;
}

void
rpc_request_done(struct rpc_request *request)
{
    if (!request)
        return;
    cJSON_Delete(request->root);
    request->root = NULL;
    request->params = NULL;
}

/* The param, or NULL when it is absent or null. */
static const cJSON *
find(const struct rpc_request *request, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(request->params, name);
    return cJSON_IsNull(item) ? NULL : item;
}

static int __attribute__((format(printf, 3, 4)))
bad_param(struct rpc_error *ret_error, const char *name, const char *format, ...)
{
    char text[96];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    rpc_error_set(ret_error, LOOPTOP_ERR_PARAMS, "%s must be %s", name, text);
    (void)utf8_copy(ret_error->field, sizeof(ret_error->field), name, strlen(name));
    return -EINVAL;
}

/* A whole number that a double holds exactly. */
static bool
whole(const cJSON *item, uint64_t *ret_value)
{
    if (!cJSON_IsNumber(item))
        return false;
    double value = item->valuedouble;
    if (!(value >= 0.0 && value <= (double)EXACT_MAX) || value != (double)(uint64_t)value)
        return false;
    *ret_value = (uint64_t)value;
    return true;
}

int
rpc_param_string(const struct rpc_request *request, const char *name, size_t max_bytes,
    const char *fallback, const char **ret_value, struct rpc_error *ret_error)
{
    const cJSON *item = find(request, name);
    if (!item) {
        *ret_value = fallback;
        return 0;
    }
    if (!cJSON_IsString(item))
        return bad_param(ret_error, name, "a string");
    if (strlen(item->valuestring) > max_bytes)
        return bad_param(ret_error, name, "at most %zu bytes", max_bytes);
    *ret_value = item->valuestring;
    return 0;
}

int
rpc_param_uint(const struct rpc_request *request, const char *name, uint64_t min, uint64_t max,
    uint64_t fallback, uint64_t *ret_value, struct rpc_error *ret_error)
{
    const cJSON *item = find(request, name);
    if (!item) {
        *ret_value = fallback;
        return 0;
    }
    uint64_t value;
    if (!whole(item, &value) || value < min || value > max)
        return bad_param(ret_error, name, "a whole number from %llu to %llu",
            (unsigned long long)min, (unsigned long long)(max < EXACT_MAX ? max : EXACT_MAX));
    *ret_value = value;
    return 0;
}

int
rpc_param_bool(const struct rpc_request *request, const char *name, bool fallback, bool *ret_value,
    struct rpc_error *ret_error)
{
    const cJSON *item = find(request, name);
    if (!item) {
        *ret_value = fallback;
        return 0;
    }
    if (!cJSON_IsBool(item))
        return bad_param(ret_error, name, "true or false");
    *ret_value = cJSON_IsTrue(item);
    return 0;
}

int
rpc_param_uints(const struct rpc_request *request, const char *name, size_t max_count,
    uint64_t *ret_values, size_t *ret_count, struct rpc_error *ret_error)
{
    const cJSON *item = find(request, name);
    const cJSON *first = item && cJSON_IsArray(item) ? item->child : item;
    size_t count = 0;
    for (const cJSON *i = first; i; i = i->next) {
        uint64_t value;
        if (!whole(i, &value))
            return bad_param(ret_error, name, "an array of whole numbers");
        if (++count > max_count)
            return bad_param(ret_error, name, "at most %zu numbers", max_count);
        if (i == item)
            break; /* one number: its siblings are other params */
    }
    size_t n = 0;
    for (const cJSON *i = first; n < count; i = i->next)
        (void)whole(i, &ret_values[n++]);
    *ret_count = count;
    return 0;
}

int
rpc_param_object(const struct rpc_request *request, const char *name, struct rpc_request *ret_inner,
    bool *ret_present, struct rpc_error *ret_error)
{
    const cJSON *item = find(request, name);
    if (!item) {
        *ret_present = false;
        return 0;
    }
    if (!cJSON_IsObject(item))
        return bad_param(ret_error, name, "an object");
    *ret_inner = *request;
    ret_inner->root = NULL;
    ret_inner->params = item;
    *ret_present = true;
    return 0;
}
