/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Deadlines of what waits without a task, by one timer for each owner. So a flood of one
 * owner's deadlines delays no other's, and one softirq has a fixed amount of work for each
 * owner, however many objects the deadlines are spread over.
 */
#ifndef _WEIR_DEADLINE_H
#define _WEIR_DEADLINE_H

#include <linux/hrtimer.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/types.h>

/**
 * struct weir_deadlines - all of one owner
 *
 * @lock:	a leaf; softirqs off
 * @tree:	@lock: those that are waited for, by their time
 * @timer:	@lock to start: for the first of them
 */
struct weir_deadlines {
	spinlock_t		lock;	/* tree, timer */
	struct rb_root_cached	tree;
	struct hrtimer		timer;
};

/**
 * struct weir_deadline - one deadline, in the memory of what waits
 *
 * I: set before it is added, then constant.
 *
 * @node:	the lock of @of: in its tree, or empty
 * @of:		I: NULL: there is no deadline
 * @until:	I: CLOCK_BOOTTIME, ns
 * @expire:	I: called when the time has come; takes it out, or finds that it is out already.
 *		Returns the number of things looked at, at least 1. Context: softirq, RCU read
 *		side that began before the deadline was found in the tree.
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
