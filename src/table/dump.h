/* SPDX-License-Identifier: GPL-2.0-only */
/* Listing the entries of a table to a user. */
#ifndef _WEIR_DUMP_H
#define _WEIR_DUMP_H

#include <linux/types.h>

struct weir_dump;
struct weir_entry;
struct weir_object;
struct weir_table;

/**
 * struct weir_dump_walk - an iteration in progress
 * @o: the object; set by the caller, as is all before @from
 * @t: its table
 * @flags: flags of the ioctl
 * @record_max: bytes of the longest record
 * @least: room that the user must provide, at least @record_max
 * @fill: put the record of one entry, or none, at @chunk + @filled, and advance @filled and @count.
 *	Called under RCU.
 * @end: there are no more entries
 * @chunk: records gathered
 * @room: size of @chunk in bytes
 * @filled: bytes used
 * @count: number of records
 */
struct weir_dump_walk {
	struct weir_object	*o;
	struct weir_table	*t;
	u32			flags;
	size_t			record_max;
	size_t			least;
	void			(*fill)(struct weir_dump_walk *d, struct weir_entry *e);
	bool			end;
	u8			*chunk;
	size_t			room;
	size_t			filled;
	u32			count;
};

int weir_dump_run(struct weir_dump_walk *d, struct weir_dump *args);

#endif /* _WEIR_DUMP_H */
