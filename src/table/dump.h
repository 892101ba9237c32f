/* SPDX-License-Identifier: GPL-2.0-only */
/* Listing the entries of a table to a user. */
#ifndef _WEIR_DUMP_H
#define _WEIR_DUMP_H

#include "lib/dump_order.h"

#define WEIR_DUMP_WINDOW	1024	/* positions found in one pass over a region */
#define WEIR_DUMP_CHUNK		4096	/* bytes gathered before they are copied out */

struct weir_dump_walk;
struct weir_entry;
struct weir_object;
struct weir_table;

/**
 * struct weir_dump_desc - how a kind is dumped
 * @flags: flags of the ioctl that are accepted
 * @record_max: bytes of the longest record
 * @least: room that the user must provide, at least @record_max
 * @fill: put the record of one entry, or none, at @chunk + @filled of the walk, and advance
 *	@filled and @count. Called under RCU.
 */
struct weir_dump_desc {
	u32	flags;
	u32	record_max;
	u32	least;
	void	(*fill)(struct weir_dump_walk *d, struct weir_entry *e);
};

/**
 * struct weir_dump_walk - an iteration in progress
 * @o: the object
 * @t: its table
 * @flags: flags of the ioctl
 * @end: no entries are left
 * @order: order of the table
 * @from: position to begin with
 * @last: the search is complete up to this position
 * @n: number of positions found
 * @at: number of these that were returned
 * @room: bytes of @chunk that may be used
 * @filled: bytes used
 * @count: number of records
 * @position: the positions found, ascending
 * @chunk: records gathered
 */
struct weir_dump_walk {
	struct weir_object	*o;
	struct weir_table	*t;
	u32			flags;
	bool			end;
	struct weir_dump_order	order;
	u64			from;
	u64			last;
	unsigned int		n;
	unsigned int		at;
	size_t			room;
	size_t			filled;
	u32			count;
	u64			position[WEIR_DUMP_WINDOW];
	u8			chunk[WEIR_DUMP_CHUNK] __aligned(8);
};

int weir_dump_run(struct weir_object *o, struct weir_dump *args);

#endif /* _WEIR_DUMP_H */
