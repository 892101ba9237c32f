// SPDX-License-Identifier: GPL-2.0-only
/* The keyed table: look-up, insertion, removal, iteration. See table.h. */

#include <linux/log2.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/prefetch.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "table/bucket.h"
#include "table/sweep.h"

/*
 * No two keys may have one hash by construction: a dump goes by hashes. So the length is
 * hashed, too, and of each secret all messages differ: hash_key's are of 8 bytes (up to
 * four, and their number) or of 17 and more, hash_key_8's of 8 or of 24.
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

/* Cost: SipHash-2-4 of one word for a number or an IPv4 address, else of three. */
void weir_key_hash(const struct weir_table *t, struct weir_key *key)
{
	key->hash = hash_bytes(t, key->data, key->len);
}

/* The hash of an entry's key. Context: as for weir_table_find(), or entry locked. */
u64 weir_table_hash_of(const struct weir_table *t, const struct weir_entry *e)
{
	return hash_bytes(t, e->key, e->key_len);
}

/* Have the cache fetch what weir_table_find() will read: the bucket. */
void weir_table_prefetch(const struct weir_table *t, const struct weir_key *key)
{
	prefetch(&t->buckets[weir_table_bucket(t, key->hash)]);
}

/* And, once that is there, its first entry. Context: any. */
void weir_table_prefetch_entry(const struct weir_table *t, const struct weir_key *key)
{
	prefetch(bucket_first(&t->buckets[weir_table_bucket(t, key->hash)]));
}

/**
 * weir_table_find - the entry of a key, or NULL
 * @t: the table
 * @key: hashed
 *
 * Context: RCU read side; the entry is good until its end, but may be dead.
 * Cost: the bucket's cache line and one for each entry of the chain; no write.
 */
struct weir_entry *weir_table_find(struct weir_table *t,
				   const struct weir_key *key)
{
	return chain_find(bucket_first(&t->buckets[weir_table_bucket(t, key->hash)]),
			  key);
}

/**
 * weir_table_places_take - places below the cap for new entries, all or none
 * @t: the table
 * @n: how many
 *
 * Exact at any concurrency.
 * Context: the buckets locked in which the entries are going to be linked.
 */
bool weir_table_places_take(struct weir_table *t, unsigned int n)
{
	s64 nr = atomic64_read(&t->nr);

	do {
		if (nr + n > READ_ONCE(t->max_keys))
			return false;
	} while (!atomic64_try_cmpxchg(&t->nr, &nr, nr + n));
	return true;
}

/* Give places back, of entries that are gone or were not linked after all. */
void weir_table_places_give(struct weir_table *t, unsigned int n)
{
	if (!n)
		return;
	/* in this order: pairs with the reads in table_refuses() and the like */
	atomic64_add(n, &t->given);
	/* the same */
	smp_mb__after_atomic();
	atomic64_sub(n, &t->nr);
}

/**
 * weir_table_undecided - places are about to be taken that may be given back; or it is over
 * @t: the table
 * @n: 1; or -1
 *
 * Context: softirqs and preemption are off until it is over.
 */
void weir_table_undecided(struct weir_table *t, int n)
{
	/* what was given back comes before: pairs with weir_table_stood_still() */
	smp_mb__before_atomic();
	atomic_add(n, &t->undecided);
	/* what is taken comes after: pairs with the barrier before that is asked */
	smp_mb__after_atomic();
}

/* Unlink an entry that comes after @prev (NULL: after the bucket itself). */
static void entry_unlink(unsigned long *bucket, struct weir_entry *prev,
			 struct weir_entry *e)
{
	struct weir_entry *next = rcu_dereference_protected(e->next, true);

	if (prev)
		rcu_assign_pointer(prev->next, next);
	else
		bucket_set(bucket, next);
}

/*
 * The same, and let it go; its lock is held: dead, out of the chain, freed when no
 * reader can stand on it any more.
 */
