/* SPDX-License-Identifier: MIT */
#include "golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/screen/surface_dump.h"
#include "common/buf.h"
#include "common/utf8.h"

#define DUMP_MAX (1 << 20)

static void
render(const struct surface *surface, bool roles, struct buf *out)
{
    buf_init(out, DUMP_MAX);
    surface_dump(surface, out);
    if (roles) {
        buf_puts(out, "---- roles\n");
        surface_dump_roles(surface, out);
    }
    assert_int_equal(out->error, 0);
}

static void
read_file(const char *path, struct buf *out)
{
    char bytes[4096];
    size_t n;
    FILE *file = fopen(path, "re");

    buf_init(out, DUMP_MAX);
    if (!file)
        fail_msg("%s is not there: GENERATE=1 makes it", path);
    while ((n = fread(bytes, 1, sizeof bytes, file)) > 0)
        buf_append(out, bytes, n);
    fclose(file);
}

static void
write_file(const char *path, const struct buf *drawn)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(drawn->data, 1, drawn->len, file), drawn->len);
    assert_int_equal(fclose(file), 0);
}

/* Says the first line that differs. */
static void
explain(const char *path, const struct buf *have, const struct buf *want)
{
    size_t line = 1, start = 0, i = 0;

    while (i < have->len && i < want->len && have->data[i] == want->data[i]) {
        if (have->data[i++] == '\n') {
            line++;
            start = i;
        }
    }
    size_t drawn = 0, kept = 0;
    while (start + drawn < have->len && have->data[start + drawn] != '\n')
        drawn++;
    while (start + kept < want->len && want->data[start + kept] != '\n')
        kept++;
    fail_msg("%s:%zu differs\n drawn: %.*s\n  file: %.*s", path, line, (int)drawn,
        have->data + start, (int)kept, want->data + start);
}

void
golden_check(const char *name, const struct surface *surface, bool roles)
{
    const char *generate = getenv("GENERATE");
    struct buf drawn, kept;
    char path[256];

    golden_check_cells(surface);
    snprintf(path, sizeof path, "tests/golden/%s.txt", name);
    render(surface, roles, &drawn);
    if (generate && *generate) {
        write_file(path, &drawn);
        buf_done(&drawn);
        return;
    }
    read_file(path, &kept);
    if (drawn.len != kept.len || memcmp(drawn.data, kept.data, drawn.len) != 0)
        explain(path, &drawn, &kept);
    buf_done(&drawn);
    buf_done(&kept);
}

static void
check_cell(const struct surface *surface, int x, int y)
{
    const struct cell *cell = surface_at(surface, x, y), *next = surface_at(surface, x + 1, y);
    size_t n = strlen(cell->text);
    uint32_t c = 0;

    assert_true(n < sizeof cell->text);
    assert_true(cell->role < ROLES && cell->overlay < ROLES);
    for (size_t i = 0; i < n;) {
        i += utf8_decode(cell->text + i, n - i, &c);
        assert_true(c >= 0x20 && !(c >= 0x7F && c < 0xA0));
        assert_false(c >= 0x202A && c <= 0x202E);
    }
    if (cell->width == 0)
        assert_true(n == 0 && x > 0 && surface_at(surface, x - 1, y)->width == 2);
    else
        assert_true(n > 0);
    if (cell->width == 2)
        assert_true(next && next->width == 0);
    if (surface->ascii)
        assert_true(n == 1 && (unsigned char)cell->text[0] < 0x7F);
}

void
golden_check_cells(const struct surface *surface)
{
    for (int y = 0; y < surface->rows; y++)
        for (int x = 0; x < surface->cols; x++)
            check_cell(surface, x, y);
}
