// SPDX-License-Identifier: GPL-2.0-only
/* Counters: slots, base, sequences. See counter.h. */

#include <linux/bitops.h>
#include <linux/cpumask.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "counter/counter.h"

/* a reader that this many takes in a row have disturbed takes the lock */
#define READ_TRIES	8

/**
 * weir_counter_add_one - add to one field
 * @c: the counter, of type sum
 * @field: index of the field
 * @n: the amount, modulo 2^64
 *
 * Context: any. Cost: one instruction on this CPU's cache line.
 */
void weir_counter_add_one(struct weir_counter *c, unsigned int field, u64 n)
{
	this_cpu_add(c->slots->value[field], n);
}

/**
 * weir_counter_add_many - add to several fields in one step
 * @c: the counter
 * @mask: the fields
 * @amounts: one for each field, in the order of fields
 *
 * Context: process or softirq. Softirqs are disabled meanwhile, because an add to the same slot in
 *	softirq context would make its sequence count even before this step is complete.
 */
void weir_counter_add_many(struct weir_counter *c, u64 mask, const s64 *amounts)
{
	struct weir_slot *slot;
	unsigned long field;

	local_bh_disable();
	preempt_disable();	/* on PREEMPT_RT, local_bh_disable() does not disable preemption */
	slot = this_cpu_ptr(c->slots);
	/* pairs with read_seqcount_begin() in slot_read() */
	raw_write_seqcount_begin(&slot->seq);
	for (; mask; mask &= mask - 1) {
		field = __ffs64(mask);
		this_cpu_add(c->slots->value[field], *amounts++);
	}
	raw_write_seqcount_end(&slot->seq);
	preempt_enable();
	local_bh_enable();
}

/* Add the slot of one CPU to @sum. All fields are from the same moment. */
static void slot_read(const struct weir_slot *slot, unsigned int nfields,
		      u64 *copy, u64 *sum)
{
	unsigned int seq, i;

	do {
		seq = read_seqcount_begin(&slot->seq);
		for (i = 0; i < nfields; i++)
			copy[i] = READ_ONCE(slot->value[i]);
	} while (read_seqcount_retry(&slot->seq, seq));
	for (i = 0; i < nfields; i++)
		sum[i] += copy[i];
}

static void slots_read(const struct weir_counter *c, u64 *sum)
{
	u64 copy[WEIR_FIELDS_MAX];
	int cpu;

	memset(sum, 0, c->nfields * sizeof(*sum));
	for_each_possible_cpu(cpu)
		slot_read(per_cpu_ptr(c->slots, cpu), c->nfields, copy, sum);
}

static void base_subtract(const struct weir_counter *c, u64 *values)
{
	unsigned int i;

	for (i = 0; i < c->nfields; i++)
		values[i] -= READ_ONCE(c->base[i]);
}

/**
 * weir_counter_read - a snapshot of all fields
 * @c: the counter, of type sum
 * @values: room for all its fields
 *
 * Each add is in the snapshot as a whole or not at all.
 * Context: process or softirq. Cost: one cache line for each CPU and eight fields.
 */
void weir_counter_read(struct weir_counter *c, u64 *values)
{
	unsigned int seq, tries;

	for (tries = 0; tries < READ_TRIES; tries++) {
		/* an old base must not be combined with slots read after a take */
		seq = read_seqcount_begin(&c->base_seq);
		slots_read(c, values);
		base_subtract(c, values);
		if (!read_seqcount_retry(&c->base_seq, seq))
			return;
	}
	spin_lock_bh(&c->lock);
	slots_read(c, values);
	base_subtract(c, values);
	spin_unlock_bh(&c->lock);
}

static u64 field_sum(const struct weir_counter *c, unsigned int field)
{
	u64 sum = -READ_ONCE(c->base[field]);
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(c->slots, cpu)->value[field]);
	return sum;
}

/* Read one field, or the last number handed out. */
u64 weir_counter_read_one(struct weir_counter *c, unsigned int field)
{
	unsigned int seq, tries;
	u64 value;

	if (!c->slots)
		return atomic64_read(&c->last);
	for (tries = 0; tries < READ_TRIES; tries++) {
		seq = read_seqcount_begin(&c->base_seq);
		value = field_sum(c, field);
		if (!read_seqcount_retry(&c->base_seq, seq))
			return value;
	}
	spin_lock_bh(&c->lock);
	value = field_sum(c, field);
	spin_unlock_bh(&c->lock);
	return value;
}

/**
 * weir_counter_take - a snapshot, and reset to zero
 * @c: the counter, of type sum
 * @values: room for all its fields
 *
 * Each add is in the result of exactly one take, or still in the counter.
 * Context: process or softirq.
 */
void weir_counter_take(struct weir_counter *c, u64 *values)
{
	unsigned int i;
	u64 sum;

	spin_lock_bh(&c->lock);
	slots_read(c, values);
	write_seqcount_begin(&c->base_seq);
	for (i = 0; i < c->nfields; i++) {
		sum = values[i];
		values[i] -= c->base[i];
		WRITE_ONCE(c->base[i], sum);
	}
	write_seqcount_end(&c->base_seq);
	spin_unlock_bh(&c->lock);
}

/**
 * weir_counter_next - hand out numbers of a sequence
 * @c: the counter, of type sequence
 * @n: how many
 * @first: out: the first of them
 *
 * Context: any.
 *
 * Return: 0, or -EOVERFLOW: the last number would exceed an s64.
 */
int weir_counter_next(struct weir_counter *c, u64 n, u64 *first)
{
	s64 last = atomic64_read(&c->last);

	do {
		if (n > (u64)(S64_MAX - last))
			return -EOVERFLOW;
	} while (!atomic64_try_cmpxchg(&c->last, &last, last + n));
	*first = last + 1;
	return 0;
}

/**
 * weir_counter_init - allocate the storage of a counter
 * @c: zeroed, except its type and nfields, 1..64 (histogram: 0)
 *
 * Context: may sleep.
 *
 * Return: 0 or -ENOMEM. Call weir_counter_free() in either case.
 */
int weir_counter_init(struct weir_counter *c)
{
	static struct lock_class_key slot_class;
	int cpu;

	spin_lock_init(&c->lock);
	spin_lock_init(&c->taking);
	seqcount_spinlock_init(&c->base_seq, &c->lock);
	if (c->obj.type == WEIR_COUNTER_SEQUENCE)
		return 0;
	c->base = kcalloc(weir_counter_base_words(c), sizeof(*c->base),
			  GFP_KERNEL_ACCOUNT);
	if (!c->base)
		return -ENOMEM;
	c->slots = __alloc_percpu_gfp(struct_size(c->slots, value,
						  weir_counter_slot_words(c)),
				      __alignof__(struct weir_slot),
				      GFP_KERNEL_ACCOUNT);
	if (!c->slots)
		return -ENOMEM;
	for_each_possible_cpu(cpu)
		__seqcount_init(&per_cpu_ptr(c->slots, cpu)->seq, "weir_slot",
				&slot_class);
	return 0;
}

void weir_counter_free(struct weir_counter *c)
{
	free_percpu(c->slots);
	kfree(c->base);
}