static void entry_kill(struct weir_table *t, unsigned long *bucket,
		       struct weir_entry *prev, struct weir_entry *e)
{
	entry_unlink(bucket, prev, e);
	weir_entry_unlock(e, &t->entry_map, WEIR_ENTRY_DEAD);
	weir_entry_free_rcu(e);
}

/* Drop the idle entries of one bucket; the least idle time of the others. */
static u64 bucket_scan(struct weir_table *t, unsigned long *bucket, u64 now,
		       unsigned int *dropped)
{
	struct weir_entry *e, *next, *prev = NULL;
	u64 least = WEIR_EXPIRY_NEVER, idle_at, word;

	bucket_lock(t, bucket);
	for (e = bucket_first(bucket); e; e = next) {
		next = rcu_dereference_protected(e->next, true);
		/* linked, so not dead: only bucket lock holders kill */
		if (WARN_ON_ONCE(!weir_entry_lock(e, &t->entry_map, NULL, &word)))
			break;
		idle_at = t->ops->idle_at(t, e, word, now);
		if (idle_at <= now) {
			if (t->ops->dropped)
				t->ops->dropped(t, e);
			entry_kill(t, bucket, prev, e);
			(*dropped)++;
			continue;
		}
		weir_entry_unlock(e, &t->entry_map, word);
		least = min(least, idle_at);
		prev = e;
	}
	bucket_unlock(t, bucket);
	return least;
}

/**
 * struct scan - what group_scan() is for
 * @t: the table
 * @for_room: to make room, not in the course of time
 * @dropped: entries
 */
struct scan {
	struct weir_table *t;
	bool for_room;
	unsigned int dropped;
};

/* weir_expiry_scan */
static u64 group_scan(void *arg, unsigned int group, u64 now)
{
	struct scan *scan = arg;
	struct weir_table *t = scan->t;
	unsigned int first = group << WEIR_GROUP_BITS, i;
	u64 least = WEIR_EXPIRY_NEVER;

	rcu_read_lock();
	for (i = first; i < first + WEIR_GROUP_SIZE; i++)
		if (bucket_first(&t->buckets[i]))
			least = min(least, bucket_scan(t, &t->buckets[i], now,
						       &scan->dropped));
	rcu_read_unlock();
	/* in this order: who sees the places free sees them counted */
	if (scan->dropped)
		t->ops->evicted(t, scan->dropped, scan->for_room);
	weir_table_places_give(t, scan->dropped);
	return least;
}

/**
 * weir_table_step - drop the idle entries of one group
 * @t: the table
 * @for_room: to make room, not in the course of time
 *
 * Context: process or softirq, RCU or not.
 * Return: false if nothing is idle.
 */
bool weir_table_step(struct weir_table *t, bool for_room)
{
	struct scan scan = { .t = t, .for_room = for_room };

	return weir_expiry_step(&t->expiry, weir_table_now(t), group_scan, &scan);
}

static bool table_is_full(const struct weir_table *t)
{
	return (u64)atomic64_read(&t->nr) >= READ_ONCE(t->max_keys);
}

/**
 * weir_table_stood_still - whether no place came back since, nor is one about to
 * @t: the table
 * @given: places given back, read before it was looked at
 *
 * Then what was full is full, and not by those alone who will not keep their places.
 * Context: a read barrier after the look.
 */
bool weir_table_stood_still(const struct weir_table *t, s64 given)
{
	/* before @given: pairs with the barriers in weir_table_undecided() */
	if (atomic_read(&t->undecided))
		return false;
	smp_rmb();	/* the same */
	return atomic64_read(&t->given) == given;
}

/**
 * weir_table_room - whether a new key would find room, if need be an idle one's
 * @t: the table
 *
 * Drops idle entries of a full table, which changes nothing for anybody.
 * Examines at most 64 groups. Context: process or softirq, RCU or not.
 * Return: false if the table is full and none of what was examined is idle.
 */
bool weir_table_room(struct weir_table *t)
{
	unsigned int steps;

	for (steps = 0; table_is_full(t); steps++)
		if (steps == WEIR_SWEEP_FOR_ROOM || !weir_table_step(t, true))
			return false;
	return true;
}

