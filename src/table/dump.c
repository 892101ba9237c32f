// SPDX-License-Identifier: GPL-2.0-only
/* WEIR_IOC_DUMP: the entries of a table, each exactly once. */

#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/siphash.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/uaccess.h>

#include "table/bucket.h"
#include "table/dump.h"
#include "table/keyed.h"

#define VISIT_BUCKETS	16	/* buckets examined between two reschedule points */
#define ENTRIES_A_GO	64	/* entries returned between two reschedule points */

/* sort() of a window takes long, and the comparison is the only place to reschedule. */
static int position_cmp(const void *a, const void *b)
{
	const u64 *x = a, *y = b;

	cond_resched();
	return *x < *y ? -1 : *x > *y;
}

/*
 * Add an entry. If there are too many, drop the upper half of the range until a slot is free.
 * Positions are distinct, so this ends, and they are random, so one pass is usually enough.
 */
static void window_add(struct weir_dump_walk *d, u64 hash)
{
	u64 position = weir_dump_position(&d->order, hash);
	unsigned int i, n;

	if (position < d->from || position > d->last)
		return;
	d->position[d->n++] = position;
	while (d->n == WEIR_DUMP_WINDOW) {
		d->last = d->from + (d->last - d->from) / 2;
		for (i = n = 0; i < WEIR_DUMP_WINDOW; i++)
			if (d->position[i] <= d->last)
				d->position[n++] = d->position[i];
		d->n = n;
	}
}

/* Examine some buckets from @first on. Return: 0 or -ENODEV. */
static int buckets_visit(struct weir_dump_walk *d, unsigned int first)
{
	struct weir_entry *e;
	unsigned int i;
	int err = -ENODEV;

	rcu_read_lock();
	if (weir_object_alive(d->o)) {
		err = 0;
		for (i = first; i < first + VISIT_BUCKETS; i++)
			for (e = chain_next(&d->t->buckets[i]); e; e = chain_next(&e->next))
				window_add(d, weir_table_hash_of(d->t, e));
	}
	rcu_read_unlock();
	return err;
}

/* Find the first positions from @from on in its region. Return: 0 or -ENODEV. */
static int window_fill(struct weir_dump_walk *d)
{
	u64 region = d->from & ~d->order.mask;
	unsigned int first = weir_table_bucket(d->t, region), i;
	int err = 0;

	d->last = region | d->order.mask;
	d->n = 0;
	d->at = 0;
	/* the number of buckets in a region is a multiple of VISIT_BUCKETS */
	for (i = 0; i < 1U << d->order.within && !err; i += VISIT_BUCKETS) {
		err = buckets_visit(d, first + i);
		cond_resched();
	}
	sort(d->position, d->n, sizeof(*d->position), position_cmp, NULL);
	return err;
}

/* The entry whose key has this hash; NULL: it was dropped meanwhile. */
static struct weir_entry *entry_at(const struct weir_table *t, u64 hash)
{
	struct weir_entry *e = chain_next(bucket_of(t, hash));

	while (e && weir_table_hash_of(t, e) != hash)
		e = chain_next(&e->next);
	return e;
}

/* Put the entries of the window into the chunk, as far as there is room. Return: 0 or -ENODEV. */
static int chunk_fill(struct weir_dump_walk *d)
{
	const struct weir_dump_desc *desc = d->o->ops->dump;
	struct weir_entry *e;
	unsigned int n;

	d->filled = 0;
	d->count = 0;
	rcu_read_lock();
	if (!weir_object_alive(d->o)) {
		rcu_read_unlock();
		return -ENODEV;
	}
	for (n = 0; n < ENTRIES_A_GO && d->at < d->n &&
	     d->room - d->filled >= desc->record_max; n++) {
		e = entry_at(d->t, weir_dump_hash(&d->order, d->position[d->at++]));
		if (e)
			desc->fill(d, e);
	}
	rcu_read_unlock();
	return 0;
}

/* The position at which to continue. Sets @end after the last one. */
static u64 window_next(struct weir_dump_walk *d)
{
	if (d->at < d->n)
		return d->position[d->at];
	d->end = d->last == U64_MAX;
	return d->last + 1;
}

static u32 cursor_mix(const void *key, u64 in)
{
	return siphash_1u64(in, key);
}

static int walk_run(struct weir_dump_walk *d, struct weir_dump *args, u64 length)
{
	u8 __user *to = u64_to_user_ptr(args->buffer);
	int err;

	while (!d->end) {
		d->room = min_t(u64, WEIR_DUMP_CHUNK, length - args->length);
		if (d->room < d->o->ops->dump->record_max)
			break;
		err = d->at < d->n ? 0 : window_fill(d);
		if (!err)
			err = chunk_fill(d);
		/* the object was deleted: return the records copied so far */
		if (err)
			return args->count ? 0 : err;
		if (copy_to_user(to + args->length, d->chunk, d->filled))
			return -EFAULT;
		args->length += d->filled;
		args->count += d->count;
		d->from = window_next(d);
		args->cursor = d->end ? WEIR_NEVER :
			       weir_cursor(d->from, false, cursor_mix, &d->t->cursor_key);
		if (signal_pending(current))
			break;
		cond_resched();
	}
	return 0;
}

/**
 * weir_dump_run - WEIR_IOC_DUMP of a kind that has &weir_kind_ops.dump
 * @o: the object
 * @args: the ioctl's struct; results are filled in
 *
 * Context: may sleep; the header is held.
 * Return: 0, -EINVAL, -EMSGSIZE, -EFAULT, -ENOMEM, -ENODEV.
 */
int weir_dump_run(struct weir_object *o, struct weir_dump *args)
{
	const struct weir_dump_desc *desc = o->ops->dump;
	u64 length = args->length;
	struct weir_dump_walk *d;
	int err;

	if (args->buffer % 8 || args->flags & ~desc->flags)
		return -EINVAL;
	if (length < desc->least)
		return -EMSGSIZE;
	d = kvmalloc(sizeof(*d), GFP_KERNEL_ACCOUNT);
	if (!d)
		return -ENOMEM;
	d->o = o;
	d->t = &weir_keyed(o)->table;
	d->flags = args->flags;
	d->end = args->cursor == WEIR_NEVER;
	d->order = weir_dump_order(d->t->shift);
	d->from = args->cursor ? weir_cursor(args->cursor, true, cursor_mix,
					    &d->t->cursor_key) : 0;
	d->n = 0;
	d->at = 0;
	args->length = 0;
	args->count = 0;
	err = walk_run(d, args, length);
	kvfree(d);
	return err;
}
