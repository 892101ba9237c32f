/* SPDX-License-Identifier: GPL-2.0-only */
/* WEIR_IOC_GET of objects whose configuration and totals are structs of their own. */
#ifndef _WEIR_VIEW_H
#define _WEIR_VIEW_H

#include <linux/types.h>

struct weir_object;

/**
 * struct weir_view - a struct in which an object is shown to users
 * @size: its size
 * @min_size: its size in the first version of the ABI
 * @read: fill it in, except the first member, the size. Context: RCU read side, object
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
