// SPDX-License-Identifier: GPL-2.0-only
/* Locking several keys at once. See multi_lock.h. */

#include <linux/string.h>

#include "table/bucket.h"
#include "table/multi_lock.h"

/* @keys: room for as many keys as will be added. */
void weir_multi_init(struct weir_multi_lock *m, struct weir_multi_key *keys)
{
	static struct lock_class_key class;

	m->keys = keys;
	m->count = 0;
	m->roomless = NULL;
	lockdep_init_map(&m->dep_map, "weir_multi_lock", &class, 0);
}

static int key_compare(const struct weir_multi_key *a, const struct weir_multi_key *b)
{
	if (a->stripe != b->stripe)
		return a->stripe < b->stripe ? -1 : 1;
	if (a->key->hash != b->key->hash)
		return a->key->hash < b->key->hash ? -1 : 1;
	if (a->key->len != b->key->len)
		return a->key->len < b->key->len ? -1 : 1;
	return memcmp(a->key->data, b->key->data, a->key->len);
}

/**
 * weir_multi_add - add a key, unless it was added before
 * @m: not locked; fewer than WEIR_MULTI_MAX keys
 * @t: its table
 * @key: hashed
 *
 * Cost: a comparison and a move of one byte for each key that is behind it in the order.
 * Return: the key. If it was added before, it is not the last of @m->keys.
 */
struct weir_multi_key *weir_multi_add(struct weir_multi_lock *m, struct weir_table *t,
				      const struct weir_key *key)
{
	struct weir_multi_key *k = &m->keys[m->count];
	unsigned int i, at = m->count;
	int order;

	k->t = t;
	k->key = key;
	k->stripe = weir_table_stripe(t, key->hash);
	k->new = NULL;
	k->tries = 0;
	for (; at; at--) {
		order = key_compare(&m->keys[m->order[at - 1]], k);
		if (!order)
			return &m->keys[m->order[at - 1]];
		if (order < 0)
			break;
	}
	for (i = m->count; i > at; i--)
		m->order[i] = m->order[i - 1];
	m->order[at] = m->count++;
	return k;
}

static void key_find(struct weir_multi_key *k)
{
	unsigned int chain = 0;

	k->linked = false;
	k->wanted = false;
	k->e = chain_find(bucket_of(k->t, k->key->hash), k->key, &chain);
	k->chain = chain;
	if (k->e)
		k->word = weir_entry_begin(k->e);
}

/* Balanced for sparse, which cannot follow locks in an array. */
static void stripe_lock(spinlock_t *stripe, struct weir_multi_lock *m)
{
	spin_lock_nest_lock(stripe, m);
	__release(stripe);
}

static void stripe_unlock(spinlock_t *stripe)
{
	__acquire(stripe);
	spin_unlock(stripe);
}

/**
 * weir_multi_lock - lock all keys, whether they have entries or not
 * @m: the keys
 *
 * Context: process, RCU read side, no stripe locked. Softirqs are off until
 * weir_multi_unlock().
 */
void weir_multi_lock(struct weir_multi_lock *m)
{
	spinlock_t *stripe, *last = NULL;
	unsigned int i;

	lock_map_acquire(&m->dep_map);
	local_bh_disable();
	for (i = 0; i < m->count; i++) {
		stripe = m->keys[m->order[i]].stripe;
		if (stripe != last)
			stripe_lock(stripe, m);
		last = stripe;
	}
	m->roomless = NULL;
	for (i = 0; i < m->count; i++)
		key_find(&m->keys[i]);
}

/* Number of wanted keys of a table. */
static unsigned int keys_wanted(const struct weir_multi_lock *m, const struct weir_table *t)
{
	const struct weir_multi_key *k;
	unsigned int n = 0;

	for (k = m->keys; k < m->keys + m->count; k++)
		n += k->wanted && k->t == t;
	return n;
}

/**
 * weir_multi_want - request an entry for a key
 * @m: locked
 * @k: the key
 *
 * Other callers may take the free slot before it is reserved.
 * Return: false if there is no free slot in addition to those already wanted; @m->roomless is set.
 */
bool weir_multi_want(struct weir_multi_lock *m, struct weir_multi_key *k)
{
	unsigned int others;

	if (k->e || k->wanted)
		return true;
	others = keys_wanted(m, k->t);
	k->wanted = k->chain < WEIR_CHAIN_MAX &&
		    weir_table_keys(k->t) + others < READ_ONCE(k->t->max_keys);
	if (!k->wanted) {
		m->roomless = k;
		m->room = others + 1;
	}
	return k->wanted;
}

/*
 * Reserve slots for all wanted keys or for none. Return: false if there is too little room;
 * @m->roomless is set.
 */
static bool slots_reserve(struct weir_multi_lock *m)
{
	struct weir_table *t = NULL, *last = NULL;
	struct weir_multi_key *k = m->keys;
	unsigned int i;

	for (i = 0; i < m->count; i++) {
		t = m->keys[m->order[i]].t;
		if (t != last && !weir_table_reserve_slots(t, keys_wanted(m, t)))
			break;
		last = t;
	}
	if (i == m->count)
		return true;
	while (!k->wanted || k->t != t)
		k++;
	m->roomless = k;
	m->room = keys_wanted(m, t);
	while (i--) {
		last = m->keys[m->order[i]].t;
		if (last != t)
			weir_table_release_slots(last, keys_wanted(m, last));
		t = last;
	}
	return false;
}

/**
 * weir_multi_link - link the new entries of all wanted keys, or of none
 * @m: locked; @word of those keys is set
 *
 * Return: false, and nothing is linked: a key has no memory or, if @m->roomless is set, no slot.
 */
bool weir_multi_link(struct weir_multi_lock *m)
{
	struct weir_multi_key *k;

	for (k = m->keys; k < m->keys + m->count; k++)
		if (k->wanted && !k->new)
			return false;
	for (k = m->keys; k < m->keys + m->count; k++)
		if (k->wanted && k->chain >= WEIR_CHAIN_MAX) {
			m->roomless = k;
			m->room = keys_wanted(m, k->t);
			return false;
		}
	if (!slots_reserve(m))
		return false;
	for (k = m->keys; k < m->keys + m->count; k++) {
		if (!k->wanted)
			continue;
		k->e = k->new;
		k->new = NULL;
		k->linked = true;
		chain_add(k->t, bucket_of(k->t, k->key->hash), k->key->hash, k->e);
	}
	return true;
}

void weir_multi_unlock(struct weir_multi_lock *m)
{
	spinlock_t *stripe, *last = NULL;
	struct weir_multi_key *k;
	unsigned int i = m->count;

	for (k = m->keys; k < m->keys + m->count; k++)
		if (k->e)
			weir_entry_end(k->e, k->word);
	while (i--) {
		stripe = m->keys[m->order[i]].stripe;
		if (stripe != last)
			stripe_unlock(stripe);
		last = stripe;
	}
	local_bh_enable();
	lock_map_release(&m->dep_map);
}

/* Free the new entries that were not linked. */
void weir_multi_discard(struct weir_multi_lock *m)
{
	struct weir_multi_key *k;

	for (k = m->keys; k < m->keys + m->count; k++) {
		if (k->new)
			weir_entry_free(k->new);
		k->new = NULL;
	}
}
