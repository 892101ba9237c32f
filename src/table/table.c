// SPDX-License-Identifier: GPL-2.0-only
/* The keyed table: look-up, insertion, removal, iteration. See table.h. */

#include <linux/log2.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/prefetch.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "table/bucket.h"

/*
 * Two keys with the same hash would break a dump, which is ordered by hashes. So the length is
 * hashed too, and all messages that are hashed with one secret differ: those of hash_key have 8
 * bytes (up to four bytes, and their number) or 17 and more, those of hash_key_8 have 8 or 24.
 */
static u64 hash_bytes(const struct weir_table *t, const u8 *data,
		      unsigned int len)
{
	const u64 *words = (const u64 *)data;

	if (len == sizeof(u64))
		return siphash_1u64(words[0], &t->hash_key_8);
	if (len <= sizeof(u32))
		return siphash_1u64((u64)*(const u32 *)data << 32 | len,
				    &t->hash_key);
	if (len <= WEIR_KEY_INLINE)
		return siphash_3u64(words[0], words[1], len, &t->hash_key_8);
	return siphash(data, len, &t->hash_key);
}

/* Cost: SipHash-2-4 of one word for a number or an IPv4 address, otherwise of three words. */
void weir_key_hash(const struct weir_table *t, struct weir_key *key)
{
	key->hash = hash_bytes(t, key->data, key->len);
}

/* The hash of an entry's key. Context: as for weir_table_find(), or the entry locked. */
u64 weir_table_hash_of(const struct weir_table *t, const struct weir_entry *e)
{
	return hash_bytes(t, e->key, e->key_len);
}

/* Prefetch the hash bucket that weir_table_find() will read. */
void weir_table_prefetch(const struct weir_table *t, const struct weir_key *key)
{
	prefetch(&t->buckets[weir_table_bucket(t, key->hash)]);
}

/* Prefetch the first entry of the chain, once the hash bucket is in the cache. Context: any. */
void weir_table_prefetch_entry(const struct weir_table *t, const struct weir_key *key)
{
	prefetch(rcu_access_pointer(t->buckets[weir_table_bucket(t, key->hash)]));
}

/*
 * The entry of a hashed key; or NULL. Context: RCU read side; the entry is valid until its end, but
 * may be dead. Cost: the hash bucket's cache line and one for each entry of the chain; no write.
 */
struct weir_entry *weir_table_find(struct weir_table *t,
				   const struct weir_key *key)
{
	unsigned int passed = 0;

	return chain_find(bucket_of(t, key->hash), key, &passed);
}

/* The entry of a key, locked as by weir_table_lock(); or NULL. Context: RCU read side. */
struct weir_entry *weir_table_find_locked(struct weir_table *t, const struct weir_key *key,
					  u64 *word)
{
	struct weir_entry *e;

	/* a dead entry is no longer in its chain */
	do
		e = weir_table_find(t, key);
	while (e && !weir_table_lock(t, e, word));
	return e;
}

/*
 * Reserve slots below the cap for @n new entries: all, or none and return false. This is exact with
 * concurrent callers. Context: the stripes of the entries are locked.
 */
bool weir_table_reserve_slots(struct weir_table *t, unsigned int n)
{
	s64 nr = atomic64_read(&t->nr);

	if (!n)
		return true;
	do {
		if (nr + n > READ_ONCE(t->max_keys))
			return false;
	} while (!atomic64_try_cmpxchg(&t->nr, &nr, nr + n));
	return true;
}

/* Release slots of entries that are gone or were not linked. */
void weir_table_release_slots(struct weir_table *t, unsigned int n)
{
	if (!n)
		return;
	/* entries are counted before their slots are free: pairs with weir_keyed_stats_read() */
	smp_mb__before_atomic();
	atomic64_sub(n, &t->nr);
}

/* Unlink and kill the entry to which @link points. It is marked as locked. */
static void entry_kill(struct weir_entry __rcu **link, struct weir_entry *e)
{
	chain_remove(link, e);
	weir_entry_end(e, WEIR_ENTRY_DEAD);
	weir_entry_free_rcu(e);
}

