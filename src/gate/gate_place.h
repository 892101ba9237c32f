/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The queues of a gate, one for each key. They contain the places of sleeping callers (gate.c) and
 * of requests (gate_async.c), to which gate_grant.c grants permits.
 *
 * The free permits never suffice for the first place of a queue, unless the place is in @unserved
 * of the gate or its entry is locked.
 */
#ifndef _WEIR_GATE_PLACE_H
#define _WEIR_GATE_PLACE_H

#include <linux/time64.h>

#include "core/grant.h"
#include "gate/gate.h"
#include "lib/gate_queue.h"

/* The timer slack of a sleep. The slack of the task would also delay the waiters behind it. */
#define WEIR_GATE_SLACK_NS (50 * NSEC_PER_USEC)

struct weir_async;

/* The result of an acquisition. Functions that return it may return an errno instead. */
enum weir_gate_answer {
	WEIR_GATE_GRANTED,
	WEIR_GATE_REFUSED,	/* no permits, and the caller does not wait */
	WEIR_GATE_SLEEP,	/* the caller is in the queue, and must sleep */
	WEIR_GATE_QUEUED,	/* in the queue, without a task that sleeps */
	WEIR_GATE_CANCELLED,
	WEIR_GATE_NO_ENTRY,	/* the key has no entry: create it */
	WEIR_GATE_AGAIN,	/* another key took the slot: look the key up again */
};

/**
 * struct weir_gate_place - a place in the queue of a key
 * @turn: in the queue of the key, or in none; protected by the entry's lock
 * @async: the place is part of a &struct weir_async; no task sleeps for it
 * @e: the entry; constant, valid while @turn is in its queue
 * @all: in @waiters of the gate while @turn is in its queue; protected by the gate's lock
 * @unserved: in @unserved of the gate if the place was the first of its queue when a step of grants
 *	ended before it; protected by the gate's lock
 */
struct weir_gate_place {
	struct weir_turn	turn;
	bool			async;
	struct weir_entry	*e;
	struct list_head	all;
	struct list_head	unserved;
};

/**
 * struct weir_gate_waiter - one acquisition, on the caller's stack
 * @op: the operation
 * @until: the deadline, CLOCK_BOOTTIME
 * @c: the caller's client
 * @g: the gate
 * @key: the key, hashed
 * @task: the task to be woken
 * @new: memory for a grant; while the caller is in the queue, the granting task uses it
 * @async: memory for a request; NULL if the caller sleeps
 * @grant: the holder's grant, or NULL; valid only while the entry is locked
 * @place: the caller's place in the queue
 * @granted: the holder has the permits, and @place is in no queue
 * @kicked: the caller must check the gate again; written under @g->lock
 */
struct weir_gate_waiter {
	struct weir_op		*op;
	u64			until;
	struct weir_client	*c;
	struct weir_gate	*g;
	const struct weir_key	*key;
	struct task_struct	*task;
	struct weir_grant	*new;
	struct weir_async	*async;
	struct weir_grant	*grant;
	struct weir_gate_place	place;
	bool			granted;
	bool			kicked;
};

int weir_gate_enqueue(struct weir_gate *g, struct weir_gate_place *p, struct weir_entry *e,
		      u32 n);
void weir_gate_dequeue(struct weir_gate *g, struct weir_gate_place *p);
unsigned int weir_gate_grant_waiters(struct weir_gate *g, struct weir_entry *e);
void weir_gate_take_out(struct weir_gate *g, struct weir_grant *to, u32 n);
void weir_gate_grant_find(struct weir_gate_waiter *w, const struct weir_entry *e);
void weir_gate_granted(struct weir_gate_waiter *w, struct weir_entry *e);
void weir_gate_answer(const struct weir_gate *g, const struct weir_entry *e,
		      const struct weir_grant *grant, struct weir_op *op, u32 verdict);
void weir_gate_wake_unlock(struct weir_gate *g, struct weir_entry *e, u64 word);

/*
 * An asynchronous acquisition is a request (request.h) that waits in the queue of its key among the
 * places of sleeping callers. It leaves the queue when:
 *
 * - its permits are granted;
 * - its deadline has passed (deadline.h);
 * - the gate changed or died: the task that changed or deleted the gate removes it;
 * - its holder cancels it, or is dropped.
 *
 * All of this happens under the entry's lock. As long as a request waits, a dying gate keeps its
 * storage (object.h): phase 1 does not end before all requests have ended.
 */
struct weir_async *weir_async_new(void);
int weir_async_begin(struct weir_gate_waiter *w, struct weir_entry *e);
int weir_async_cancel(struct weir_gate *g, struct weir_entry *e, struct weir_grant *grant);
void weir_async_granted(struct weir_gate *g, struct weir_gate_place *p);
void weir_async_joined(struct weir_gate_place *p);
void weir_async_left(struct weir_gate_place *p);
u32 weir_async_wanted(const struct weir_grant *grant);
unsigned int weir_async_look(struct weir_gate *g, struct weir_gate_place *p);

#endif /* _WEIR_GATE_PLACE_H */
