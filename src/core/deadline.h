/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Deadlines of requests, and of the queues of RESERVE. Each owner has one timer for all its
 * deadlines. So many deadlines of one owner do not delay those of another owner, and one softirq
 * does a bounded amount of work for each owner, however many objects the requests wait for.
 */
#ifndef _WEIR_DEADLINE_H
#define _WEIR_DEADLINE_H

#include <linux/hrtimer.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/types.h>

/**
 * struct weir_deadlines - all deadlines of one owner
 *
 * @lock:	a leaf; taken with softirqs off
 * @tree:	@lock: the pending deadlines, in order of time
 * @timer:	@lock to start: for the first deadline
 */
struct weir_deadlines {
	spinlock_t		lock;	/* tree, timer */
	struct rb_root_cached	tree;
	struct hrtimer		timer;
};

/**
 * struct weir_deadline - one deadline, embedded in what waits
 *
 * W: written only while the deadline is in no tree.
 *
 * @node:	the lock of @of: in the tree of @of, or empty
 * @of:		W: the owner's deadlines; NULL: the deadline never was in a tree
 * @until:	W: CLOCK_BOOTTIME, ns
 * @expire:	W: called when the deadline has passed. It removes the deadline, or finds that
 *		another task has done so. Returns the number of things handled, at least 1.
 *		Context: softirq, RCU read side that began before the deadline was found in the
 *		tree.
 */
struct weir_deadline {
	struct rb_node		node;
	struct weir_deadlines	*of;
	u64			until;
	unsigned int		(*expire)(struct weir_deadline *d);
};

void weir_deadlines_init(struct weir_deadlines *all);
void weir_deadlines_exit(struct weir_deadlines *all);
void weir_deadline_del(struct weir_deadline *d);
void weir_deadline_move(struct weir_deadline *d, struct weir_deadlines *to, u64 until);

/* Prepare a deadline that is in no tree. */
static inline void weir_deadline_init(struct weir_deadline *d,
				      unsigned int (*expire)(struct weir_deadline *d))
{
	RB_CLEAR_NODE(&d->node);
	d->of = NULL;
	d->expire = expire;
}

#endif /* _WEIR_DEADLINE_H */
