/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A tree of lower bounds on the time at which any entry of a table becomes idle. An idle entry
 * equals a fresh one, so dropping it changes no answer.
 *
 * The hash buckets form groups of 64. Each group has a bound: no entry in it is idle before that
 * time. 64 groups share a bound one level up, and so on to one bound at the root. A new entry, or
 * an entry whose debt was reduced, lowers the bounds above it; if they are low already, this is one
 * read each. A charge makes the idle time of an entry later and writes no bound. Bounds may be too
 * low, never too high. A search for idle entries follows bounds that have passed down to a group,
 * examines the group, and raises the bounds to the result.
 *
 * So one read of the root shows that nothing can be idle, in a table of any size, and a search
 * examines only groups in which an entry may be idle. The bounds take 1/8 byte for each hash
 * bucket.
 */
#ifndef _WEIR_EXPIRY_H
#define _WEIR_EXPIRY_H

#include <linux/atomic.h>
#include <linux/seqlock.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#define WEIR_GROUP_BITS		6
#define WEIR_GROUP_SIZE		BIT(WEIR_GROUP_BITS)
#define WEIR_EXPIRY_LEVELS	4	/* 2^24 buckets: 2^18, 2^12, 2^6, 1 */
#define WEIR_EXPIRY_NEVER	U64_MAX

/**
 * struct weir_expiry - the bounds of a table
 * @level:	I: the bounds, level[0] one per group, then some that stay at NEVER
 * @nlevels:	I: levels in use; the last has one bound, the root
 * @ngroups:	I: number of groups
 * @lock:	held to raise bounds; lowering takes no lock
 * @seq:	odd while bounds are being raised
 */
struct weir_expiry {
	atomic64_t	*level[WEIR_EXPIRY_LEVELS];
	unsigned int	nlevels;
	unsigned int	ngroups;
	spinlock_t	lock;	/* held to raise bounds */
	seqcount_spinlock_t seq;
};

/**
 * typedef weir_expiry_scan - examine one group
 * @arg: argument given to weir_expiry_step()
 * @group: index of the group
 * @now: entries that are idle at this time must be dropped
 *
 * Return: a lower bound of the idle times of the entries that stay.
 */
typedef u64 weir_expiry_scan(void *arg, unsigned int group, u64 now);

int weir_expiry_init(struct weir_expiry *x, unsigned int nbuckets);
void weir_expiry_destroy(struct weir_expiry *x);
bool weir_expiry_lower(struct weir_expiry *x, unsigned int bucket, u64 idle_at);
void weir_expiry_reset(struct weir_expiry *x);
u64 weir_expiry_next(struct weir_expiry *x);
bool weir_expiry_step(struct weir_expiry *x, u64 now, weir_expiry_scan *scan,
		      void *arg);

static inline u64 weir_expiry_root(const struct weir_expiry *x)
{
	return atomic64_read(&x->level[x->nlevels - 1][0]);
}

/*
 * A number that changes at the beginning and at the end of each step. The barriers here and in
 * weir_expiry_stepped() pair with those of write_seqcount_begin() and write_seqcount_end().
 */
static inline unsigned int weir_expiry_seq(const struct weir_expiry *x)
{
	unsigned int seq = READ_ONCE(x->seq.seqcount.sequence);

	smp_rmb();	/* see above */
	return seq;
}

/* Whether any CPU has begun or ended a step since @seq was read. */
static inline bool weir_expiry_stepped(const struct weir_expiry *x, unsigned int seq)
{
	smp_rmb();	/* pairs as in weir_expiry_seq() */
	return READ_ONCE(x->seq.seqcount.sequence) != seq;
}

#endif /* _WEIR_EXPIRY_H */
