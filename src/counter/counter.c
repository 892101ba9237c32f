// SPDX-License-Identifier: GPL-2.0-only
/* Counters: slots, base, sequences. See counter.h. */

#include <linux/bitops.h>
#include <linux/cpumask.h>
#include <linux/overflow.h>
#include <linux/sched.h>
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
 * Context: process or softirq.
 */
void weir_counter_add_many(struct weir_counter *c, u64 mask, const s64 *amounts)
{
	struct weir_slot *slot = weir_slot_begin(c);
	unsigned long field;

	for (; mask; mask &= mask - 1) {
		field = __ffs64(mask);
		this_cpu_add(c->slots->value[field], *amounts++);
	}
	weir_slot_end(slot);
}

/* Add the slot of one CPU to @values. All fields are from the same moment. */
static void slot_add(u64 *values, const struct weir_slot *slot, unsigned int nfields)
{
	u64 copy[WEIR_FIELDS_MAX];
	unsigned int i;

	weir_slot_copy(slot, 0, nfields, copy);
	for (i = 0; i < nfields; i++)
		values[i] += copy[i];
}

/*
 * The sum of all slots, less the base. It must not reschedule: a task that waits for the end of a
 * show function would then depend on a task that its cgroup may throttle.
 */
static void values_read(const struct weir_counter *c, void *values)
{
	unsigned int i, words = weir_counter_words(c);
	const u64 *base = c->base;
	const struct weir_slot *slot;
	u64 *value = values;
	int cpu;

	for (i = 0; i < words; i++)
		value[i] = -READ_ONCE(base[i]);
	for_each_possible_cpu(cpu) {
		slot = per_cpu_ptr(c->slots, cpu);
		if (weir_counter_is_histogram(c))
			weir_histogram_add_slot(values, slot);
		else
			slot_add(values, slot, c->nfields);
	}
}

/*
 * Take the lock. Its holder may copy a histogram's slots of all CPUs, and others may wait for it,
 * too. So a caller that @may_sleep does not spin with preemption disabled. On PREEMPT_RT it sleeps.
 */
static void base_lock(struct weir_counter *c, bool may_sleep)
	__acquires(&c->lock)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT) || !may_sleep)
		spin_lock(&c->lock);
	else
		while (!spin_trylock(&c->lock)) {
			cpu_relax();
			cond_resched();
		}
}

/**
 * weir_counter_read - a snapshot of all fields
 * @c: the counter, of type sum or histogram
 * @values: room for all its fields, or a &struct weir_histogram
 * @may_sleep: the caller may sleep
 *
 * Each add or observation is in the snapshot as a whole or not at all.
 * Context: process. Cost: one cache line for each CPU and eight fields; of a histogram, 8 KiB for
 *	each CPU.
 */
void weir_counter_read(struct weir_counter *c, void *values, bool may_sleep)
{
	unsigned int seq, tries = 0;

	do {
		if (tries++ == READ_TRIES) {
			base_lock(c, may_sleep);
			values_read(c, values);
			spin_unlock(&c->lock);
			break;
		}
		/* an old base must not be combined with slots read after a take */
		seq = read_seqcount_begin(&c->base_seq);
		values_read(c, values);
	} while (read_seqcount_retry(&c->base_seq, seq));
	if (weir_counter_is_histogram(c))
		weir_histogram_finish(values);
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
	spin_lock(&c->lock);
	value = field_sum(c, field);
	spin_unlock(&c->lock);
	return value;
}

/* Add @values, multiplied by @sign, to the base. Must hold the lock. */
static void base_add(struct weir_counter *c, const void *values, s64 sign)
{
	unsigned int i, words = weir_counter_words(c);
	const u64 *value = values;

	/* readers on other CPUs spin meanwhile */
	local_bh_disable();
	write_seqcount_begin(&c->base_seq);
	for (i = 0; i < words; i++)
		WRITE_ONCE(c->base[i], c->base[i] + sign * value[i]);
	write_seqcount_end(&c->base_seq);
	local_bh_enable();
}

/**
 * weir_counter_take - a snapshot, and reset to zero
 * @c: the counter, of type sum or histogram
 * @values: room for all its fields, or a &struct weir_histogram
 * @may_sleep: the caller may sleep
 *
 * Each add or observation is in the result of exactly one take, or still in the counter.
 * Context: process.
 */
void weir_counter_take(struct weir_counter *c, void *values, bool may_sleep)
{
	base_lock(c, may_sleep);
	values_read(c, values);
	base_add(c, values, 1);
	spin_unlock(&c->lock);
	if (weir_counter_is_histogram(c))
		weir_histogram_finish(values);
}

/**
 * weir_counter_merge - add a snapshot, in one step
 * @c: the counter, of type sum or histogram
 * @values: as from weir_counter_read()
 *
 * Subtracts the snapshot from the base. Of a histogram's base, the words for count, minimum and
 * maximum mean nothing: a read computes these from the buckets.
 * Context: may sleep.
 */
void weir_counter_merge(struct weir_counter *c, const void *values)
{
	base_lock(c, true);
	base_add(c, values, -1);
	spin_unlock(&c->lock);
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
 * weir_counter_build - &weir_kind_ops.build: allocate the storage of a counter
 * @o: zeroed, except its type and nfields, 1..64 (histogram: 0)
 *
 * Context: may sleep.
 *
 * Return: 0 or -ENOMEM. Call weir_counter_release() in either case.
 */
int weir_counter_build(struct weir_object *o)
{
	static struct lock_class_key slot_class;
	struct weir_counter *c = weir_counter(o);
	unsigned int words = weir_counter_is_histogram(c) ? WEIR_HISTOGRAM_SLOT : c->nfields;
	int cpu;

	spin_lock_init(&c->lock);
	seqcount_spinlock_init(&c->base_seq, &c->lock);
	if (c->obj.type == WEIR_COUNTER_SEQUENCE)
		return 0;
	c->base = kcalloc(weir_counter_words(c), sizeof(*c->base), GFP_KERNEL_ACCOUNT);
	if (!c->base)
		return -ENOMEM;
	c->slots = __alloc_percpu_gfp(struct_size(c->slots, value, words),
				      __alignof__(struct weir_slot), GFP_KERNEL_ACCOUNT);
	if (!c->slots)
		return -ENOMEM;
	for_each_possible_cpu(cpu)
		__seqcount_init(&per_cpu_ptr(c->slots, cpu)->seq, "weir_slot",
				&slot_class);
	return 0;
}

/* &weir_kind_ops.release */
void weir_counter_release(struct weir_object *o)
{
	struct weir_counter *c = weir_counter(o);

	free_percpu(c->slots);
	kfree(c->base);
}
