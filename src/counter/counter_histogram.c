// SPDX-License-Identifier: GPL-2.0-only
/*
 * Histograms: observe, snapshot, take. See counter.h; histogram.h defines the buckets.
 *
 * Memory: 60 groups of 16 buckets and a sum, 8168 bytes for each possible CPU, and 7688 for the
 * base.
 */

#include <linux/spinlock.h>
#include <linux/string.h>

#include "counter/counter.h"
#include "lib/histogram.h"

/* in a slot, each group has its buckets, and after them the sum of the values in them */
#define SUBS		WEIR_HISTOGRAM_SUBS
#define GROUP_WORDS	(SUBS + 1)
#define SLOT_WORDS	(WEIR_HISTOGRAM_GROUPS * GROUP_WORDS)

/* the base has all buckets, and after them the sum of all values */
#define BASE_SUM	WEIR_HISTOGRAM_BUCKETS
#define BASE_WORDS	(WEIR_HISTOGRAM_BUCKETS + 1)

/* a reader that this many takes in a row have disturbed takes the lock */
#define READ_TRIES	8

/* Number of u64 words in the slot of one CPU. */
unsigned int weir_counter_slot_words(const struct weir_counter *c)
{
	return c->obj.type == WEIR_COUNTER_HISTOGRAM ? SLOT_WORDS : c->nfields;
}

unsigned int weir_counter_base_words(const struct weir_counter *c)
{
	return c->obj.type == WEIR_COUNTER_HISTOGRAM ? BASE_WORDS : c->nfields;
}

/**
 * weir_counter_observe - count a value
 * @c: the counter, of type histogram
 * @value: 0..2^63-1
 * @times: number of observations
 *
 * Context: process or softirq; disables softirqs, see weir_counter_add_many(). Cost: three
 *	cache lines of this CPU, no division.
 */
void weir_counter_observe(struct weir_counter *c, u64 value, u64 times)
{
	unsigned int index = weir_histogram_index(value);
	unsigned int group = index / SUBS * GROUP_WORDS;
	struct weir_slot *slot;

	local_bh_disable();
	preempt_disable();	/* on PREEMPT_RT, local_bh_disable() does not disable preemption */
	slot = this_cpu_ptr(c->slots);
	/* pairs with read_seqcount_begin() in group_read() */
	raw_write_seqcount_begin(&slot->seq);
	this_cpu_add(c->slots->value[group + index % SUBS], times);
	this_cpu_add(c->slots->value[group + SUBS], value * times);
	raw_write_seqcount_end(&slot->seq);
	preempt_enable();
	local_bh_enable();
}

/* Read one CPU's group. All of it is from the same moment. */
static void group_read(const struct weir_slot *slot, unsigned int group, u64 *copy)
{
	const u64 *words = &slot->value[group * GROUP_WORDS];
	unsigned int seq, i;

	do {
		seq = read_seqcount_begin(&slot->seq);
		for (i = 0; i < GROUP_WORDS; i++)
			copy[i] = READ_ONCE(words[i]);
	} while (read_seqcount_retry(&slot->seq, seq));
}

static void slot_read(const struct weir_slot *slot, struct weir_histogram *h)
{
	u64 copy[GROUP_WORDS];
	unsigned int group, i;

	for (group = 0; group < WEIR_HISTOGRAM_GROUPS; group++) {
		group_read(slot, group, copy);
		for (i = 0; i < SUBS; i++)
			h->buckets[group * SUBS + i] += copy[i];
		h->sum += copy[SUBS];
	}
}

/*
 * The sum of all slots, each observation as a whole or not at all. It must not reschedule: a task
 * that waits for the end of a show function would then depend on a task that its cgroup may
 * throttle.
 */
static void slots_read(const struct weir_counter *c, struct weir_histogram *h)
{
	int cpu;

	memset(h, 0, sizeof(*h));
	for_each_possible_cpu(cpu)
		slot_read(per_cpu_ptr(c->slots, cpu), h);
}

static void base_subtract(const struct weir_counter *c, struct weir_histogram *h)
{
	unsigned int i;

	for (i = 0; i < WEIR_HISTOGRAM_BUCKETS; i++)
		h->buckets[i] -= READ_ONCE(c->base[i]);
	h->sum -= READ_ONCE(c->base[BASE_SUM]);
}

static bool snapshot_try(const struct weir_counter *c, struct weir_histogram *h)
{
	/* an old base must not be combined with slots read after a take */
	unsigned int seq = read_seqcount_begin(&c->base_seq);

	slots_read(c, h);
	base_subtract(c, h);
	return !read_seqcount_retry(&c->base_seq, seq);
}

/**
 * weir_counter_snapshot - read a histogram
 * @c: the counter, of type histogram
 * @h: filled in
 *
 * Context: process. Cost: reads 8 KiB for each possible CPU.
 */
void weir_counter_snapshot(struct weir_counter *c, struct weir_histogram *h)
{
	unsigned int tries;

	for (tries = 0; tries < READ_TRIES; tries++)
		if (snapshot_try(c, h))
			goto finish;
	spin_lock(&c->taking);
	slots_read(c, h);
	base_subtract(c, h);
	spin_unlock(&c->taking);
finish:
	weir_histogram_finish(h);
}

/**
 * weir_counter_snapshot_take - a snapshot, and reset to zero
 * @c: the counter, of type histogram
 * @h: filled in
 *
 * Each observation is in the result of exactly one take, or still in the histogram.
 * Context: process.
 */
void weir_counter_snapshot_take(struct weir_counter *c, struct weir_histogram *h)
{
	unsigned int i;
	u64 all;

	spin_lock(&c->taking);
	slots_read(c, h);
	/* lock as late as possible, because concurrent readers wait for it */
	spin_lock_bh(&c->lock);
	write_seqcount_begin(&c->base_seq);
	for (i = 0; i < WEIR_HISTOGRAM_BUCKETS; i++) {
		all = h->buckets[i];
		h->buckets[i] -= c->base[i];
		WRITE_ONCE(c->base[i], all);
	}
	all = h->sum;
	h->sum -= c->base[BASE_SUM];
	WRITE_ONCE(c->base[BASE_SUM], all);
	write_seqcount_end(&c->base_seq);
	spin_unlock_bh(&c->lock);
	spin_unlock(&c->taking);
	weir_histogram_finish(h);
}

/**
 * weir_counter_merge - add a snapshot, in one step
 * @c: the counter, of type histogram
 * @h: the snapshot
 *
 * Subtracts the snapshot from the base. Context: process.
 */
void weir_counter_merge(struct weir_counter *c, struct weir_histogram *h)
{
	unsigned int i;

	spin_lock(&c->taking);
	spin_lock_bh(&c->lock);
	write_seqcount_begin(&c->base_seq);
	for (i = 0; i < WEIR_HISTOGRAM_BUCKETS; i++)
		WRITE_ONCE(c->base[i], c->base[i] - h->buckets[i]);
	WRITE_ONCE(c->base[BASE_SUM], c->base[BASE_SUM] - h->sum);
	write_seqcount_end(&c->base_seq);
	spin_unlock_bh(&c->lock);
	spin_unlock(&c->taking);
}
