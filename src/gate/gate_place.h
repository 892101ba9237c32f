/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The queues of a gate, one for each key: places of sleeping callers (gate.c) and of requests
 * (gate_async.c), and the grants to them (gate_grant.c).
 *
 * The first place of a queue never fits the free permits, unless it is in @unserved of the gate
 * or its entry is locked.
 */
#ifndef _WEIR_GATE_PLACE_H
#define _WEIR_GATE_PLACE_H

#include <linux/time64.h>

#include "core/grant.h"
#include "gate/gate.h"
#include "lib/gate_queue.h"

/* Used instead of the timer slack of the task, which would also delay the waiters behind it. */
#define WEIR_GATE_SLACK_NS (50 * NSEC_PER_USEC)

struct weir_async;

/* The result of an acquisition; or an errno. */
enum weir_gate_answer {
	WEIR_GATE_GRANTED,
	WEIR_GATE_REFUSED,	/* not now */
	WEIR_GATE_SLEEP,	/* in the queue */
	WEIR_GATE_QUEUED,	/* in the queue, without a sleeping task */
	WEIR_GATE_CANCELLED,
	WEIR_GATE_NO_ENTRY,	/* the key has no entry: make one */
	WEIR_GATE_AGAIN,	/* the entry was locked or changed: look it up again */
};

/**
 * struct weir_gate_place - a place in the queue of a key
 * @turn: in the queue of the key, or in none; entry's lock
 * @async: it is part of a &struct weir_async; no task sleeps for it
 * @e: the entry; constant, valid while @turn is in its queue
 * @all: in @waiters of the gate while @turn is in its queue; the gate's lock
 * @unserved: in @unserved of the gate if the place is the first of its queue, and a step of
 *	grants ended before it; the gate's lock
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
 * @until: its deadline, CLOCK_BOOTTIME
 * @c: the caller's client
 * @g: the gate
 * @key: hashed
 * @task: to be woken
 * @new: memory for a grant; while the caller is in the queue, the granting task uses it
 * @async: memory for a request; only if the caller does not sleep
 * @grant: the holder's, or NULL; only while the entry is locked
 * @place: in the queue
 * @granted: the holder has the permits, and @place is in no queue
 * @kicked: the caller must look again; written under @g->lock
 */
struct weir_gate_waiter {
	struct weir_op		*op;
	u64			until;
	struct weir_client	*c;
	struct weir_gate	*g;
	struct weir_key		key;
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
 * An asynchronous acquisition is a request (request.h) that waits in the queue of its key among
 * the places of sleeping callers. It leaves the queue
 *
 * - granted, when permits come back;
 * - when its deadline has passed (deadline.h);
 * - because the gate changed or died, by the task that changed or deleted it;
 * - cancelled, by its holder or with it.
 *
 * All of this happens under the entry's lock. As long as a request waits, a dying gate keeps its
 * storage (object.h): phase 1 is not over before all requests have ended.
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
