/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The permits of a key that are out, and the queue of those who wait for them: strictly
 * first come first served.
 *
 * Who comes while others wait joins the queue, however little he wants. Who gives back,
 * leaves the queue, or finds that there are more permits, calls weir_gate_queue_next()
 * until it says NULL: the first is served as long as what is free suffices for him, and
 * nobody behind him before.
 *
 * A pure algorithm (pure.h): whose the permits are, who sleeps and who is woken is for
 * gate.c to know, which has the entry locked.
 */
#ifndef _WEIR_GATE_QUEUE_H
#define _WEIR_GATE_QUEUE_H

#include <linux/list.h>

#include "lib/pure.h"

/**
 * struct weir_gate_queue - of one key
 * @in_use: permits that are out; more than there are if there were more once
 * @nwaiters: entries of @waiters
 * @waiters: who waits for permits, in order of arrival
 */
struct weir_gate_queue {
	u32			in_use;
	u32			nwaiters;
	struct list_head	waiters;
};

/**
 * struct weir_gate_turn - one who waits
 * @node: in the queue, or empty
 * @n: permits that he wants, 1 or more
 */
struct weir_gate_turn {
	struct list_head	node;
	u32			n;
};

/* Of a new key; it is zeroed. */
static inline void weir_gate_queue_init(struct weir_gate_queue *q)
{
	INIT_LIST_HEAD(&q->waiters);
}

/* How many of @permits are free. */
static inline u32 weir_gate_queue_free(const struct weir_gate_queue *q, u32 permits)
{
	return permits - min(permits, q->in_use);
}

/* Whether so many are free. */
static inline bool weir_gate_queue_fits(const struct weir_gate_queue *q, u32 permits,
					u32 n)
{
	return n <= permits && q->in_use <= permits - n;
}

/* Take @n permits at once, if they are free and nobody waits. */
static inline bool weir_gate_queue_take(struct weir_gate_queue *q, u32 permits, u32 n)
{
	if (!list_empty(&q->waiters) || !weir_gate_queue_fits(q, permits, n))
		return false;
	q->in_use += n;
	return true;
}

/* Whether @most wait; 0: any number may. */
static inline bool weir_gate_queue_is_full(const struct weir_gate_queue *q, u32 most)
{
	return most && q->nwaiters >= most;
}

/* Whether one who has @held can get @n more, of @permits, only if he gives some back. */
static inline bool weir_gate_queue_holds_up(u32 permits, u32 held, u32 n)
{
	return held > permits - n;
}

/* To the end of the queue. */
static inline void weir_gate_queue_join(struct weir_gate_queue *q,
					struct weir_gate_turn *turn, u32 n)
{
	turn->n = n;
	list_add_tail(&turn->node, &q->waiters);
	q->nwaiters++;
}

/* He waits no more, wherever he stood: there may be others behind him who fit. */
static inline void weir_gate_queue_leave(struct weir_gate_queue *q,
					 struct weir_gate_turn *turn)
{
	list_del_init(&turn->node);
	q->nwaiters--;
}

/* Whether he who has joined once waits still. */
static inline bool weir_gate_turn_waits(const struct weir_gate_turn *turn)
{
	return !list_empty(&turn->node);
}

/* The first, if what he wants is free: it is his then, and he waits no more. Or NULL. */
static inline struct weir_gate_turn *
weir_gate_queue_next(struct weir_gate_queue *q, u32 permits)
{
	struct weir_gate_turn *turn;

	turn = list_first_entry_or_null(&q->waiters, struct weir_gate_turn, node);
	if (!turn || !weir_gate_queue_fits(q, permits, turn->n))
		return NULL;
	weir_gate_queue_leave(q, turn);
	q->in_use += turn->n;
	return turn;
}

/* @n permits come back: there may be some who fit now. */
static inline void weir_gate_queue_back(struct weir_gate_queue *q, u32 n)
{
	q->in_use -= n;
}

/* No permits are out, and nobody waits: as good as new. */
static inline bool weir_gate_queue_is_idle(const struct weir_gate_queue *q)
{
	return !q->in_use && list_empty(&q->waiters);
}

#endif /* _WEIR_GATE_QUEUE_H */
