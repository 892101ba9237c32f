// SPDX-License-Identifier: GPL-2.0-only
/* The tree of lower bounds of expiry.h. */

#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "table/expiry.h"

int weir_expiry_init(struct weir_expiry *x, unsigned int nbuckets)
{
	unsigned int n = DIV_ROUND_UP(nbuckets, WEIR_GROUP_SIZE);
	size_t total = 0;
	atomic64_t *all;
	unsigned int i;

	x->ngroups = n;
	for (x->nlevels = 0;; n = DIV_ROUND_UP(n, WEIR_GROUP_SIZE)) {
		if (WARN_ON_ONCE(x->nlevels == WEIR_EXPIRY_LEVELS))
			return -EINVAL;
		/* for now an offset into the array, see below */
		x->level[x->nlevels++] = (atomic64_t *)total;
		/* 64 below each inner bound; those without buckets stay at NEVER */
		total += n == 1 ? 1 : ALIGN(n, WEIR_GROUP_SIZE);
		if (n == 1)
			break;
	}
	all = kvmalloc_array(total, sizeof(*all), GFP_KERNEL_ACCOUNT);
	if (!all)
		return -ENOMEM;
	for (i = 0; i < x->nlevels; i++)
		x->level[i] = all + (size_t)x->level[i];
	while (total--) {
		atomic64_set(&all[total], WEIR_EXPIRY_NEVER);
		if (total % 1024 == 0)
			cond_resched();
	}
	spin_lock_init(&x->lock);
	seqcount_spinlock_init(&x->seq, &x->lock);
	return 0;
}

void weir_expiry_destroy(struct weir_expiry *x)
{
	kvfree(x->level[0]);
	x->level[0] = NULL;
}

/* Lower the bound to @t if it is higher. Return: true if it was changed. */
static bool bound_lower(atomic64_t *bound, u64 t)
{
	s64 old = atomic64_read(bound);

	while ((u64)old > t)
		if (atomic64_try_cmpxchg(bound, &old, t))
			return true;
	return false;
}

/**
 * weir_expiry_lower - record that an entry in @bucket may be idle from @idle_at on
 * @x: the bounds
 * @bucket: the hash bucket it is linked in
 * @idle_at: lower bound of the entry's idle time
 *
 * Call after the entry was linked, and when its idle time has become earlier.
 *
 * Context: any. Cost: a barrier, and one read per level if the bounds are low enough already.
 * Return: true if the root was lowered: the next sweep must be earlier.
 */
bool weir_expiry_lower(struct weir_expiry *x, unsigned int bucket, u64 idle_at)
{
	unsigned int i, at = bucket;
	bool sooner = false;

	/*
	 * Orders the linking of the entry before the reads of the bounds. Pairs with the
	 * atomic64_xchg() in bound_raise(), which raises a bound before the entries are read:
	 * either that scan sees the entry, or this CPU sees the raised bound and lowers it.
	 */
	smp_mb();
	for (i = 0; i < x->nlevels; i++) {
		at >>= WEIR_GROUP_BITS;
		/*
		 * continue to the root even if this bound is low: the CPU that lowered it may not
		 * have reached the root yet
		 */
		sooner = bound_lower(&x->level[i][at], idle_at);
		smp_mb();	/* orders this level and the next, as above entry and group */
	}
	return sooner;
}

/**
 * weir_expiry_reset - forget all bounds: any entry may be idle at any time
 * @x: the bounds
 *
 * For a change of configuration, after which the bounds may be too high.
 * Context: may sleep.
 */
void weir_expiry_reset(struct weir_expiry *x)
{
	unsigned int group;

	for (group = 0; group < x->ngroups; group++) {
		bound_lower(&x->level[0][group], 0);
		if (group % WEIR_GROUP_SIZE != WEIR_GROUP_SIZE - 1 && group + 1 < x->ngroups)
			continue;
		/* the bounds above this group and those before it */
		weir_expiry_lower(x, group << WEIR_GROUP_BITS, 0);
		cond_resched();
	}
}

