/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The held permits of a key, and its queue of waiters: strictly first come, first served.
 *
 * A caller that finds waiters joins the queue, however few permits it wants. After a release, after
 * a waiter has left, and after a change of the number of permits, call weir_gate_queue_next() until
 * it returns NULL. It grants to the first waiter while its permits are free, and never to a later
 * waiter before it.
 *
 * A pure algorithm (pure.h). gate.c, which holds the entry's lock, records the holders of
 * the permits and the tasks that sleep.
 */
#ifndef _WEIR_GATE_QUEUE_H
#define _WEIR_GATE_QUEUE_H

#include <linux/list.h>

#include "lib/pure.h"

/**
 * struct weir_turn - a waiter
 * @node: link in the queue; empty while the waiter is not queued
 * @n: permits that it wants, 1 or more
 */
struct weir_turn {
	struct list_head	node;
	u32			n;
};

/**
 * struct weir_gate_queue - the queue of one key
 * @in_use: permits that are held; may exceed the total after it was lowered
 * @nwaiters: entries of @waiters
 * @waiters: the waiters, in order of arrival
 */
struct weir_gate_queue {
	u32			in_use;
	u32			nwaiters;
	struct list_head	waiters;
};

/* Initialise the queue of a new key; it is zeroed. */
static inline void weir_gate_queue_init(struct weir_gate_queue *q)
{
	INIT_LIST_HEAD(&q->waiters);
}

/* The number of free permits, of @permits in all. */
static inline u32 weir_gate_queue_free(const struct weir_gate_queue *q, u32 permits)
{
	return permits - min(permits, q->in_use);
}

/* Whether @n permits are free. */
static inline bool weir_gate_queue_fits(const struct weir_gate_queue *q, u32 permits,
					u32 n)
{
	return n <= permits && q->in_use <= permits - n;
}

/* Take @n permits at once, if they are free and there are no waiters. */
static inline bool weir_gate_queue_take(struct weir_gate_queue *q, u32 permits, u32 n)
{
	if (!list_empty(&q->waiters) || !weir_gate_queue_fits(q, permits, n))
		return false;
	q->in_use += n;
	return true;
}

/* Whether there are @most waiters; 0: no limit. */
static inline bool weir_gate_queue_is_full(const struct weir_gate_queue *q, u32 most)
{
	return most && q->nwaiters >= most;
}

/* Whether a holder of @held permits can get @n more, of @permits, only by releasing some first. */
static inline bool weir_gate_queue_holds_up(u32 permits, u32 held, u32 n)
{
	return held > permits - n;
}

/* Append a waiter to the queue. */
static inline void weir_gate_queue_join(struct weir_gate_queue *q,
					struct weir_turn *turn, u32 n)
{
	turn->n = n;
	list_add_tail(&turn->node, &q->waiters);
	q->nwaiters++;
}

/* Remove a waiter from any position. Waiters behind it may now fit: call weir_gate_queue_next(). */
static inline void weir_gate_queue_leave(struct weir_gate_queue *q,
					 struct weir_turn *turn)
{
	list_del_init(&turn->node);
	q->nwaiters--;
}

/* Whether a waiter that has joined once is still in the queue. */
static inline bool weir_turn_waits(const struct weir_turn *turn)
{
	return !list_empty(&turn->node);
}

/* The first waiter if its permits are free, or NULL. */
static inline struct weir_turn *weir_gate_queue_ready(struct weir_gate_queue *q, u32 permits)
{
	struct weir_turn *turn = list_first_entry_or_null(&q->waiters, struct weir_turn, node);

	return turn && weir_gate_queue_fits(q, permits, turn->n) ? turn : NULL;
}

/*
 * Grant to the first waiter if its permits are free, and dequeue it. Return: the waiter, or
 * NULL.
 */
static inline struct weir_turn *weir_gate_queue_next(struct weir_gate_queue *q, u32 permits)
{
	struct weir_turn *turn = weir_gate_queue_ready(q, permits);

	if (turn) {
		weir_gate_queue_leave(q, turn);
		q->in_use += turn->n;
	}
	return turn;
}

/* @n permits are released. The first waiters may now fit: call weir_gate_queue_next(). */
static inline void weir_gate_queue_back(struct weir_gate_queue *q, u32 n)
{
	q->in_use -= n;
}

/* Whether no permit is held and there are no waiters: equal to a fresh key. */
static inline bool weir_gate_queue_is_idle(const struct weir_gate_queue *q)
{
	return !q->in_use && list_empty(&q->waiters);
}

#endif /* _WEIR_GATE_QUEUE_H */
