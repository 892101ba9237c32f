/* SPDX-License-Identifier: GPL-2.0-only */
/* The queues of RESERVE, shared by reserve.c (the callers) and reserve_queue.c (the timer). */
#ifndef _WEIR_RESERVE_QUEUE_H
#define _WEIR_RESERVE_QUEUE_H

#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/rhashtable-types.h>

#include "core/deadline.h"
#include "core/request.h"
#include "limiter/limiter.h"

struct weir_grant;

/**
 * struct weir_reserve_queue - the waiters of one key
 *
 * I: constant while it is in use. E: entry lock.
 *
 * @node: in the hash table
 * @e: I: the key's entry
 * @l: I: the limiter
 * @hash: I: the hash of the key
 * @waiters: E: &weir_reserve_waiter.node in order of arrival; if empty, the queue is over
 * @deadlines: E: &weir_reserve_waiter.by_deadline, in order of time
 * @tokens: E: the number of tokens that the waiters want
 * @due: E: the time at which to serve the queue next; in the tree of the owner of the first waiter
 * @rcu: frees the queue when it is over
 */
struct weir_reserve_queue {
	struct rhash_head	node;
	struct weir_entry	*e;
	struct weir_limiter	*l;
	u64			hash;
	struct list_head	waiters;
	struct rb_root_cached	deadlines;
	u64			tokens;
	struct weir_deadline	due;
	struct rcu_head		rcu;
};

/**
 * struct weir_reserve_waiter - a RESERVE that may have to wait
 *
 * I: constant once the waiter is in a queue. E: entry lock.
 *
 * @request: the first member, because kfree() of it frees the struct; its op gets the answer. Once
 *	the waiter is in a queue, an asynchronous request belongs to the client.
 * @call: E: the check to be made, with the op of @request and @key
 * @key: I: the key
 * @address: I: the bytes of an address, not cut to a prefix
 * @deadline: I: CLOCK_BOOTTIME
 * @queue: E: the waiter's queue, or NULL
 * @node: E: in the waiters of @queue
 * @by_deadline: E: in the deadlines of @queue
 */
struct weir_reserve_waiter {
	struct weir_request	request;
	struct weir_limiter_call call;
	struct weir_key		key;
	u8			address[16];
	u64			deadline;
	struct weir_reserve_queue	*queue;
	struct list_head	node;
	struct rb_node		by_deadline;
};

/**
 * struct weir_reserve_memory - memory that a waiter may need to join a queue; the caller frees what
 *	is left
 * @queue: a queue; used if there is none
 * @grant: asynchronous: a grant for the holder
 */
struct weir_reserve_memory {
	struct weir_reserve_queue	*queue;
	struct weir_grant		*grant;
};

/* What to do with a waiter. */
enum weir_reserve_outcome {
	WEIR_RESERVE_WAIT,
	WEIR_RESERVE_CHARGE,		/* its turn has come */
	WEIR_RESERVE_REFUSE,		/* its deadline has passed, or it can never be served */
	WEIR_RESERVE_RULED,		/* a rule decides */
};

struct weir_reserve_queue *weir_reserve_queue_new(gfp_t gfp);
struct weir_reserve_queue *weir_reserve_queue_find(const struct weir_entry *e);
int weir_reserve_join(struct weir_reserve_waiter *w, struct weir_reserve_queue *q,
		      struct weir_entry *e, const struct weir_decision *d,
		      struct weir_reserve_memory *memory);
void weir_reserve_leave(struct weir_reserve_waiter *w, struct weir_entry *e);
void weir_reserve_withdraw(struct weir_grant *g, struct weir_entry *e, u64 word);
enum weir_reserve_outcome weir_reserve_decide(const struct weir_reserve_waiter *w,
					      const struct weir_entry *e,
					      const struct weir_decision *d, bool first);
void weir_reserve_answer(struct weir_reserve_waiter *w, struct weir_entry *e, u64 *word,
			 enum weir_reserve_outcome outcome,
			 const struct weir_decision *d);

/* CLOCK_BOOTTIME */
static inline u64 weir_reserve_time(const struct weir_limiter_call *call)
{
	return call->now + call->l->table.epoch;
}

static inline bool weir_reserve_sleeps(const struct weir_reserve_waiter *w)
{
	return w->request.task;
}

static inline struct weir_reserve_waiter *weir_reserve_of(struct weir_request *r)
{
	return container_of(r, struct weir_reserve_waiter, request);
}

static inline void weir_reserve_peek(const struct weir_reserve_waiter *w, u64 word,
				     struct weir_decision *d)
{
	weir_rate_peek(&w->call.p->rate, word, w->call.now, w->call.op->n, d);
}

#endif /* _WEIR_RESERVE_QUEUE_H */
