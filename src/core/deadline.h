/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Deadlines of requests, for which no task sleeps. Each owner has one timer for all its deadlines.
 * So many deadlines of one owner do not delay those of another owner, and one softirq does a
 * bounded amount of work for each owner, however many objects the requests wait for.
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
 * struct weir_deadline - one deadline, embedded in the request that waits
 *
 * I: set before the deadline is added, then constant.
 *
 * @node:	the lock of @of: in the tree of @of, or empty
 * @of:	I: the owner's deadlines; NULL: there is no deadline
 * @until:	I: CLOCK_BOOTTIME, ns
 * @expire:	I: called when the deadline has passed. It removes the deadline, or finds that another
 *		task has done so. Returns the number of things handled, at least 1. Context:
 *		softirq, RCU read side that began before the deadline was found in the tree.
 */
struct weir_deadline {
	struct rb_node		node;
	struct weir_deadlines	*of;
	u64			until;
	unsigned int		(*expire)(struct weir_deadline *d);
};

void weir_deadlines_init(struct weir_deadlines *all);
void weir_deadlines_exit(struct weir_deadlines *all);
void weir_deadline_add(struct weir_deadline *d);
void weir_deadline_del(struct weir_deadline *d);

#endif /* _WEIR_DEADLINE_H */
