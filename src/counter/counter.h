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
 * buckets the sum of the values in them. An observation adds to a bucket and to the sum of its
 * group, in one step. A reader copies one group at a time while the count is even, not the whole
 * slot. Copying a group takes as long as reading a sum with 17 fields, so continuous observations
 * do not starve readers.
 */
#ifndef _WEIR_COUNTER_H
#define _WEIR_COUNTER_H

#include <linux/atomic.h>
#include <linux/percpu.h>
#include <linux/seqlock.h>
#include <linux/spinlock.h>

#include "core/object.h"
#include "table/op.h"

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
 * @lock:	serialises take(); for a histogram, changes of @base
 * @taking:	histogram: serialises take() and merge(), outside @lock, because they read
 *	too much to keep softirqs disabled. No mutex: a reader may hold it, and a cgroup can
 *	throttle that reader.
 * @base:	L: the amounts that earlier takes have returned
 * @last:	A: sequence: the last number handed out
 * @names: I: names of the fields; freed with the header, not with the storage
 */
struct weir_counter {
	struct weir_object	obj;
	unsigned int		nfields;
	struct weir_slot __percpu *slots;
	spinlock_t		lock;	/* serialises take() */
	spinlock_t		taking;	/* histogram: serialises take() and merge() */
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
void weir_counter_merge(struct weir_counter *c, struct weir_histogram *h);
unsigned int weir_counter_slot_words(const struct weir_counter *c);
unsigned int weir_counter_base_words(const struct weir_counter *c);

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

#endif /* _WEIR_COUNTER_H */