/**
 * weir_table_refuses_at_once - whether a new key finds no room, where that is plain
 * @t: the table
 * @key: hashed
 *
 * As table_refuses(), at one look and without a lock: a flood of new keys at the cap
 * must not cost more than known keys do. The clock is read between the looks: then the
 * table is full, the key absent, and no entry idle at one moment.
 * Context: RCU read side. Cost: four reads of shared lines that nobody writes while
 * the table is full, the key's chain once more, and the clock.
 * Return: false if there is room, or it takes a closer look.
 */
bool weir_table_refuses_at_once(struct weir_table *t, const struct weir_key *key)
{
	unsigned long *bucket = &t->buckets[weir_table_bucket(t, key->hash)];
	s64 given = atomic64_read(&t->given);

	smp_rmb();	/* pairs with the barrier in weir_table_places_give() */
	if (!table_is_full(t))
		return false;
	/*
	 * Who took the last place holds the lock of his bucket from before he took it
	 * until his entry is linked: pairs with the full barrier in
	 * weir_table_places_take().
	 */
	smp_rmb();
	if (READ_ONCE(*bucket) & BUCKET_LOCKED || chain_find(bucket_first(bucket), key))
		return false;
	smp_rmb();	/* the clock comes after that */
	if (!weir_expiry_nothing_due(&t->expiry, weir_table_now(t)))
		return false;
	smp_rmb();	/* as the first */
	return weir_table_stood_still(t, given) && table_is_full(t);
}

/*
 * Full for this key: it is absent, there is no place, and no entry is idle, all
 * at one moment. They are found one after the other; but in a table that is full
 * all the while, and from which nothing was dropped, nothing changed.
 *
 * Who may not sleep looks once, at as many groups as weir_table_room() does: he may be
 * refused though there is an idle entry in another one. What he has examined is not
 * examined again by the next one.
 */
static bool table_refuses(struct weir_table *t, const struct weir_key *key,
			  bool may_sleep)
{
	unsigned long *bucket = &t->buckets[weir_table_bucket(t, key->hash)];
	struct weir_entry *e;
	s64 given;
	bool room;

	do {
		given = atomic64_read(&t->given);
		smp_rmb();	/* pairs with the barrier in weir_table_places_give() */
		/* each time round raises 64 bounds, so there is an end */
		while (!(room = weir_table_room(t)) && may_sleep &&
		       weir_expiry_due(&t->expiry, weir_table_now(t)))
			cond_resched();
		if (room)
			return false;
		bucket_lock(t, bucket);
		e = chain_find(bucket_first(bucket), key);
		bucket_unlock(t, bucket);
		if (e)
			return false;
		smp_rmb();	/* the same */
		if (may_sleep)
			cond_resched();
	} while (may_sleep &&
		 (!weir_table_stood_still(t, given) || !table_is_full(t)));
	/* while we searched, or waited for another who did, he may have made room */
	return may_sleep || table_is_full(t);
}

/**
 * weir_table_new - an entry to be linked
 * @t: the table
 * @key: hashed
 * @gfp: GFP_KERNEL; or GFP_NOWAIT: do not sleep
 *
 * Context: process or softirq, as @gfp says.
 * Return: the entry, for weir_table_link() or weir_table_discard(); or an
 * ERR_PTR(): -ENOSPC, the table is full of entries that are not idle (without sleep:
 * none of the WEIR_SWEEP_FOR_ROOM groups examined has one); -ENOMEM.
 */
struct weir_entry *weir_table_new(struct weir_table *t,
				  const struct weir_key *key, gfp_t gfp)
{
	struct weir_entry *e;

	if (table_refuses(t, key, gfpflags_allow_blocking(gfp)))
		return ERR_PTR(-ENOSPC);
	e = weir_entry_alloc(t->memcg, key, gfp);
	return e ?: ERR_PTR(-ENOMEM);
}

/* An entry that was not linked after all. */
void weir_table_discard(struct weir_entry *new)
{
	weir_entry_free(new);
}

