/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pending: what a holder has asked for and nobody sleeps for.
 *
 * It belongs to a hold (hold.h), at most one to each, so it goes where the hold goes: with
 * the last descriptor. Its life:
 *  1. it waits, in a queue of the object, whose locks say when that is over. It may be
 *     taken back: then it is gone, without a word.
 *  2. it has ended, well or not: poll() on the client's file tells its holder.
 *  3. it is collected, or dropped with the hold; freed after a grace period, for who ended
 *     it still wakes those who poll.
 */
#ifndef _WEIR_PENDING_H
#define _WEIR_PENDING_H

#include <linux/poll.h>
#include <linux/rbtree.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

struct files_struct;
struct weir_client;
struct weir_hold;
struct weir_object;

/**
 * struct weir_pending - one of them; first in a larger one, which is freed by it
 *
 * C: the client's hold_lock. I: constant.
 *
 * @node:	C: in the client's tree, when it has ended
 * @client:	I
 * @files:	I: the holder's table of descriptors; compared, never followed
 * @object:	I: its hold has a reference
 * @ended:	C to write, once; READ_ONCE()
 * @rcu:	the last phase
 */
struct weir_pending {
	struct rb_node		node;
	struct weir_client	*client;
	const struct files_struct *files;
	struct weir_object	*object;
	bool			ended;
	struct rcu_head		rcu;
};

void weir_pending_begin(struct weir_hold *h, struct weir_pending *p);
void weir_pending_end(struct weir_pending *p);
void weir_pending_drop(struct weir_hold *h);
void weir_pending_forget(struct weir_hold *h);
struct weir_client *weir_pending_told(void);
void weir_pending_wake(struct weir_client *first);
__poll_t weir_pending_poll(struct weir_client *c);

/* Of one that was just found under RCU. */
static inline bool weir_pending_waits(const struct weir_pending *p)
{
	return p && !READ_ONCE(p->ended);
}

#endif /* _WEIR_PENDING_H */
