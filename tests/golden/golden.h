/* SPDX-License-Identifier: MIT */
/* Compares drawn screens with the files beside this one. GENERATE=1 writes them anew. */
#ifndef LOOPTOP_TESTS_GOLDEN_H
#define LOOPTOP_TESTS_GOLDEN_H

#include <stdbool.h>

#include "client/screen/surface.h"

/* Compares with tests/golden/NAME.txt; with roles also the style of each cell. Fails the test. */
void golden_check(const char *name, const struct surface *surface, bool roles);

/* Fails the test where the grid could do harm: control characters, halves of wide glyphs. */
void golden_check_cells(const struct surface *surface);

#endif