/**
 * weir_table_link - the entry of a key, a new one if there is none
 * @t: the table
 * @key: hashed
 * @new: from weir_table_new(); linked, or freed if somebody was faster
 * @fresh: word of a new entry
 * @word: out: the entry's word
 *
 * If the entry is @new, weir_table_settle() must come before the unlock.
 * Context: RCU read side.
 * Return: the entry, locked as by weir_table_lock(). Or NULL: the last place
 * went to another key; @new is still the caller's.
 */
struct weir_entry *weir_table_link(struct weir_table *t,
				   const struct weir_key *key,
				   struct weir_entry *new, u64 fresh, u64 *word)
{
	unsigned long *bucket = &t->buckets[weir_table_bucket(t, key->hash)];
	struct weir_entry *e;

	local_bh_disable();
	bucket_lock(t, bucket);
	e = chain_find(bucket_first(bucket), key);
	if (e) {
		/* linked, so not dead: only bucket lock holders kill */
		WARN_ON_ONCE(!weir_entry_lock(e, &t->entry_map, NULL, word));
	} else if (weir_table_places_take(t, 1)) {
		e = new;
		*word = fresh;
		atomic64_set(&e->word, fresh | WEIR_ENTRY_LOCKED);
		rcu_assign_pointer(e->next, bucket_first(bucket));
		lock_map_acquire(&t->entry_map);
		bucket_set(bucket, e);
	}
	bucket_unlock(t, bucket);
	if (!e)
		local_bh_enable();
	else if (e != new)
		weir_entry_free(new);
	return e;
}

/**
 * weir_table_settle - an entry is new, or will be idle sooner than it was
 * @t: the table
 * @hash: of its key
 * @idle_at: when
 */
void weir_table_settle(struct weir_table *t, u64 hash, u64 idle_at)
{
	if (weir_expiry_lower(&t->expiry, weir_table_bucket(t, hash), idle_at))
		weir_sweep_kick(t, idle_at);
}

/**
 * weir_table_remove - drop the entry of a key, whatever its state
 * @t: the table
 * @key: hashed
 *
 * Return: 0, -ENOENT, or -EBUSY: somebody waits for it, so it stays.
 */
int weir_table_remove(struct weir_table *t, const struct weir_key *key)
{
	unsigned long *bucket = &t->buckets[weir_table_bucket(t, key->hash)];
	struct weir_entry *e, *prev = NULL;
	int err = -ENOENT;
	u64 word;

	bucket_lock(t, bucket);
	for (e = bucket_first(bucket); e && !entry_is(e, key);
	     e = rcu_dereference_protected(e->next, true))
		prev = e;
	if (e && !WARN_ON_ONCE(!weir_entry_lock(e, &t->entry_map, NULL, &word))) {
		err = weir_entry_queued(e) ? -EBUSY : 0;
		if (err)
			weir_entry_unlock(e, &t->entry_map, word);
		else
			entry_kill(t, bucket, prev, e);
	}
	bucket_unlock(t, bucket);
	if (!err)
		weir_table_places_give(t, 1);
	return err;
}

/**
 * weir_table_drop - drop an entry, if that is wanted still
 * @t: the table
 * @e: it
 * @wanted: asked with it locked; true: drop it, and what it led to has been seen to
 * @arg: for @wanted
 *
 * Context: RCU read side, in which the entry was found.
 */
void weir_table_drop(struct weir_table *t, struct weir_entry *e,
		     bool (*wanted)(struct weir_entry *e, void *arg), void *arg)
{
	unsigned int number = weir_table_bucket(t, weir_table_hash_of(t, e));
	unsigned long *bucket = &t->buckets[number];
	struct weir_entry *at, *prev = NULL;
	u64 word;

	bucket_lock(t, bucket);
	for (at = bucket_first(bucket); at && at != e;
	     at = rcu_dereference_protected(at->next, true))
		prev = at;
	if (at && !WARN_ON_ONCE(!weir_entry_lock(e, &t->entry_map, NULL, &word))) {
		if (wanted(e, arg)) {
			entry_kill(t, bucket, prev, e);
			/* in the lock: who is preempted must not keep a place */
			weir_table_places_give(t, 1);
		} else {
			weir_entry_unlock(e, &t->entry_map, word);
		}
	}
	bucket_unlock(t, bucket);
}

