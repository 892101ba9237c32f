/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Several keys of tables, locked at once: whether they have entries, and whether there is
 * room for those that have none, is so at one moment, at which all of them may get one.
 *
 * Buckets are locked in the order of their addresses, then the entries there are.
 * Nobody else holds two buckets, or waits for a bucket with an entry locked, so
 * that excludes deadlock. A table's keys are placed by a secret, so who asks for many
 * cannot choose which buckets he holds.
 *
 * While they are locked softirqs are off, for a search and what makes a lease each; who
 * asks for one of these keys waits for that long, and who asks for others does not, but for
 * new ones in the same buckets.
 */
#ifndef _WEIR_SEVERAL_H
#define _WEIR_SEVERAL_H

#include "table/table.h"

/**
 * struct weir_several_key - one of them
 * @t: its table
 * @key: hashed; no two alike
 * @new: an entry to be linked, if it has none; NULL once it is
 * @e: its entry, while they are locked; or NULL
 * @word: that one's word
 */
struct weir_several_key {
	struct weir_table	*t;
	const struct weir_key	*key;
	struct weir_entry	*new;
	struct weir_entry	*e;
	u64			word;
};

/**
 * struct weir_several - all of them
 * @keys: set by the caller
 * @count: set by the caller
 * @order: @keys, by the addresses of their buckets, so by tables as well; as many
 * @full: the table without room
 * @wanted: places it would have had to have
 * @map: lockdep's view of the right to hold several
 */
struct weir_several {
	struct weir_several_key	*keys;
	struct weir_several_key	**order;
	unsigned int		count;
	struct weir_table	*full;
	unsigned int		wanted;
	struct lockdep_map	map;
};

int weir_several_init(struct weir_several *s, unsigned int count);
void weir_several_destroy(struct weir_several *s);
const struct weir_several_key *weir_several_sort(struct weir_several *s);
void weir_several_lock(struct weir_several *s);
bool weir_several_link(struct weir_several *s);
void weir_several_unlock(struct weir_several *s);
bool weir_several_room(struct weir_several *s, s64 given);

#endif /* _WEIR_SEVERAL_H */
