/* SPDX-License-Identifier: GPL-2.0-only */
/* The chains of a table, for the files of this folder. */
#ifndef _WEIR_BUCKET_H
#define _WEIR_BUCKET_H

#include <linux/string.h>

#include "table/table.h"

static inline struct weir_entry __rcu **bucket_of(const struct weir_table *t, u64 hash)
{
	return &t->buckets[weir_table_bucket(t, hash)];
}

/* The entry that a link points to. Context: RCU read side, or the stripe locked. */
static inline struct weir_entry *chain_next(struct weir_entry __rcu *const *link)
{
	/* pairs with the release in chain_add() */
	return rcu_dereference_check(*link, rcu_read_lock_bh_held());
}

static inline bool entry_is(const struct weir_entry *e, const struct weir_key *key)
{
	const u64 *words = (const u64 *)e->key;

	if (e->key_len != key->len)
		return false;
	if (key->len <= WEIR_KEY_INLINE)
		return words[0] == key->words[0] && words[1] == key->words[1];
	return !memcmp(e->key, key->data, key->len);
}

/*
 * The entry of a key, or NULL. *@passed: counts the entries of other keys before it. Context: RCU
 * read side, or the stripe locked.
 */
static inline struct weir_entry *chain_find(struct weir_entry __rcu **bucket,
					    const struct weir_key *key,
					    unsigned int *passed)
{
	struct weir_entry *e;

	for (e = chain_next(bucket); e && !entry_is(e, key); e = chain_next(&e->next))
		(*passed)++;
	return e;
}

/* Publish a new entry, which is marked as locked. Context: its stripe is locked. */
static inline void chain_add(struct weir_table *t, struct weir_entry __rcu **bucket,
			     u64 hash, struct weir_entry *e)
{
	e->stripe = weir_table_stripe_number(t, hash);
	atomic64_set(&e->word, WEIR_ENTRY_LOCKED);
	RCU_INIT_POINTER(e->next, chain_next(bucket));
	/* publishes the entry's members: pairs with the dependency from chain_next() */
	rcu_assign_pointer(*bucket, e);
}

/* Unlink the entry at @link. RCU readers may still use it. Must hold the stripe's lock. */
static inline void chain_remove(struct weir_entry __rcu **link, struct weir_entry *e)
{
	rcu_assign_pointer(*link, chain_next(&e->next));
}

#endif /* _WEIR_BUCKET_H */
