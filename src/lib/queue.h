/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A strict first-in, first-out queue of requests, each for an amount. Only the first request is
 * served, so no request overtakes another, however small it is.
 *
 * A pure algorithm (pure.h). The callers, gates (gate_queue.h) and RESERVE (reserve.c), protect the
 * queue, sleep and wake.
 */
#ifndef _WEIR_QUEUE_H
#define _WEIR_QUEUE_H

#include <linux/list.h>

#include "lib/pure.h"

/**
 * struct weir_turn - a request in a queue
 * @node: in the queue, or empty
 * @n: the amount, 1 or more
 */
struct weir_turn {
	struct list_head	node;
	u32			n;
};

static inline void weir_queue_init(struct list_head *queue)
{
	INIT_LIST_HEAD(queue);
}

static inline bool weir_queue_is_empty(const struct list_head *queue)
{
	return list_empty(queue);
}

/* The request to be served next, or NULL. */
static inline struct weir_turn *weir_queue_first(struct list_head *queue)
{
	return list_first_entry_or_null(queue, struct weir_turn, node);
}

/* Append a request to the queue. */
static inline void weir_queue_join(struct list_head *queue, struct weir_turn *turn, u32 n)
{
	turn->n = n;
	list_add_tail(&turn->node, queue);
}

/* Remove a request from any place in the queue. After that the first one may fit. */
static inline void weir_queue_leave(struct weir_turn *turn)
{
	list_del_init(&turn->node);
}

/* Whether a request that has joined the queue is still in it. */
static inline bool weir_turn_waits(const struct weir_turn *turn)
{
	return !list_empty(&turn->node);
}

#endif /* _WEIR_QUEUE_H */