/**
 * struct scan - arguments and results of group_scan()
 * @t: the table
 * @for_room: called to make room, not by the sweep
 * @seen: number of entries examined
 * @dropped: number of entries dropped
 */
struct scan {
	struct weir_table *t;
	bool for_room;
	unsigned int seen;
	unsigned int dropped;
};

/* Drop the idle entries of one hash bucket. Return: the earliest idle time of the others. */
static u64 bucket_scan(struct scan *scan, unsigned int bucket, u64 now)
{
	struct weir_table *t = scan->t;
	struct weir_entry __rcu **link = &t->buckets[bucket];
	spinlock_t *stripe = weir_table_stripe(t, (u64)bucket << t->shift);
	u64 least = WEIR_EXPIRY_NEVER, idle_at;
	struct weir_entry *e;

	weir_stripe_lock(stripe);
	while ((e = chain_next(link))) {
		scan->seen++;
		idle_at = t->ops->idle_at(t, e, atomic64_read(&e->word), now);
		if (idle_at > now) {
			least = min(least, idle_at);
			link = &e->next;
			continue;
		}
		weir_entry_begin(e);
		if (t->ops->dropped)
			t->ops->dropped(t, e);
		entry_kill(link, e);
		scan->dropped++;
	}
	weir_stripe_unlock(stripe);
	return least;
}

/* weir_expiry_scan */
static u64 group_scan(void *arg, unsigned int group, u64 now)
{
	struct scan *scan = arg;
	struct weir_table *t = scan->t;
	unsigned int first = group << WEIR_GROUP_BITS, i;
	unsigned int before = scan->dropped;
	u64 least = WEIR_EXPIRY_NEVER;

	/* the caller may have waited for the expiry's lock, so entries may be newer than @now */
	now = weir_table_now(t);
	rcu_read_lock();
	for (i = first; i < first + WEIR_GROUP_SIZE; i++)
		if (rcu_access_pointer(t->buckets[i]))
			least = min(least, bucket_scan(scan, i, now));
	rcu_read_unlock();
	/* in this order: a reader that sees the slots free sees the entries counted */
	if (scan->dropped > before && t->ops->evicted)
		t->ops->evicted(t, scan->dropped - before, scan->for_room);
	weir_table_release_slots(t, scan->dropped - before);
	return least;
}

/*
 * Drop the idle entries of one group. Context: process or softirq, RCU or not. Return: false if
 * nothing is idle.
 */
bool weir_table_step(struct weir_table *t)
{
	struct scan scan = { .t = t };

	return weir_expiry_step(&t->expiry, weir_table_now(t), group_scan, &scan);
}

static bool table_has_room(const struct weir_table *t, unsigned int n)
{
	return (u64)atomic64_read(&t->nr) + n <= READ_ONCE(t->max_keys);
}

/**
 * weir_table_room - whether the table has room, after dropping idle entries
 * @t: the table
 * @n: number of new entries
 *
 * If there is too little room, it drops idle entries, which changes no answer. The search is
 * bounded: it ends with the group in which it has examined WEIR_ROOM_ENTRIES entries, and the next
 * search continues after that group. So an idle entry may be missed. Other CPUs may use the slots
 * of dropped entries at once; then the caller tries again.
 *
 * Context: process or softirq, with or without RCU; no stripe locked.
 * Cost: one read if there is room; four if nothing can be idle.
 * Return: false if there is no room, and too few of the examined entries were idle. Slots that were
 *	freed by this or a concurrent search and taken by other CPUs count as room.
 */
