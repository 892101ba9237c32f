/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters: sums of up to 64 fields, sequences, and histograms.
 *
 * A sum has one slot per possible CPU; only additions on that CPU change it. Slots are never
 * reset, so a concurrent reset loses no add: take() moves the base instead, and a value is the
 * sum of all slots minus the base. For the same reason offline CPUs need no handling, and other
 * slots (mapped into a process, for example) could join the sum later.
 *
 * An add to several fields is one step: the slot's sequence count is odd meanwhile, and readers
 * copy a slot only while it is even. An add to one field is one instruction and needs no
 * sequence count.
 *
 * A histogram (counter_histogram.c) is a sum of many fields: its buckets, and for each group of 16
 * buckets the sum of the values in them. It is read and taken as a sum is. An observation adds to a
 * bucket and to the sum of its group, in one step. A reader copies one group at a time while the
 * count is even, not the whole slot. Copying a group takes as long as reading a sum with 17 fields,
 * so continuous observations do not starve readers.
 */
#ifndef _WEIR_COUNTER_H
#define _WEIR_COUNTER_H

#include <linux/atomic.h>
#include <linux/percpu.h>
#include <linux/seqlock.h>
#include <linux/spinlock.h>

#include "core/object.h"
#include "lib/histogram.h"
#include "table/op.h"

/* in a slot of a histogram, each group has its buckets, and after them the sum of their values */
#define WEIR_HISTOGRAM_GROUP	(WEIR_HISTOGRAM_SUBS + 1)
#define WEIR_HISTOGRAM_SLOT	(WEIR_HISTOGRAM_GROUPS * WEIR_HISTOGRAM_GROUP)

/**
 * struct weir_slot - amounts added on one CPU
 * @seq: odd while several fields are being added to; written by that CPU only
 * @value: the sums; written by that CPU only, with this_cpu_add()
 */
struct weir_slot {
	seqcount_t seq;
	u64 value[];
};

/**
 * struct weir_counter - a counter
 *
 * I: set at creation, then constant. A: atomic. L: written under @lock, read under @base_seq.
 *
 * @obj:	the header
 * @nfields:	I: 0 for a histogram
 * @slots: I: one per possible CPU; NULL for a sequence
 * @base_seq:	odd while @base changes
 * @lock:	serialises changes of @base. No mutex: a reader may hold it, and a cgroup can
 *	throttle that reader.
 * @base:	L: the amounts that earlier takes have returned, laid out as a read returns them
 * @last:	A: sequence: the last number handed out
 * @names: I: names of the fields; freed with the header, not with the storage
 */
struct weir_counter {
	struct weir_object	obj;
	unsigned int		nfields;
	struct weir_slot __percpu *slots;
	spinlock_t		lock;	/* changes of base */
	seqcount_spinlock_t	base_seq;
	u64			*base;
	atomic64_t		last ____cacheline_aligned_in_smp;
	char			names[][WEIR_NAME_SIZE];
};

int weir_counter_build(struct weir_object *o);
void weir_counter_release(struct weir_object *o);
void weir_counter_add_one(struct weir_counter *c, unsigned int field, u64 n);
void weir_counter_add_many(struct weir_counter *c, u64 mask, const s64 *amounts);
void weir_counter_read(struct weir_counter *c, void *values, bool may_sleep);
u64 weir_counter_read_one(struct weir_counter *c, unsigned int field);
void weir_counter_take(struct weir_counter *c, void *values, bool may_sleep);
void weir_counter_merge(struct weir_counter *c, const void *values);
int weir_counter_next(struct weir_counter *c, u64 n, u64 *first);

void weir_counter_observe(struct weir_counter *c, u64 value, u64 times);
void weir_histogram_add_slot(struct weir_histogram *h, const struct weir_slot *slot);

int weir_counter_op_check(struct weir_op_run *r);
int weir_counter_op_try(struct weir_client *client, struct weir_object *o,
			struct weir_op_run *r);
int weir_counter_op_run(struct weir_client *client, struct weir_object *o,
			struct weir_op_run *r);
int weir_counter_op_add_check(const struct weir_op_run *r, struct weir_object *o);
void weir_counter_op_add(const struct weir_op_run *r, struct weir_object *o);

extern const struct weir_op_desc weir_counter_opcodes[];
extern const struct weir_kind_ops weir_counter_ops;

static inline struct weir_counter *weir_counter(struct weir_object *o)
{
	return container_of(o, struct weir_counter, obj);
}

static inline bool weir_counter_is_histogram(const struct weir_counter *c)
{
	return c->obj.type == WEIR_COUNTER_HISTOGRAM;
}

/* Number of u64 words that a read returns: all fields, or a &struct weir_histogram. */
static inline unsigned int weir_counter_words(const struct weir_counter *c)
{
	return weir_counter_is_histogram(c) ? WEIR_HISTOGRAM_WORDS : c->nfields;
}

/*
 * Begin to add to several words of this CPU's slot in one step. Softirqs are disabled meanwhile,
 * because an add to the same slot in softirq context would make its sequence count even before this
 * step is complete.
 */
static inline struct weir_slot *weir_slot_begin(struct weir_counter *c)
{
	struct weir_slot *slot;

	local_bh_disable();
	preempt_disable();	/* on PREEMPT_RT, local_bh_disable() does not disable preemption */
	slot = this_cpu_ptr(c->slots);
	/* pairs with read_seqcount_begin() in weir_slot_copy() */
	raw_write_seqcount_begin(&slot->seq);
	return slot;
}

static inline void weir_slot_end(struct weir_slot *slot)
{
	raw_write_seqcount_end(&slot->seq);
	preempt_enable();
	local_bh_enable();
}

/* Copy @n words of a slot, from @first on. All are from the same moment. */
static inline void weir_slot_copy(const struct weir_slot *slot, unsigned int first,
				  unsigned int n, u64 *copy)
{
	const u64 *words = &slot->value[first];
	unsigned int seq, i;

	do {
		seq = read_seqcount_begin(&slot->seq);
		for (i = 0; i < n; i++)
			copy[i] = READ_ONCE(words[i]);
	} while (read_seqcount_retry(&slot->seq, seq));
}

#endif /* _WEIR_COUNTER_H */