/*
 * Begin to raise a bound: set it to NEVER. The caller then scans what is below it, and ends with
 * bound_lower() to the result. If another CPU lowers the bound between the two, it stays low.
 *
 * xchg is a full barrier, which orders this store before the scan. For a group it pairs with the
 * first smp_mb() in weir_expiry_lower(), for a higher level with the smp_mb() between levels there.
 */
static void bound_raise(atomic64_t *bound)
{
	atomic64_xchg(bound, WEIR_EXPIRY_NEVER);
}

/* Raise an inner bound to the minimum of the bounds below it. */
static void node_refresh(struct weir_expiry *x, unsigned int level,
			 unsigned int at)
{
	unsigned int first = at << WEIR_GROUP_BITS, i;
	u64 least = WEIR_EXPIRY_NEVER;

	lockdep_assert_held(&x->lock);
	bound_raise(&x->level[level][at]);
	for (i = first; i < first + WEIR_GROUP_SIZE; i++)
		least = min_t(u64, least, atomic64_read(&x->level[level - 1][i]));
	bound_lower(&x->level[level][at], least);
}

/* Index of a child bound that has passed, or -1. */
static int node_child_due(struct weir_expiry *x, unsigned int level,
			  unsigned int at, u64 now)
{
	unsigned int first = at << WEIR_GROUP_BITS, i;

	for (i = first; i < first + WEIR_GROUP_SIZE; i++)
		if ((u64)atomic64_read(&x->level[level - 1][i]) <= now)
			return i;
	return -1;
}

/*
 * Whether nothing can be idle at @now, without the lock. While another CPU is in the middle of a
 * step, the root may be too high; the sequence count detects this, and the answer is false then.
 * Context: any. Cost: three reads.
 */
static bool nothing_due(const struct weir_expiry *x, u64 now)
{
	unsigned int seq = raw_read_seqcount(&x->seq);
	bool due = weir_expiry_root(x) <= now;

	/* called in every case, because for KCSAN it ends the atomic section */
	if (read_seqcount_retry(&x->seq, seq) || seq & 1)
		return false;
	return !due;
}

/* The bound at the root, not read in the middle of a step. Context: as weir_expiry_step(). */
u64 weir_expiry_next(struct weir_expiry *x)
{
	u64 root;

	spin_lock_bh(&x->lock);
	root = weir_expiry_root(x);
	spin_unlock_bh(&x->lock);
	return root;
}

/**
 * weir_expiry_step - examine one group whose bound has passed
 * @x: the bounds
 * @now: the time
 * @scan: examines a group
 * @arg: argument of @scan
 *
 * Cost: at most 64 reads per level, and the entries of one group.
 * Context: any except hard interrupts; no stripe locked.
 * Return: false if nothing in the table can be idle at @now.
 */
bool weir_expiry_step(struct weir_expiry *x, u64 now, weir_expiry_scan *scan,
		      void *arg)
{
	unsigned int level = x->nlevels - 1, at = 0;
	u64 least;
	int child;

	if (nothing_due(x, now))
		return false;
	spin_lock_bh(&x->lock);
	if (weir_expiry_root(x) > now) {
		spin_unlock_bh(&x->lock);
		return false;
	}
	write_seqcount_begin(&x->seq);
	while (level) {
		child = node_child_due(x, level, at, now);
		if (child < 0)
			break;
		at = child;
		level--;
	}
	if (!level) {
		bound_raise(&x->level[0][at]);
		least = scan(arg, at, now);
		bound_lower(&x->level[0][at], least);
		at >>= WEIR_GROUP_BITS;
		level = 1;
	}
	for (; level < x->nlevels; level++, at >>= WEIR_GROUP_BITS)
		node_refresh(x, level, at);
	write_seqcount_end(&x->seq);
	spin_unlock_bh(&x->lock);
	return true;
}
