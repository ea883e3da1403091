/* SPDX-License-Identifier: MIT */
/* Looking keys up, and the line at the foot of the screen. */
#include "client/view/binding.h"

#include <stdio.h>
#include <string.h>

#include "client/screen/keys.h"

#define OFFERS_MAX 32

const struct binding *
binding_find(struct bindings bindings, int key)
{
    for (size_t i = 0; i < bindings.count; i++)
        for (int k = 0; k < BINDING_KEYS && bindings.rows[i].keys[k] != 0; k++)
            if (bindings.rows[i].keys[k] == key)
                return &bindings.rows[i];
    return NULL;
}

static size_t
append_keys(const struct binding *row, char *out, size_t size)
{
    char name[KEYS_NAME_MAX];
    size_t n = 0;

    for (int k = 0; k < BINDING_KEYS && row->keys[k] != 0; k++) {
        int more = snprintf(out + n, size - n, "%s%s", k ? " " : "", keys_name(row->keys[k], name));
        if (more < 0 || (size_t)more >= size - n)
            break;
        n += (size_t)more;
    }
    return n;
}

void
binding_keys(struct bindings bindings, size_t row, char *out, size_t size)
{
    size_t n = append_keys(&bindings.rows[row], out, size);

    while (++row < bindings.count && !bindings.rows[row].help && n + 3 < size) {
        memcpy(out + n, ", ", 3);
        n += 2;
        n += append_keys(&bindings.rows[row], out + n, size - n);
    }
}

static int
offer_columns(const struct surface *surface, const struct binding *row)
{
    char name[KEYS_NAME_MAX];

    return surface_columns(surface, keys_name(row->keys[0], name)) +
           surface_columns(surface, row->label) + 3;
}

/* Collects the rows that stand at the foot; returns their number. */
static size_t
collect(struct bindings bindings, const struct binding **offers, size_t count)
{
    for (size_t i = 0; i < bindings.count && count < OFFERS_MAX; i++)
        if (bindings.rows[i].bar > 0)
            offers[count++] = &bindings.rows[i];
    return count;
}

void
binding_draw_bar(
    struct bindings own, struct bindings common, struct surface *surface, struct rect area)
{
    const struct binding *offers[OFFERS_MAX];
    bool shown[OFFERS_MAX] = {false};
    size_t count = collect(common, offers, collect(own, offers, 0));
    int used = 1, x = area.x + 1;
    char name[KEYS_NAME_MAX];

    for (int bar = 1; bar < 10; bar++) {
        for (size_t i = 0; i < count; i++) {
            int columns = offer_columns(surface, offers[i]);
            if (offers[i]->bar != bar || used + columns > area.w + 1)
                continue;
            shown[i] = true;
            used += columns;
        }
    }
    surface_fill(surface, area, ROLE_KEY_LABEL, NULL);
    for (size_t i = 0; i < count; i++) {
        if (!shown[i])
            continue;
        x = surface_put(surface, x, area.y, ROLE_KEY, keys_name(offers[i]->keys[0], name));
        x = surface_put(surface, x + 1, area.y, ROLE_KEY_LABEL, offers[i]->label) + 2;
    }
}
