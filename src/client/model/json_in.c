/* SPDX-License-Identifier: MIT */
/*
 * cJSON keeps every number as a double. Whole numbers are therefore exact below 2^53 only; larger
 * ones are taken as the nearest double, which for a duration in nanoseconds (2^53 are 104 days) is
 * no harm.
 */
#include "client/model/json_in.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "common/utf8.h"
#include "vendor/cjson/cJSON.h"

#define JSON_IN_WHOLE_MAX 9.2e18 /* below 2^63, so that both integer types hold it */

static const cJSON *
field(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

    return cJSON_IsNull(item) ? NULL : item;
}

int
json_in_number(const cJSON *item, double *ret_value)
{
    if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble))
        return -EPROTO;
    *ret_value = item->valuedouble;
    return 0;
}

int
json_in_whole(const cJSON *item, uint64_t *ret_value)
{
    double value;
    int r = json_in_number(item, &value);

    if (r < 0)
        return r;
    if (value < 0 || value > JSON_IN_WHOLE_MAX || (value < 9e15 && value != floor(value)))
        return -EPROTO;
    *ret_value = (uint64_t)value;
    return 0;
}

int
json_in_uint(const cJSON *object, const char *key, uint64_t fallback, uint64_t *ret)
{
    const cJSON *item = field(object, key);

    if (item)
        return json_in_whole(item, ret);
    *ret = fallback;
    return 0;
}

int
json_in_int(const cJSON *object, const char *key, int64_t fallback, int64_t *ret)
{
    const cJSON *item = field(object, key);
    double value;

    if (!item) {
        *ret = fallback;
        return 0;
    }
    if (json_in_number(item, &value) < 0 || fabs(value) > JSON_IN_WHOLE_MAX)
        return -EPROTO;
    *ret = (int64_t)value;
    return 0;
}

int
json_in_double(const cJSON *object, const char *key, double fallback, double *ret)
{
    const cJSON *item = field(object, key);

    if (item)
        return json_in_number(item, ret);
    *ret = fallback;
    return 0;
}

int
json_in_bool(const cJSON *object, const char *key, bool fallback, bool *ret)
{
    const cJSON *item = field(object, key);

    if (item && !cJSON_IsBool(item))
        return -EPROTO;
    *ret = item ? cJSON_IsTrue(item) : fallback;
    return 0;
}

int
json_in_text(const cJSON *object, const char *key, char *out, size_t size)
{
    const cJSON *item = field(object, key);

    if (item && !cJSON_IsString(item))
        return -EPROTO;
    if (item)
        (void)utf8_copy(out, size, item->valuestring, strlen(item->valuestring));
    else
        out[0] = '\0';
    return 0;
}

int
json_in_object(const cJSON *object, const char *key, const cJSON **ret_inner)
{
    const cJSON *item = field(object, key);

    if (item && !cJSON_IsObject(item))
        return -EPROTO;
    *ret_inner = item;
    return 0;
}

int
json_in_array(const cJSON *object, const char *key, const cJSON **ret_inner)
{
    const cJSON *item = field(object, key);

    if (item && !cJSON_IsArray(item))
        return -EPROTO;
    *ret_inner = item;
    return 0;
}
