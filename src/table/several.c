// SPDX-License-Identifier: GPL-2.0-only
/* Locking several keys at once. See several.h. */

#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>

#include "table/bucket.h"
#include "table/several.h"

static unsigned long *bucket_of(const struct weir_several_key *k)
{
	return &k->t->buckets[weir_table_bucket(k->t, k->key->hash)];
}

/* It shares the bucket of the one before it in order. */
static bool shares(const struct weir_several *s, unsigned int i)
{
	return i && bucket_of(s->order[i]) == bucket_of(s->order[i - 1]);
}

/**
 * weir_several_init - have room for keys
 * @s: to be ended by weir_several_destroy() in any case
 * @count: of them
 *
 * Context: may sleep. Return: 0 or -ENOMEM.
 */
int weir_several_init(struct weir_several *s, unsigned int count)
{
	static struct lock_class_key class;

	lockdep_init_map(&s->map, "weir_several", &class, 0);
	s->count = count;
	s->keys = kvcalloc(count, sizeof(*s->keys), GFP_KERNEL_ACCOUNT);
	s->order = kvmalloc_array(count, sizeof(*s->order), GFP_KERNEL_ACCOUNT);
	return s->keys && s->order ? 0 : -ENOMEM;
}

void weir_several_destroy(struct weir_several *s)
{
	kvfree(s->order);
	kvfree(s->keys);
}

static int key_compare(const struct weir_several_key *a, const struct weir_several_key *b)
{
	if (bucket_of(a) != bucket_of(b))
		return bucket_of(a) < bucket_of(b) ? -1 : 1;
	if (a->key->hash != b->key->hash)
		return a->key->hash < b->key->hash ? -1 : 1;
	if (a->key->len != b->key->len)
		return a->key->len < b->key->len ? -1 : 1;
	return memcmp(a->key->data, b->key->data, a->key->len);
}

/* cmp_func_t; keys that are the same stand as they were given */
static int order_compare(const void *one, const void *other)
{
	struct weir_several_key *a = *(struct weir_several_key *const *)one;
	struct weir_several_key *b = *(struct weir_several_key *const *)other;

	return key_compare(a, b) ?: a < b ? -1 : 1;
}

/**
 * weir_several_sort - the order in which they are locked
 * @s: @t and @key of all keys are set
 *
 * Context: process. Return: NULL; or a key that stands there twice.
 */
const struct weir_several_key *weir_several_sort(struct weir_several *s)
{
	unsigned int i;

	for (i = 0; i < s->count; i++)
		s->order[i] = &s->keys[i];
	sort(s->order, s->count, sizeof(*s->order), order_compare, NULL);
	for (i = 1; i < s->count; i++)
		if (!key_compare(s->order[i - 1], s->order[i]))
			return s->order[i];
	return NULL;
}

/**
 * weir_several_lock - lock all keys, whether they have entries or not
 * @s: all of them
 *
 * Context: RCU read side, no lock of a table held. Softirqs are off until
 * weir_several_unlock().
 */
void weir_several_lock(struct weir_several *s)
{
	struct weir_several_key *k;
	unsigned int i;

	lock_map_acquire(&s->map);
	local_bh_disable();
	preempt_disable();
	for (i = 0; i < s->count; i++)
		if (!shares(s, i))
			bucket_lock_nested(s->order[i]->t, bucket_of(s->order[i]), &s->map);
	for (i = 0; i < s->count; i++) {
		k = &s->keys[i];
		k->e = chain_find(bucket_first(bucket_of(k)), k->key);
		/* linked, so not dead: only bucket lock holders kill */
		if (k->e)
			WARN_ON_ONCE(!weir_entry_lock(k->e, &k->t->entry_map, &s->map,
						      &k->word));
	}
}

/* Keys of the i-th's table, which is the first of it in order, that have no entry. */
static unsigned int places_wanted(const struct weir_several *s, unsigned int i,
				  unsigned int *next)
{
	const struct weir_table *t = s->order[i]->t;
	unsigned int n = 0;

	for (; i < s->count && s->order[i]->t == t; i++)
		n += !s->order[i]->e;
	*next = i;
	return n;
}

/* Tables that may have to take places back are undecided while that is so. */
static void undecided(struct weir_several *s, int n)
{
	unsigned int i;

	/* of one alone all or none are taken in one step */
	if (s->order[0]->t == s->order[s->count - 1]->t)
		return;
	for (i = 0; i < s->count; i++)
		if (!i || s->order[i]->t != s->order[i - 1]->t)
			weir_table_undecided(s->order[i]->t, n);
}

/* Places for all that have no entry, or none. */
static bool places_take(struct weir_several *s)
{
	unsigned int i, next, end, n;

	for (i = 0; i < s->count; i = next) {
		n = places_wanted(s, i, &next);
		if (!n || weir_table_places_take(s->order[i]->t, n))
			continue;
		s->full = s->order[i]->t;
		s->wanted = n;
		for (end = i, i = 0; i < end; i = next) {
			n = places_wanted(s, i, &next);
			weir_table_places_give(s->order[i]->t, n);
		}
		return false;
	}
	return true;
}

/**
 * weir_several_link - let all keys have entries
 * @s: locked; after this each key has one, locked, of which those with the word 0 whose
 *	@new is NULL are new
 *
 * Return: false: there is no room, and nothing has changed. weir_several_room() is to be
 * asked, with nothing locked.
 */
bool weir_several_link(struct weir_several *s)
{
	struct weir_several_key *k;
	unsigned long *bucket;
	bool taken;

	undecided(s, 1);
	taken = places_take(s);
	undecided(s, -1);
	if (!taken)
		return false;
	for (k = s->keys; k < s->keys + s->count; k++) {
		if (k->e)
			continue;
		bucket = bucket_of(k);
		k->e = k->new;
		k->new = NULL;
		k->word = 0;
		atomic64_set(&k->e->word, WEIR_ENTRY_LOCKED);
		rcu_assign_pointer(k->e->next, bucket_first(bucket));
		lock_acquire_exclusive(&k->t->entry_map, 0, 0, &s->map, _THIS_IP_);
		bucket_set(bucket, k->e);
	}
	return true;
}

void weir_several_unlock(struct weir_several *s)
{
	struct weir_several_key *k;
	unsigned int i = s->count;

	for (k = s->keys; k < s->keys + s->count; k++)
		if (k->e)
			weir_entry_unlock(k->e, &k->t->entry_map, k->word);
	while (i--)
		if (!shares(s, i))
			bucket_unlock_nested(s->order[i]->t, bucket_of(s->order[i]));
	preempt_enable();
	local_bh_enable();
	lock_map_release(&s->map);
}

/**
 * weir_several_room - whether it is worth trying again
 * @s: weir_several_link() has found no room
 * @given: places that its @full table had given back before they were locked
 *
 * As table_refuses(): if nothing is idle now, and nothing was dropped since, there was no
 * room at that moment.
 * Context: may sleep.
 */
bool weir_several_room(struct weir_several *s, s64 given)
{
	struct weir_table *t = s->full;

	if (s->wanted > READ_ONCE(t->max_keys))
		return false;
	while (weir_table_keys(t) + s->wanted > READ_ONCE(t->max_keys)) {
		if (!weir_table_step(t, true)) {
			smp_rmb();	/* pairs with the barrier in weir_table_places_give() */
			return !weir_table_stood_still(t, given);
		}
		cond_resched();
	}
	return true;
}
