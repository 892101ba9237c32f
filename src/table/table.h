/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The keyed table: a fixed power-of-two array of buckets, entries (entry.h) in
 * singly linked chains, look-ups under RCU alone, an exact cap, and expiry
 * (expiry.h).
 *
 * Neighbouring buckets form stripes. The spinlock of a stripe protects the links of its chains and
 * the state of its entries. The top bits of the hash choose the stripe, and the bucket too. The
 * locks are not padded to cache lines: keys are distributed at random, so in most cases a lock's
 * cache line comes from another CPU anyway.
 *
 * The array has its final size from the start, for at most one entry per bucket on average, because
 * a table that grows stalls for milliseconds just when a flood of new keys arrives. Keys are hashed
 * by SipHash with a random key, so an attacker cannot choose keys for one bucket. dump_order.h
 * describes what a dump reveals about hashes.
 */
#ifndef _WEIR_TABLE_H
#define _WEIR_TABLE_H

#include <linux/ktime.h>
#include <linux/siphash.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "table/entry.h"
#include "table/expiry.h"

struct mem_cgroup;
struct weir_table;

/**
 * struct weir_key - a key, ready for a look-up
 * @hash: its position in the table, set by weir_key_hash()
 * @len: number of bytes of @data
 * @data: the bytes; points to @words if they are at most 16
 * @words: keys of up to 16 bytes, zero-filled
 * @raw: the key as given, with an address not cut to a prefix
 * @raw_len: number of bytes of @raw
 * @rule: the rule for the whole address, enum weir_rule_action; limiters
 */
struct weir_key {
	u64		hash;
	unsigned int	len;
	const u8	*data;
	u64		words[2];
	const u8	*raw;
	unsigned int	raw_len;
	u32		rule;
};

#define WEIR_KEY_INLINE		sizeof_field(struct weir_key, words)

#define WEIR_CHAIN_MAX		128	/* maximum number of entries in one bucket */
#define WEIR_STRIPE_BITS	8	/* at most 256 locks per table: &weir_entry.stripe */
/* a search for room ends with the group in which it has examined this many entries... */
#define WEIR_ROOM_ENTRIES	64
/* ...or after this many steps */
#define WEIR_ROOM_GROUPS	8

/**
 * struct weir_table_ops - functions of the object's kind for the entries of a table
 * @idle_at: the time at which the entry, if its word is @word, equals a fresh one; @now if it
 *	does already. Called under RCU with the entry's stripe locked.
 * @evicted: called after @n idle entries were dropped, to make room or by the sweep, and before
 *	their slots are released; the expiry's lock is held. NULL: nothing to do.
 * @dropped: release what the entry points to, before it is dropped or freed with the table.
 *	Called under RCU with the entry's stripe locked, or when the table has no other user.
 *	NULL: the entry points to nothing.
 */
struct weir_table_ops {
	u64 (*idle_at)(struct weir_table *t, const struct weir_entry *e,
		       u64 word, u64 now);
	void (*evicted)(struct weir_table *t, unsigned int n, bool for_room);
	void (*dropped)(struct weir_table *t, struct weir_entry *e);
};

/**
 * struct weir_table - the keyed table
 *
 * I: set at creation, then constant. A: atomic. W: written with WRITE_ONCE().
 *
 * @buckets:	the chains
 * @stripes:	I: the locks of buckets and entries
 * @shift:	I: 64 less the bits of a bucket's number
 * @stripe_shift: I: 64 less the bits of a stripe's number
 * @nbuckets:	I
 * @epoch:	I: CLOCK_BOOTTIME that the table's times count from
 * @hash_key:	I: random
 * @hash_key_8:	I: random, for keys of 5 to 16 bytes
 * @cursor_key:	I: random, for the cursors of a dump
 * @ops:	I
 * @memcg:	I: charged for entries, its creator's; or NULL
 * @max_keys:	W: maximum number of entries
 * @dying:	W: the table is being destroyed: the sweep must not run again
 * @nr:		A: slots in use or reserved; never above the @max_keys in force at a reservation
 * @expiry:	when entries may be idle
 * @sweep:	the work that drops idle entries
 * @sweep_after: W: the sweep does not run before this time, which bounds its share of a CPU
 */
