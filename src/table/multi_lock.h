/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Locks several keys, of one or several tables, at once. For other tasks, everything that the
 * caller reads and changes while they are locked is one step.
 *
 * The stripes of the keys are locked, each once, in the order of their addresses: by table, then by
 * number. No other code locks a stripe while another stripe is locked, so this order excludes
 * deadlock. At most WEIR_MULTI_MAX keys are locked at once, which bounds the time for which
 * softirqs are disabled.
 *
 * A key without an entry gets one only if the caller requests it while all keys are locked. So a
 * refused operation leaves nothing behind.
 */
#ifndef _WEIR_MULTI_LOCK_H
#define _WEIR_MULTI_LOCK_H

#include "table/table.h"

#define WEIR_MULTI_MAX	64

/**
 * struct weir_multi_key - one key
 * @t: its table
 * @key: hashed
 * @stripe: its lock
 * @new: from weir_entry_alloc(), linked if there is no entry; or NULL
 * @e: while locked: its entry, or NULL
 * @word: while locked: the entry's state, stored by weir_multi_unlock(); the caller sets it
 *	for a new entry
 * @linked: @e was @new
 * @wanted: weir_multi_link() is to link @new
 * @chain: number of entries in its chain, if @e is NULL
 * @tries: number of times that room was searched for it
 * @owner: data of the caller, constant
 */
struct weir_multi_key {
	struct weir_table	*t;
	const struct weir_key	*key;
	spinlock_t		*stripe; /* of the key's bucket */
	struct weir_entry	*new;
	struct weir_entry	*e;
	u64			word;
	bool			linked;
	bool			wanted;
	u16			chain;
	u8			tries;
	void			*owner;
};

/**
 * struct weir_multi_lock - several keys, to be locked together
 * @keys: room for the keys; set by the caller
 * @count: number of keys so far
 * @order: indexes into @keys, by stripe, then by key
 * @roomless: the key for which no room was found, or NULL
 * @room: number of slots that its table must have for it and the keys before it
 * @dep_map: lockdep: allows the stripes to nest (spin_lock_nest_lock())
 */
struct weir_multi_lock {
	struct weir_multi_key	*keys;
	unsigned int		count;
	u8			order[WEIR_MULTI_MAX];
	struct weir_multi_key	*roomless;
	unsigned int		room;
	struct lockdep_map	dep_map;
};

void weir_multi_init(struct weir_multi_lock *m, struct weir_multi_key *keys);
struct weir_multi_key *weir_multi_add(struct weir_multi_lock *m, struct weir_table *t,
				      const struct weir_key *key);
void weir_multi_lock(struct weir_multi_lock *m);
bool weir_multi_want(struct weir_multi_lock *m, struct weir_multi_key *k);
bool weir_multi_link(struct weir_multi_lock *m);
void weir_multi_unlock(struct weir_multi_lock *m);
void weir_multi_discard(struct weir_multi_lock *m);

#endif /* _WEIR_MULTI_LOCK_H */
