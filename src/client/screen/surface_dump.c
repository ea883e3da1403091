/* SPDX-License-Identifier: MIT */
/* Rows of cells as lines of text. */
#include "client/screen/surface_dump.h"

#include <string.h>

static bool
is_blank(const struct cell *cell)
{
    return cell->width == 1 && strcmp(cell->text, " ") == 0;
}

int
surface_dump(const struct surface *surface, struct buf *out)
{
    for (int y = 0; y < surface->rows; y++) {
        int end = surface->cols;
        while (end > 0 && is_blank(surface_at(surface, end - 1, y)))
            end--;
        for (int x = 0; x < end; x++)
            buf_puts(out, surface_at(surface, x, y)->text);
        buf_puts(out, "\n");
    }
    return out->error;
}

static char
letter(const struct cell *cell)
{
    if (cell->overlay != ROLE_DEFAULT)
        return role_letter((enum role)cell->overlay);
    if (cell->role == ROLE_DEFAULT && is_blank(cell))
        return ' ';
    return role_letter((enum role)cell->role);
}

int
surface_dump_roles(const struct surface *surface, struct buf *out)
{
    for (int y = 0; y < surface->rows; y++) {
        int end = surface->cols;
        while (end > 0 && letter(surface_at(surface, end - 1, y)) == ' ')
            end--;
        for (int x = 0; x < end; x++) {
            char mark = letter(surface_at(surface, x, y));
            buf_append(out, &mark, 1);
        }
        buf_puts(out, "\n");
    }
    return out->error;
}
