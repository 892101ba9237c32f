/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A bucket of a table: the first entry of its chain, and in bit 0 the lock of those who
 * link and unlink. For table.c, and for several.c, which locks more than one.
 */
#ifndef _WEIR_BUCKET_H
#define _WEIR_BUCKET_H

#include <linux/processor.h>	/* bit_spinlock.h of 6.12 forgets it */
#include <linux/bit_spinlock.h>
#include <linux/string.h>

#include "table/table.h"

#define BUCKET_LOCK_BIT	0
#define BUCKET_LOCKED	BIT(BUCKET_LOCK_BIT)

static inline struct weir_entry *bucket_first(const unsigned long *bucket)
{
	/* pairs with the release in bucket_set(); the address carries it on */
	return (struct weir_entry *)(READ_ONCE(*bucket) & ~BUCKET_LOCKED);
}

static inline void bucket_set(unsigned long *bucket, struct weir_entry *first)
{
	/* what is in the entry comes first: pairs with bucket_first() */
	smp_store_release(bucket, (unsigned long)first | BUCKET_LOCKED);
}

static inline void bucket_lock(struct weir_table *t, unsigned long *bucket)
	__acquires(bitlock)
{
	local_bh_disable();
	bit_spin_lock(BUCKET_LOCK_BIT, bucket);
	lock_map_acquire(&t->bucket_map);
}

static inline void bucket_unlock(struct weir_table *t, unsigned long *bucket)
	__releases(bitlock)
{
	lock_map_release(&t->bucket_map);
	bit_spin_unlock(BUCKET_LOCK_BIT, bucket);
	local_bh_enable();
}

/*
 * One of many. Softirqs and preemption are off already: the kernel counts in eight bits
 * how often they were turned off.
 * @nest: what the caller holds that makes it right to hold others
 */
static inline void bucket_lock_nested(struct weir_table *t, unsigned long *bucket,
				      struct lockdep_map *nest)
{
	/* pairs with the release in both ways of unlocking */
	while (test_and_set_bit_lock(BUCKET_LOCK_BIT, bucket))
		while (READ_ONCE(*bucket) & BUCKET_LOCKED)
			cpu_relax();
	lock_acquire_exclusive(&t->bucket_map, 0, 0, nest, _THIS_IP_);
}

static inline void bucket_unlock_nested(struct weir_table *t, unsigned long *bucket)
{
	lock_map_release(&t->bucket_map);
	clear_bit_unlock(BUCKET_LOCK_BIT, bucket);
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

static inline struct weir_entry *chain_find(struct weir_entry *e,
					    const struct weir_key *key)
{
	while (e && !entry_is(e, key))
		e = rcu_dereference_check(e->next, rcu_read_lock_bh_held());
	return e;
}

#endif /* _WEIR_BUCKET_H */
