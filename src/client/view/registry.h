/* SPDX-License-Identifier: MIT */
/* All views there are. */
#ifndef LOOPTOP_VIEW_REGISTRY_H
#define LOOPTOP_VIEW_REGISTRY_H

#include "client/view/view.h"

extern const struct view_ops header_view, tasks_view, detail_view, cancel_view, help_view,
    sort_menu_view, column_menu_view;

/* In the order of tabs and help; ended by NULL. */
extern const struct view_ops *const registry_views[];

/* Keys that work in every view. */
extern const struct bindings registry_common;

#endif
