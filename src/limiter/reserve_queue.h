/* SPDX-License-Identifier: GPL-2.0-only */
/* The queues of RESERVE, shared by the waiter (reserve.c) and the timer (reserve_queue.c). */
#ifndef _WEIR_RESERVE_QUEUE_H
#define _WEIR_RESERVE_QUEUE_H

#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/rhashtable-types.h>
#include <linux/sched.h>

#include "compat/hrtimer.h"
#include "limiter/limiter.h"

/**
 * struct weir_reserve_queue - the waiters of one key
 *
 * I: constant while the queue is in use. E: entry lock.
 *
 * @node: in queues
 * @e: I: the key's entry
 * @l: I: the limiter
 * @hash: I: of the key
 * @waiters: E: &weir_reserve_waiter.node in order of arrival; not empty while it is in use
 * @deadlines: E: &weir_reserve_waiter.by_deadline
 * @tokens: E: that they want
 * @over: E: it is not in use any more; READ_ONCE()
 * @timer: started with the entry locked, or by weir_reserve_kick_all() while a waiter
 *	of the queue is in &weir_limiter.waiting; not once it is over, but it may still be
 *	started then
 * @rcu: after it is over
 */
struct weir_reserve_queue {
	struct rhash_head	node;
	struct weir_entry	*e;
	struct weir_limiter	*l;
	u64			hash;
	struct list_head	waiters;
	struct rb_root_cached	deadlines;
	u64			tokens;
	bool			over;
	struct hrtimer		timer;
	struct rcu_head		rcu;
};

/**
 * struct weir_reserve_waiter - a caller, on its stack
 *
 * E: entry lock. O: its own task. W: &weir_limiter.wait_lock.
 *
 * @call: O; E while it is in the queue: the operation; the answer is written to its op
 * @deadline: O: CLOCK_BOOTTIME
 * @task: O: the task to be woken
 * @spare: O: a queue to be used if the key has none
 * @e: O: the entry, while it is in the queue
 * @queue: E: the queue that it is in, or joins; set while @all is in a list
 * @node: E: in its queue
 * @by_deadline: E: in its queue
 * @all: W: in &weir_limiter.waiting or .to_kick while it is in a queue
 * @kicked: W: the waiter must decide again; cleared by its own task
 * @done: the waiter has its verdict and is in no queue; written last, with the entry locked
 */
struct weir_reserve_waiter {
	struct weir_limiter_call call;
	u64			deadline;
	struct task_struct	*task;
	struct weir_reserve_queue	*spare;
	struct weir_entry	*e;
	struct weir_reserve_queue	*queue;
	struct list_head	node;
	struct rb_node		by_deadline;
	struct list_head	all;
	bool			kicked;
	bool			done;
};

/* The next action for a waiter. */
enum weir_reserve_outcome {
	WEIR_RESERVE_WAIT,
	WEIR_RESERVE_CHARGE,		/* the waiter's turn has come */
	WEIR_RESERVE_REFUSE,		/* the deadline has passed, or it is useless to wait */
	WEIR_RESERVE_RULED,		/* a rule decides */
};

struct weir_reserve_queue *weir_reserve_queue_new(void);
struct weir_reserve_queue *weir_reserve_queue_find(const struct weir_entry *e);
int weir_reserve_join(struct weir_reserve_waiter *w, struct weir_reserve_queue *q,
		      struct weir_entry *e, const struct weir_decision *d);
void weir_reserve_leave(struct weir_reserve_waiter *w, struct weir_entry *e);
enum weir_reserve_outcome weir_reserve_decide(const struct weir_reserve_waiter *w,
					      const struct weir_entry *e,
					      const struct weir_decision *d, bool first);
void weir_reserve_answer(struct weir_reserve_waiter *w, struct weir_entry *e, u64 *word,
			 enum weir_reserve_outcome outcome,
			 const struct weir_decision *d);

static inline struct weir_reserve_waiter *weir_reserve_first(struct weir_reserve_queue *q)
{
	return list_first_entry(&q->waiters, struct weir_reserve_waiter, node);
}

/* CLOCK_BOOTTIME */
static inline u64 weir_reserve_time(const struct weir_limiter_call *call)
{
	return call->now + call->l->table.epoch;
}

static inline void weir_reserve_peek(const struct weir_reserve_waiter *w, u64 word,
				     struct weir_decision *d)
{
	weir_rate_peek(&w->call.p->rate, word, w->call.now, w->call.op->n, d);
}

#endif /* _WEIR_RESERVE_QUEUE_H */
