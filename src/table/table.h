/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The keyed table: a fixed power-of-two array of buckets, entries (entry.h) in
 * singly linked chains, look-ups under RCU alone, one lock bit a bucket for
 * those who link and unlink, an exact cap, and expiry (expiry.h).
 *
 * The array is sized once, for a load of at most one entry a bucket: growing
 * tables stall for milliseconds just when a flood of new keys arrives. Keys are
 * placed by SipHash with a random key, so nobody can aim at one bucket. A
 * bucket is chosen by the hash's top bits, and a dump goes in the order of
 * hashes, so a hash is a place to go on from whatever came and went.
 */
#ifndef _WEIR_TABLE_H
#define _WEIR_TABLE_H

#include <linux/siphash.h>
#include <linux/ktime.h>
#include <linux/workqueue.h>

#include "table/entry.h"
#include "table/expiry.h"

struct mem_cgroup;
struct weir_table;

/**
 * struct weir_key - a key, ready to be looked up
 * @hash: its place in the table, set by weir_key_hash()
 * @len: bytes
 * @data: where they are: @words, for keys of up to 16 bytes
 * @words: then the bytes, zero-filled
 * @raw: the key as it came, an address not cut to a prefix
 * @raw_len: its bytes
 * @rule: what a rule says to the whole address, enum weir_rule_action
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

/**
 * struct weir_table_ops - what a table must know of its entries
 * @idle_at: when the entry, which is locked and has @word, will be equal to a
 *	fresh one; @now if it is. Called under RCU.
 * @evicted: @n idle entries were dropped, to make room or in the course of time; their
 *	places are given back after that. Called with the expiry's lock held.
 * @dropped: an entry that is locked and idle is about to go, or is freed with the table:
 *	let go of what it leads to. NULL: it leads to nothing. Called under RCU, or when
 *	nobody else has the table.
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
 * @buckets:	chains; bit 0 of each is its lock
 * @shift:	I: 64 less the bits of a bucket's number
 * @nbuckets:	I
 * @epoch:	I: CLOCK_BOOTTIME that the table's times count from
 * @hash_key:	I: random
 * @hash_key_8:	I: random, for keys of 5 to 16 bytes
 * @ops:	I
 * @memcg:	I: charged for entries, its creator's; or NULL
 * @bucket_map: I: lockdep's view of the bucket locks
 * @entry_map:	I: and of the entry locks
 * @max_keys:	W: entries at most
 * @dying:	W: being destroyed: sweep no more
 * @nr:		A: entries linked, never more than @max_keys was
 * @given:	A: places given back so far
 * @undecided:	A: those who have taken places of it that they may give back at once: who
 *		finds it full by them looks again
 * @expiry:	when entries may be idle
 * @sweep:	drops them in the course of time
 * @sweep_after: W: not before this time, to bound the share of a CPU
 */
struct weir_table {
	unsigned long		*buckets;
	unsigned int		shift;
	unsigned int		nbuckets;
	u64			epoch;
	siphash_key_t		hash_key;
	siphash_key_t		hash_key_8;
	const struct weir_table_ops *ops;
	struct mem_cgroup	*memcg;
	struct lockdep_map	bucket_map;
	struct lockdep_map	entry_map;
	u64			max_keys;
	bool			dying;
	atomic64_t		nr ____cacheline_aligned_in_smp;
	atomic64_t		given;
	atomic_t		undecided;
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
struct weir_entry *weir_table_new(struct weir_table *t,
				  const struct weir_key *key, gfp_t gfp);
void weir_table_discard(struct weir_entry *new);
struct weir_entry *weir_table_link(struct weir_table *t,
				   const struct weir_key *key,
				   struct weir_entry *new, u64 fresh, u64 *word);
bool weir_table_room(struct weir_table *t);
bool weir_table_refuses_at_once(struct weir_table *t, const struct weir_key *key);
bool weir_table_step(struct weir_table *t, bool for_room);
void weir_table_settle(struct weir_table *t, u64 hash, u64 idle_at);
bool weir_table_stood_still(const struct weir_table *t, s64 given);
void weir_table_undecided(struct weir_table *t, int n);
bool weir_table_places_take(struct weir_table *t, unsigned int n);
void weir_table_places_give(struct weir_table *t, unsigned int n);
void weir_table_drop(struct weir_table *t, struct weir_entry *e,
		     bool (*wanted)(struct weir_entry *e, void *arg), void *arg);
int weir_table_remove(struct weir_table *t, const struct weir_key *key);
struct weir_entry *weir_table_next(struct weir_table *t, unsigned int bucket,
				   u64 from, u64 *hash);
void weir_table_reconfigured(struct weir_table *t);

/*
 * Lock an entry found under RCU; false, and nothing held, if it is dead. @nest: see
 * weir_entry_lock().
 */
static inline bool weir_table_lock_nested(struct weir_table *t,
					  struct weir_entry *e,
					  struct lockdep_map *nest, u64 *word)
{
	local_bh_disable();
	if (weir_entry_lock(e, &t->entry_map, nest, word))
		return true;
	local_bh_enable();
	return false;
}

static inline bool weir_table_lock(struct weir_table *t, struct weir_entry *e,
				   u64 *word)
{
	return weir_table_lock_nested(t, e, NULL, word);
}

static inline void weir_table_unlock(struct weir_table *t, struct weir_entry *e,
				     u64 word)
{
	weir_entry_unlock(e, &t->entry_map, word);
	local_bh_enable();
}

static inline u64 weir_table_now(const struct weir_table *t)
{
	return ktime_get_boottime_ns() - t->epoch;
}

static inline u64 weir_table_keys(const struct weir_table *t)
{
	return atomic64_read(&t->nr);
}

static inline unsigned int weir_table_bucket(const struct weir_table *t, u64 hash)
{
	return hash >> t->shift;
}

#endif /* _WEIR_TABLE_H */
