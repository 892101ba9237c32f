/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The queues of a gate, one for each key, with the acquisitions that wait. gate.c lets acquisitions
 * wait; gate_grant.c grants permits to them.
 *
 * An acquisition leaves the queue when:
 *
 * - its permits are granted;
 * - its deadline has passed (deadline.h);
 * - the gate changed or died: the task that changed or deleted the gate removes it;
 * - its caller gets a signal, or its client is shut down; or, if it is asynchronous, its holder
 *	cancels it or is dropped.
 *
 * All of this happens under the entry's lock. The free permits never suffice for the first waiter
 * of a queue, unless the waiter is due, its entry is locked, or a change of the gate has not come
 * to it yet.
 */
#ifndef _WEIR_GATE_WAITER_H
#define _WEIR_GATE_WAITER_H

#include "core/deadline.h"
#include "core/grant.h"
#include "core/request.h"
#include "gate/gate.h"
#include "lib/gate_queue.h"

/**
 * struct weir_gate_waiter - an acquisition that waits or has ended
 *
 * I: constant once the request waits. E: the entry's lock.
 *
 * @request: the first member, because kfree() of the request must free the whole struct
 * @turn: E: in the queue of the key, or in none
 * @until: I: the deadline, CLOCK_BOOTTIME
 * @due: E: the time at which to check the waiter: @until, or earlier if its permits are free
 */
struct weir_gate_waiter {
	struct weir_request	request;
	struct weir_turn	turn;
	u64			until;
	struct weir_deadline	due;
};

struct weir_gate_waiter *weir_gate_waiter_new(struct weir_client *c, const struct weir_op *op,
					      u64 until);
int weir_gate_enqueue(struct weir_gate *g, struct weir_gate_waiter *w, struct weir_entry *e,
		      struct weir_grant *grant);
void weir_gate_withdraw(struct weir_gate *g, struct weir_gate_waiter *w);
void weir_gate_grant_to(struct weir_gate *g, struct weir_grant *to, u32 n);
bool weir_gate_is_deadlock(const struct weir_gate *g, const struct weir_grant *grant, u32 n,
			   const struct weir_request *own);
void weir_gate_answer(const struct weir_gate *g, const struct weir_entry *e,
		      const struct weir_grant *grant, struct weir_op *op, u32 verdict);
void weir_gate_wake_unlock(struct weir_gate *g, struct weir_entry *e, u64 word);

static inline struct weir_gate_waiter *weir_gate_waiter_of(struct weir_request *r)
{
	return container_of(r, struct weir_gate_waiter, request);
}

#endif /* _WEIR_GATE_WAITER_H */
