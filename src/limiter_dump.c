// SPDX-License-Identifier: GPL-2.0-only
/* WEIR_IOC_DUMP: the entries of a limiter, each exactly once. */

#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "limiter.h"

#define CHUNK		4096	/* bytes gathered before they are copied out */
#define RECORD_MAX	(sizeof(struct weir_entry_info) + ALIGN(WEIR_KEY_MAX, 8))
#define BUCKETS_A_GO	1024	/* looked at before others may run */

/**
 * struct dump - an iteration under way
 * @l: the limiter
 * @banned: only those
 * @from: least hash still to be shown
 * @end: there are no more
 * @chunk: records gathered
 * @room: bytes they may take
 * @filled: bytes they do take
 * @count: their number
 */
struct dump {
	struct weir_limiter *l;
	bool banned;
	u64 from;
	bool end;
	u8 *chunk;
	size_t room;
	size_t filled;
	u32 count;
};

/* One entry's record; nothing if it is dead or not wanted. */
static void record_fill(struct dump *d, struct weir_entry *e)
{
	struct weir_entry_info *info = (void *)(d->chunk + d->filled);
	struct weir_table *t = &d->l->table;
	struct weir_op op = {};
	u64 word;

	if (!weir_table_lock(t, e, &word))
		return;
	weir_limiter_state(rcu_dereference(d->l->policy), e, word,
			   weir_table_now(t), 1, &op);
	weir_table_unlock(t, e, word);
	if (d->banned && !op.banned_for)
		return;
	*info = (struct weir_entry_info){
		.size = sizeof(*info) + ALIGN(e->key_len, 8),
		.key_len = e->key_len,
		.flags = op.banned_for ? WEIR_ENTRY_BANNED : 0,
		.strikes = op.strikes,
		.bans = op.bans,
		.remaining = op.remaining,
		.reset_after = op.reset_after,
		.banned_for = op.banned_for,
	};
	memset(info->key, 0, ALIGN(e->key_len, 8));
	memcpy(info->key, e->key, e->key_len);
	d->filled += info->size;
	d->count++;
}

/* Gather from one bucket. False if the chunk is full before its end. */
static bool bucket_fill(struct dump *d, unsigned int bucket)
{
	struct weir_entry *e;
	u64 hash;

	while ((e = weir_table_next(&d->l->table, bucket, d->from, &hash))) {
		if (d->room - d->filled < RECORD_MAX)
			return false;
		record_fill(d, e);
		d->from = hash + 1;
		if (!d->from)
			break;
	}
	return true;
}

/* Gather from some buckets, and move on: 0 or -ENODEV. */
static int chunk_fill(struct dump *d)
{
	struct weir_table *t = &d->l->table;
	unsigned int bucket = weir_table_bucket(t, d->from), n;

	d->filled = 0;
	d->count = 0;
	rcu_read_lock();
	if (!weir_object_alive(&d->l->obj)) {
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

static int dump_run(struct dump *d, struct weir_dump *args, u64 length)
{
	u8 __user *to = u64_to_user_ptr(args->buffer);
	int err;

	while (!d->end) {
		d->room = min_t(u64, CHUNK, length - args->length);
		if (d->room < RECORD_MAX)
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
 * weir_limiter_dump - &weir_kind_ops.dump
 * @o: the limiter
 * @args: the ioctl's struct; results are filled in
 *
 * Context: may sleep; the header is held.
 * Return: 0, -EINVAL, -EMSGSIZE, -EFAULT, -ENOMEM, -ENODEV.
 */
int weir_limiter_dump(struct weir_object *o, struct weir_dump *args)
{
	struct dump d = {
		.l = weir_limiter(o),
		.banned = args->flags & WEIR_DUMP_BANNED,
		.from = args->cursor,
		.end = args->cursor == WEIR_NEVER,
	};
	u64 length = args->length;
	int err;

	BUILD_BUG_ON(RECORD_MAX > 512);
	if (args->flags & ~WEIR_DUMP_BANNED || args->buffer % 8)
		return -EINVAL;
	if (length < 512)
		return -EMSGSIZE;
	d.chunk = kmalloc(CHUNK, GFP_KERNEL);
	if (!d.chunk)
		return -ENOMEM;
	args->length = 0;
	args->count = 0;
	err = dump_run(&d, args, length);
	kfree(d.chunk);
	return err;
}