bool weir_table_room(struct weir_table *t, unsigned int n)
{
	struct scan scan = { .t = t, .for_room = true };
	/* above a cap that was lowered, a dropped entry makes no room */
	bool above = !table_has_room(t, 0);
	unsigned int groups = 0, seq;

	do {
		seq = weir_expiry_seq(&t->expiry);
		if (table_has_room(t, n) || (!above && scan.dropped >= n))
			return true;
		if (groups++ == WEIR_ROOM_GROUPS || scan.seen >= WEIR_ROOM_ENTRIES)
			break;
	} while (weir_expiry_step(&t->expiry, weir_table_now(t), group_scan, &scan) ||
		 weir_expiry_stepped(&t->expiry, seq));
	/* another CPU may have made room meanwhile */
	return table_has_room(t, n);
}

/**
 * weir_table_refuses - whether a key has no entry and cannot get one
 * @t: the table
 * @key: hashed
 *
 * A key is refused if the table has no room, or the key's chain has its maximum length. For a full
 * table both facts, no entry and no room, are true at one moment.
 *
 * Context: RCU read side, process or softirq; no stripe locked.
 * Cost: walks the key's chain again; in a full table it also takes the stripe's lock.
 * Return: whether a new entry for the key would be refused.
 */
bool weir_table_refuses(struct weir_table *t, const struct weir_key *key)
{
	struct weir_entry __rcu **bucket = bucket_of(t, key->hash);
	spinlock_t *stripe = weir_table_stripe(t, key->hash);
	unsigned int chain = 0;
	bool refuses;

	if (weir_table_room(t, 1))
		return !chain_find(bucket, key, &chain) && chain >= WEIR_CHAIN_MAX;
	weir_stripe_lock(stripe);
	refuses = !chain_find(bucket, key, &chain) && !table_has_room(t, 1);
	weir_stripe_unlock(stripe);
	return refuses;
}

/**
 * weir_table_new - allocate an entry to be linked
 * @t: the table
 * @key: hashed
 * @gfp: GFP_KERNEL; or GFP_NOWAIT: do not sleep
 *
 * Context: process, or softirq with GFP_NOWAIT.
 * Return: the entry, for weir_table_link() or weir_entry_free(); or an
 * ERR_PTR(): -ENOSPC, see weir_table_refuses(); -ENOMEM.
 */
struct weir_entry *weir_table_new(struct weir_table *t,
				  const struct weir_key *key, gfp_t gfp)
{
	struct weir_entry *e;
	bool refuses;

	rcu_read_lock();
	refuses = weir_table_refuses(t, key);
	rcu_read_unlock();
	if (refuses)
		return ERR_PTR(-ENOSPC);
	e = weir_entry_alloc(t->memcg, key, gfp);
	return e ?: ERR_PTR(-ENOMEM);
}

/**
 * weir_table_link - find the entry of a key, or link a new one
 * @t: the table
 * @key: hashed
 * @new: from weir_table_new(); linked or freed
 * @fresh: word of a new entry
 * @word: out: the entry's word
 *
 * If the entry is @new, weir_table_update_expiry() must come before the unlock.
 *
 * Context: RCU read side.
 * Return: the entry, locked as by weir_table_lock(). Or NULL: another key got the last slot of the
 *	table or of the chain.
 */
struct weir_entry *weir_table_link(struct weir_table *t,
				   const struct weir_key *key,
				   struct weir_entry *new, u64 fresh, u64 *word)
{
	struct weir_entry __rcu **bucket = bucket_of(t, key->hash);
	spinlock_t *stripe = weir_table_stripe(t, key->hash);
	unsigned int chain = 0;
	struct weir_entry *e;

	weir_stripe_lock(stripe);
	e = chain_find(bucket, key, &chain);
	if (!e && chain < WEIR_CHAIN_MAX && weir_table_reserve_slots(t, 1)) {
		*word = fresh;
		chain_add(t, bucket, key->hash, new);
		return new;
	}
	weir_entry_free(new);
	if (e)
		*word = weir_entry_begin(e);
	else
		weir_stripe_unlock(stripe);
	return e;
}

/*
 * Record that the entry whose key has this hash is new, or will be idle earlier than before, at
 * @idle_at.
 */