/**
 * weir_table_next - iterate over a bucket in the order of hashes
 * @t: the table
 * @bucket: which one
 * @from: least hash wanted
 * @hash: out: hash of the entry returned
 *
 * A key present throughout is met exactly once, because a hash stays.
 * Context: RCU read side.
 * Return: the entry with the least hash not below @from, or NULL.
 */
struct weir_entry *weir_table_next(struct weir_table *t, unsigned int bucket,
				   u64 from, u64 *hash)
{
	struct weir_entry *e, *best = NULL;
	u64 h;

	for (e = bucket_first(&t->buckets[bucket]); e;
	     e = rcu_dereference(e->next)) {
		h = hash_bytes(t, e->key, e->key_len);
		if (h < from || (best && h >= *hash))
			continue;
		best = e;
		*hash = h;
	}
	return best;
}

/* Idle times may have come nearer: look at everything anew. */
void weir_table_reconfigured(struct weir_table *t)
{
	weir_expiry_reset(&t->expiry);
	weir_sweep_kick(t, 0);
}

/**
 * weir_table_init - make an empty table
 * @t: zeroed
 * @max_keys: 1..WEIR_KEYS_MAX
 * @ops: what it must know of its entries
 *
 * The current task's memory cgroup is charged for it, and for its entries.
 * Context: may sleep. Return: 0 or -ENOMEM.
 */
int weir_table_init(struct weir_table *t, u64 max_keys,
		    const struct weir_table_ops *ops)
{
	static struct lock_class_key bucket_class, entry_class;
	unsigned int bits = max_t(unsigned int, WEIR_GROUP_BITS,
				  order_base_2(max_keys));
	int err;

	t->nbuckets = 1U << bits;
	t->shift = 64 - bits;
	t->max_keys = max_keys;
	t->ops = ops;
	t->epoch = ktime_get_boottime_ns();
	get_random_bytes(&t->hash_key, sizeof(t->hash_key));
	get_random_bytes(&t->hash_key_8, sizeof(t->hash_key_8));
	lockdep_init_map(&t->bucket_map, "weir_bucket", &bucket_class, 0);
	lockdep_init_map(&t->entry_map, "weir_entry", &entry_class, 0);
	t->buckets = kvcalloc(t->nbuckets, sizeof(*t->buckets),
			      GFP_KERNEL_ACCOUNT);
	if (!t->buckets)
		return -ENOMEM;
	err = weir_expiry_init(&t->expiry, t->nbuckets);
	if (err) {
		kvfree(t->buckets);
		t->buckets = NULL;
		return err;
	}
	t->memcg = get_mem_cgroup_from_mm(current->mm);
	weir_sweep_init(t);
	return 0;
}

/**
 * weir_table_destroy - free everything
 * @t: the table; zeroed is fine, too
 *
 * Nobody can find the table any more and a grace period is over, so entries are
 * freed at once. Those killed before are freed by their own callbacks.
 * Context: may sleep; seconds for ten million entries.
 */
void weir_table_destroy(struct weir_table *t)
{
	struct weir_entry *e, *next;
	unsigned int i;

	if (!t->buckets)
		return;
	weir_sweep_stop(t);
	for (i = 0; i < t->nbuckets; i++) {
		for (e = bucket_first(&t->buckets[i]); e; e = next) {
			next = rcu_dereference_protected(e->next, true);
			if (t->ops->dropped)
				t->ops->dropped(t, e);
			weir_entry_free(e);
		}
		if (i % 1024 == 1023)
			cond_resched();
	}
	weir_expiry_destroy(&t->expiry);
	kvfree(t->buckets);
	mem_cgroup_put(t->memcg);
}
