// SPDX-License-Identifier: GPL-2.0-only
/* WEIR_IOC_DUMP: the entries of a table, each exactly once. */

#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/siphash.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/uaccess.h>

#include "core/object.h"
#include "lib/dump_order.h"
#include "table/bucket.h"
#include "table/dump.h"

#define CHUNK		4096	/* bytes gathered before they are copied out */
#define WINDOW		1024	/* positions found in one pass over a region */
#define VISIT_BUCKETS	16	/* buckets examined between two reschedule points */
#define ENTRIES_A_GO	64	/* entries returned between two reschedule points */

/**
 * struct window - the next positions of a region to be returned
 * @order: order of the table
 * @from: position to begin with
 * @last: the search is complete up to this position
 * @n: number of positions found
 * @at: number of these that were returned
 * @position: the positions found, ascending
 */
struct window {
	struct weir_dump_order order;
	u64 from;
	u64 last;
	unsigned int n;
	unsigned int at;
	u64 position[WINDOW];
};

/* sort() of a window takes long, and the comparison is the only place to reschedule. */
static int position_cmp(const void *a, const void *b)
{
	const u64 *x = a, *y = b;

	cond_resched();
	return *x < *y ? -1 : *x > *y;
}

/*
 * Drop the upper half of the range until a slot is free. Positions are distinct, so this ends, and
 * they are random, so one pass is usually enough.
 */
static void window_halve(struct window *w)
{
	unsigned int i, n;

	while (w->n == WINDOW) {
		w->last = w->from + (w->last - w->from) / 2;
		for (i = n = 0; i < WINDOW; i++)
			if (w->position[i] <= w->last)
				w->position[n++] = w->position[i];
		w->n = n;
	}
}

/* Add an entry. If there are too many, shorten the range. */
static void window_add(struct window *w, u64 hash)
{
	u64 position = weir_dump_position(&w->order, hash);

	if (position < w->from || position > w->last)
		return;
	w->position[w->n++] = position;
	window_halve(w);
}

/* Examine some buckets from @first on. Return: 0 or -ENODEV. */
static int buckets_visit(struct weir_dump_walk *d, struct window *w, unsigned int first)
{
	struct weir_entry *e;
	unsigned int i;
	int err = -ENODEV;

	rcu_read_lock();
	if (weir_object_alive(d->o)) {
		err = 0;
		for (i = first; i < first + VISIT_BUCKETS; i++)
			for (e = chain_next(&d->t->buckets[i]); e; e = chain_next(&e->next))
				window_add(w, weir_table_hash_of(d->t, e));
	}
	rcu_read_unlock();
	return err;
}

/* Find the first positions from @from on in its region. Return: 0 or -ENODEV. */
static int window_fill(struct weir_dump_walk *d, struct window *w)
{
	u64 region = w->from & ~w->order.mask;
	unsigned int first = weir_table_bucket(d->t, region), i;
	int err = 0;

	w->last = region | w->order.mask;
	w->n = 0;
	w->at = 0;
	/* the number of buckets in a region is a multiple of VISIT_BUCKETS */
	for (i = 0; i < 1U << w->order.within && !err; i += VISIT_BUCKETS) {
		err = buckets_visit(d, w, first + i);
		cond_resched();
	}
	sort(w->position, w->n, sizeof(*w->position), position_cmp, NULL);
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
static int chunk_fill(struct weir_dump_walk *d, struct window *w)
{
	struct weir_entry *e;
	unsigned int n;

	d->filled = 0;
	d->count = 0;
	rcu_read_lock();
	if (!weir_object_alive(d->o)) {
		rcu_read_unlock();
		return -ENODEV;
	}
	for (n = 0; n < ENTRIES_A_GO && w->at < w->n &&
	     d->room - d->filled >= d->record_max; n++) {
		e = entry_at(d->t, weir_dump_hash(&w->order, w->position[w->at++]));
		if (e)
			d->fill(d, e);
	}
	rcu_read_unlock();
	return 0;
}

/* The position at which to continue. Sets @end after the last one. */
static u64 window_next(struct weir_dump_walk *d, const struct window *w)
{
	if (w->at < w->n)
		return w->position[w->at];
	d->end = w->last == U64_MAX;
	return w->last + 1;
}

static u32 cursor_mix(const void *key, u64 in)
{
	return siphash_1u64(in, key);
}

static int walk_run(struct weir_dump_walk *d, struct window *w, struct weir_dump *args,
		    u64 length)
{
	u8 __user *to = u64_to_user_ptr(args->buffer);
	int err;

	while (!d->end) {
		d->room = min_t(u64, CHUNK, length - args->length);
		if (d->room < d->record_max)
			break;
		err = w->at < w->n ? 0 : window_fill(d, w);
		if (!err)
			err = chunk_fill(d, w);
		/* the object was deleted: return the records copied so far */
		if (err)
			return args->count ? 0 : err;
		if (copy_to_user(to + args->length, d->chunk, d->filled))
			return -EFAULT;
		args->length += d->filled;
		args->count += d->count;
		w->from = window_next(d, w);
		args->cursor = d->end ? WEIR_NEVER :
			       weir_cursor_make(w->from, cursor_mix, &d->t->cursor_key);
		if (signal_pending(current))
			break;
		cond_resched();
	}
	return 0;
}

/**
 * weir_dump_run - walk over a table, for &weir_kind_ops.dump
 * @d: the table, and the function that makes a record
 * @args: the ioctl's struct, its flags checked; results are filled in
 *
 * Context: may sleep; the header is held.
 * Return: 0, -EINVAL, -EMSGSIZE, -EFAULT, -ENOMEM, -ENODEV.
 */
int weir_dump_run(struct weir_dump_walk *d, struct weir_dump *args)
{
	u64 length = args->length;
	struct window *w;
	int err = -ENOMEM;

	if (args->buffer % 8)
		return -EINVAL;
	if (length < d->least)
		return -EMSGSIZE;
	d->end = args->cursor == WEIR_NEVER;
	d->chunk = kmalloc(CHUNK, GFP_KERNEL_ACCOUNT);
	w = kvmalloc(sizeof(*w), GFP_KERNEL_ACCOUNT);
	if (d->chunk && w) {
		w->order = weir_dump_order(d->t->shift);
		w->from = args->cursor ? weir_cursor_position(args->cursor, cursor_mix,
							      &d->t->cursor_key) : 0;
		w->n = 0;
		w->at = 0;
		args->length = 0;
		args->count = 0;
		err = walk_run(d, w, args, length);
	}
	kvfree(w);
	kfree(d->chunk);
	return err;
}
