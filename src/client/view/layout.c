/* SPDX-License-Identifier: MIT */
/* The table is what people came for: as rows run out, all else gives way first. */
#include "client/view/layout.h"

static int
header_rows(int rows)
{
    if (rows >= 20)
        return 4;
    if (rows >= 12)
        return 2;
    return rows >= 4 ? 1 : 0;
}

void
layout_make(int cols, int rows, bool beside, struct layout *ret_layout)
{
    int header = header_rows(rows), tabs = rows >= 6, bar = rows >= 5;
    int body = rows - header - tabs - bar;
    struct layout layout = {
        .header = {0, 0, cols, header},
        .tabs = {0, header, cols, tabs},
        .body = {0, header + tabs, cols, body},
        .bar = {0, rows - bar, cols, bar},
    };

    if (beside && cols >= LAYOUT_SIDE_COLS) {
        layout.side = layout.body;
        layout.body.w = cols / 2;
        layout.side.x = layout.body.w;
        layout.side.w = cols - layout.body.w;
    }
    *ret_layout = layout;
}

void
layout_list(int cols, int rows, struct layout *ret_layout)
{
    int header = rows >= 4, tabs = rows >= 6, bar = rows >= 5;

    *ret_layout = (struct layout){
        .header = {0, 0, cols, header},
        .tabs = {0, header, cols, tabs},
        .body = {0, header + tabs, cols, rows - header - tabs - bar},
        .bar = {0, rows - bar, cols, bar},
    };
}
