/* SPDX-License-Identifier: GPL-2.0-only */
/* WEIR_IOC_GET of objects whose configuration and totals are structs of their own. */
#ifndef _WEIR_VIEW_H
#define _WEIR_VIEW_H

#include <linux/types.h>

struct weir_object;

/**
 * struct weir_view - a struct that users see of an object
 * @size: of it
 * @min_size: in the first version of the ABI
 * @read: fill it in; its first member, the size, may be left. Context: RCU read side,
 *	alive.
 */
struct weir_view {
	size_t	size;
	size_t	min_size;
	void	(*read)(struct weir_object *o, void *to);
};

int weir_view_get(struct weir_object *o, const struct weir_view *config, u64 user_config,
		  const struct weir_view *stats, u64 user_stats);

#endif /* _WEIR_VIEW_H */