struct weir_table {
	struct weir_entry __rcu	**buckets;
	spinlock_t		*stripes; /* chains and entries */
	unsigned int		shift;
	unsigned int		stripe_shift;
	unsigned int		nbuckets;
	u64			epoch;
	siphash_key_t		hash_key;
	siphash_key_t		hash_key_8;
	siphash_key_t		cursor_key;
	const struct weir_table_ops *ops;
	struct mem_cgroup	*memcg;
	u64			max_keys;
	bool			dying;
	atomic64_t		nr ____cacheline_aligned_in_smp;
	struct weir_expiry	expiry;
	struct delayed_work	sweep;
	u64			sweep_after;
};

int weir_table_init(struct weir_table *t, u64 max_keys,
		    const struct weir_table_ops *ops);
void weir_table_destroy(struct weir_table *t);

void weir_key_hash(const struct weir_table *t, struct weir_key *key);
u64 weir_table_hash_of(const struct weir_table *t, const struct weir_entry *e);
void weir_table_prefetch(const struct weir_table *t, const struct weir_key *key);
void weir_table_prefetch_entry(const struct weir_table *t, const struct weir_key *key);
struct weir_entry *weir_table_find(struct weir_table *t,
				   const struct weir_key *key);
struct weir_entry *weir_table_find_locked(struct weir_table *t, const struct weir_key *key,
					  u64 *word);
struct weir_entry *weir_table_new(struct weir_table *t,
				  const struct weir_key *key, gfp_t gfp);
struct weir_entry *weir_table_link(struct weir_table *t,
				   const struct weir_key *key,
				   struct weir_entry *new, u64 fresh, u64 *word);
bool weir_table_room(struct weir_table *t, unsigned int n);
bool weir_table_refuses(struct weir_table *t, const struct weir_key *key);
bool weir_table_step(struct weir_table *t);
void weir_table_update_expiry(struct weir_table *t, u64 hash, u64 idle_at);
bool weir_table_reserve_slots(struct weir_table *t, unsigned int n);
void weir_table_release_slots(struct weir_table *t, unsigned int n);
void weir_table_drop(struct weir_table *t, struct weir_entry *e);
void weir_table_reconfigured(struct weir_table *t);

void weir_sweep_init(struct weir_table *t);
void weir_sweep_stop(struct weir_table *t);
void weir_sweep_kick(struct weir_table *t, u64 idle_at);
int weir_sweep_mod_init(void);
void weir_sweep_mod_exit(void);

static inline unsigned int weir_table_bucket(const struct weir_table *t, u64 hash)
{
	return hash >> t->shift;
}

static inline unsigned int weir_table_stripe_number(const struct weir_table *t, u64 hash)
{
	return hash >> t->stripe_shift;
}

static inline spinlock_t *weir_table_stripe(const struct weir_table *t, u64 hash)
{
	return &t->stripes[weir_table_stripe_number(t, hash)];
}

/* Balanced for sparse, which does not know conditional locking. */
static inline void weir_stripe_lock(spinlock_t *stripe)
{
	spin_lock_bh(stripe);
	__release(stripe);
}

static inline void weir_stripe_unlock(spinlock_t *stripe)
{
	__acquire(stripe);
	spin_unlock_bh(stripe);
}

/*
 * Lock the stripe of an entry found under RCU, and mark the entry. Return: false if the entry is
 * dead; then nothing is locked. *@word: its state.
 */
static inline bool weir_table_lock(struct weir_table *t, struct weir_entry *e,
				   u64 *word)
{
	spinlock_t *stripe = &t->stripes[e->stripe];

	weir_stripe_lock(stripe);
	if (likely((u64)atomic64_read(&e->word) != WEIR_ENTRY_DEAD)) {
		*word = weir_entry_begin(e);
		return true;
	}
	weir_stripe_unlock(stripe);
	return false;
}

static inline void weir_table_unlock(struct weir_table *t, struct weir_entry *e,
				     u64 word)
{
	weir_entry_end(e, word);
	weir_stripe_unlock(&t->stripes[e->stripe]);
}

static inline u64 weir_table_now(const struct weir_table *t)
{
	return ktime_get_boottime_ns() - t->epoch;
}

static inline u64 weir_table_keys(const struct weir_table *t)
{
	return atomic64_read(&t->nr);
}

#endif /* _WEIR_TABLE_H */
