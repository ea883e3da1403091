/* SPDX-License-Identifier: MIT */
/* A process that never was, always the same: models for drawing, at a time that stands still. */
#ifndef LOOPTOP_TESTS_FIXTURE_H
#define LOOPTOP_TESTS_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "client/model/model.h"
#include "client/view/screen.h"

#define FIXTURE_NOW_S 1795212345.0 /* 2026-11-20 13:25:45 UTC */
#define FIXTURE_NOW_NS 3600000000000ull

/* A model with a status and so many tasks, of which a page is here. */
void fixture_model(struct model *model, uint64_t tasks);

/* Names that try to break the screen. */
void fixture_hostile(struct model *model);

/* Looks at the task with a stack of so many frames. */
void fixture_detail(struct model *model, uint64_t id, unsigned frames);

/* A whole screen of a size, laid out and ready to be drawn. */
struct fixture_screen {
    struct screen screen;
    struct surface surface;
};
void fixture_screen(
    struct fixture_screen *fixture, struct model *model, int cols, int rows, bool ascii);
void fixture_screen_done(struct fixture_screen *fixture);

/* Lays out and draws; what was opened on the screen meanwhile counts. */
void fixture_draw(struct fixture_screen *fixture, struct model *model);

#endif
