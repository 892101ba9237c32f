/* SPDX-License-Identifier: GPL-2.0-only */
/* Structs by which users configure and see objects: &struct weir_view. */
#ifndef _WEIR_VIEW_H
#define _WEIR_VIEW_H

#include "core/object.h"

int weir_view_take(const struct weir_view *view, u64 *to, u64 user);
int weir_view_get(struct weir_object *o, u64 user_config, u64 user_stats);

#endif /* _WEIR_VIEW_H */
