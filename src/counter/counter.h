/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters: sums of up to 64 fields, sequences, and histograms.
 *
 * A sum has one slot per possible CPU, which only grows by what is added on that
 * CPU. Slots are never reset, so an add is never lost to a reset that races with
 * it: take() moves the base instead, and a value is the sum of all slots less
 * the base. For the same reason offline CPUs need no care, and slots of other
 * kinds (mapped into a process, say) can join the sum later.
 *
 * An add to several fields is one step: the slot's sequence count is odd while
 * it is under way, and readers copy a slot only when it is even. An add to one
 * field is one instruction and needs no more than that.
 *
 * A histogram (counter_histogram.c) is a sum of many fields: its buckets, and for each
 * group of 16 of them the sum of the values. An observation adds to a bucket and the
 * sum of its group, in one step. So readers copy a group when the count is even, not the
 * slot: that is as long as a sum of 17 fields, and nobody who observes without pause
 * keeps them from it.
 */
#ifndef _WEIR_COUNTER_H
#define _WEIR_COUNTER_H

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/seqlock.h>
#include <linux/spinlock.h>

#include "core/object.h"

/**
 * struct weir_slot - what was added on one CPU
 * @seq: odd while several fields are being added to; that CPU only
 * @value: the sums; that CPU only, by this_cpu_add()
 */
struct weir_slot {
	seqcount_t seq;
	u64 value[];
};

/**
 * struct weir_counter - a counter
 *
 * I: set at creation, then constant. A: atomic. L: written under @lock, read
 * under @base_seq.
 *
 * @nfields:	I: 0 for a histogram
 * @slots:	I: one per possible CPU; NULL for a sequence
 * @base_seq:	odd while @base changes
 * @lock:	one take() at a time; of a histogram: one change of @base
 * @taking:	histogram: one take() or merge() at a time, outside @lock: there is more
 *		to read than softirqs should be off for
 * @base:	L: what earlier takes have taken
 * @last:	A: a sequence's number last handed out
 * @names:	I: the fields'; with the header, not with the storage
 */
struct weir_counter {
	struct weir_object	obj;
	unsigned int		nfields;
	struct weir_slot __percpu *slots;
	spinlock_t		lock;	/* one take at a time */
	struct mutex		taking;	/* of a histogram */
	seqcount_spinlock_t	base_seq;
	u64			*base;
	atomic64_t		last ____cacheline_aligned_in_smp;
	char			names[][WEIR_NAME_SIZE];
};

int weir_counter_init(struct weir_counter *c);
void weir_counter_free(struct weir_counter *c);
void weir_counter_add_one(struct weir_counter *c, unsigned int field, u64 n);
void weir_counter_add_many(struct weir_counter *c, u64 mask, const s64 *amounts);
void weir_counter_read(struct weir_counter *c, u64 *values);
u64 weir_counter_read_one(struct weir_counter *c, unsigned int field);
void weir_counter_take(struct weir_counter *c, u64 *values);
int weir_counter_next(struct weir_counter *c, u64 n, u64 *first);

void weir_counter_observe(struct weir_counter *c, u64 value, u64 times);
void weir_counter_snapshot(struct weir_counter *c, struct weir_histogram *h);
void weir_counter_snapshot_take(struct weir_counter *c, struct weir_histogram *h);
void weir_counter_merge(struct weir_counter *c, const struct weir_histogram *h);
unsigned int weir_counter_slot_words(const struct weir_counter *c);
unsigned int weir_counter_base_words(const struct weir_counter *c);

extern const struct weir_kind_ops weir_counter_ops;

static inline struct weir_counter *weir_counter(struct weir_object *o)
{
	return container_of(o, struct weir_counter, obj);
}

#endif /* _WEIR_COUNTER_H */
