// SPDX-License-Identifier: GPL-2.0-only
/* WEIR_IOC_DUMP: the entries of a table, each exactly once. */

#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "table/dump.h"
#include "core/object.h"
#include "table/table.h"

#define CHUNK		4096	/* bytes gathered before they are copied out */
#define BUCKETS_A_GO	1024	/* looked at before others may run */

/* Gather from one bucket. False if the chunk is full before its end. */
static bool bucket_fill(struct weir_dump_walk *d, unsigned int bucket)
{
	struct weir_entry *e;
	u64 hash;

	while ((e = weir_table_next(d->t, bucket, d->from, &hash))) {
		if (d->room - d->filled < d->record_max)
			return false;
		d->fill(d, e);
		d->from = hash + 1;
		if (!d->from)
			break;
	}
	return true;
}

/* Gather from some buckets, and move on: 0 or -ENODEV. */
static int chunk_fill(struct weir_dump_walk *d)
{
	struct weir_table *t = d->t;
	unsigned int bucket = weir_table_bucket(t, d->from), n;

	d->filled = 0;
	d->count = 0;
	rcu_read_lock();
	if (!weir_object_alive(d->o)) {
		rcu_read_unlock();
		return -ENODEV;
	}
	for (n = 0; n < BUCKETS_A_GO && bucket_fill(d, bucket); n++) {
		d->end = ++bucket == t->nbuckets;
		if (d->end)
			break;
		d->from = (u64)bucket << t->shift;
	}
	rcu_read_unlock();
	return 0;
}

static int walk_run(struct weir_dump_walk *d, struct weir_dump *args, u64 length)
{
	u8 __user *to = u64_to_user_ptr(args->buffer);
	int err;

	while (!d->end) {
		d->room = min_t(u64, CHUNK, length - args->length);
		if (d->room < d->record_max)
			break;
		err = chunk_fill(d);
		if (err)
			return err;
		if (copy_to_user(to + args->length, d->chunk, d->filled))
			return -EFAULT;
		args->length += d->filled;
		args->count += d->count;
		args->cursor = d->end ? WEIR_NEVER : d->from;
		if (signal_pending(current))
			break;
		cond_resched();
	}
	return 0;
}

/**
 * weir_dump_run - walk over a table, for &weir_kind_ops.dump
 * @d: what over, and how a record is made
 * @args: the ioctl's struct, its flags checked; results are filled in
 *
 * Context: may sleep; the header is held.
 * Return: 0, -EINVAL, -EMSGSIZE, -EFAULT, -ENOMEM, -ENODEV.
 */
int weir_dump_run(struct weir_dump_walk *d, struct weir_dump *args)
{
	u64 length = args->length;
	int err;

	if (args->buffer % 8)
		return -EINVAL;
	if (length < d->least)
		return -EMSGSIZE;
	d->from = args->cursor;
	d->end = args->cursor == WEIR_NEVER;
	d->chunk = kmalloc(CHUNK, GFP_KERNEL_ACCOUNT);
	if (!d->chunk)
		return -ENOMEM;
	args->length = 0;
	args->count = 0;
	err = walk_run(d, args, length);
	kfree(d->chunk);
	return err;
}