void weir_table_update_expiry(struct weir_table *t, u64 hash, u64 idle_at)
{
	if (weir_expiry_lower(&t->expiry, weir_table_bucket(t, hash), idle_at))
		weir_sweep_kick(t, idle_at);
}

/* Unlink, kill and unlock a locked entry. Context: RCU read side. */
void weir_table_drop(struct weir_table *t, struct weir_entry *e)
{
	struct weir_entry __rcu **link = bucket_of(t, weir_table_hash_of(t, e));
	struct weir_entry *at;

	while ((at = chain_next(link)) != e)
		link = &at->next;
	entry_kill(link, e);
	/* released under the lock: a task that is preempted must not keep a slot */
	weir_table_release_slots(t, 1);
	weir_stripe_unlock(&t->stripes[e->stripe]);
}

/* Idle times may have become earlier: all entries must be examined again. */
void weir_table_reconfigured(struct weir_table *t)
{
	weir_expiry_reset(&t->expiry);
	weir_sweep_kick(t, 0);
}

/**
 * weir_table_init - make an empty table
 * @t: zeroed
 * @max_keys: 1..WEIR_KEYS_MAX
 * @ops: functions of the object's kind for its entries
 *
 * The table and its entries are charged to the current task's memory cgroup.
 *
 * Context: may sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int weir_table_init(struct weir_table *t, u64 max_keys,
		    const struct weir_table_ops *ops)
{
	unsigned int bits = max_t(unsigned int, WEIR_GROUP_BITS,
				  order_base_2(max_keys));
	unsigned int stripe_bits = min_t(unsigned int, bits, WEIR_STRIPE_BITS), i;
	int err = -ENOMEM;

	t->nbuckets = 1U << bits;
	t->shift = 64 - bits;
	t->stripe_shift = 64 - stripe_bits;
	t->max_keys = max_keys;
	t->ops = ops;
	t->epoch = ktime_get_boottime_ns();
	get_random_bytes(&t->hash_key, sizeof(t->hash_key));
	get_random_bytes(&t->hash_key_8, sizeof(t->hash_key_8));
	get_random_bytes(&t->cursor_key, sizeof(t->cursor_key));
	t->buckets = kvcalloc(t->nbuckets, sizeof(*t->buckets),
			      GFP_KERNEL_ACCOUNT);
	t->stripes = kvmalloc_array(1U << stripe_bits, sizeof(*t->stripes),
				    GFP_KERNEL_ACCOUNT);
	if (t->buckets && t->stripes)
		err = weir_expiry_init(&t->expiry, t->nbuckets);
	if (err) {
		kvfree(t->stripes);
		kvfree(t->buckets);
		t->buckets = NULL;
		return err;
	}
	for (i = 0; i < 1U << stripe_bits; i++)
		spin_lock_init(&t->stripes[i]);
	t->memcg = get_mem_cgroup_from_mm(current->mm);
	weir_sweep_init(t);
	return 0;
}

/**
 * weir_table_destroy - free everything
 * @t: the table; may be zeroed
 *
 * The table is no longer reachable and a grace period is over, so linked entries are freed at
 * once. Entries killed before are freed by their own callbacks.
 *
 * Context: may sleep; takes seconds for ten million entries.
 */
void weir_table_destroy(struct weir_table *t)
{
	struct weir_entry *e, *next;
	unsigned int i;

	if (!t->buckets)
		return;
	weir_sweep_stop(t);
	for (i = 0; i < t->nbuckets; i++) {
		for (e = rcu_dereference_protected(t->buckets[i], true); e; e = next) {
			next = rcu_dereference_protected(e->next, true);
			if (t->ops->dropped)
				t->ops->dropped(t, e);
			weir_entry_free(e);
		}
		if (i % 64 == 63)
			cond_resched();
	}
	weir_expiry_destroy(&t->expiry);
	kvfree(t->stripes);
	kvfree(t->buckets);
	mem_cgroup_put(t->memcg);
}
