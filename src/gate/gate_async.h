/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A request is a queued acquisition: it belongs to a grant, as request.h says, and waits in the
 * queue among the others. It leaves the queue
 *
 * - granted, when permits come back;
 * - timed out, by the gate's timer;
 * - because the gate changed or died, by the task that changed or deleted it;
 * - cancelled, by its holder or with it.
 *
 * All of this happens under the entry's lock. As long as a request is at the gate, a dying gate
 * keeps its storage (object.h): phase 1 is not over before all requests have left.
 */
#ifndef _WEIR_GATE_ASYNC_H
#define _WEIR_GATE_ASYNC_H

#include "gate/gate_place.h"

struct weir_async;

struct weir_async *weir_async_new(void);
void weir_async_discard(struct weir_async *new);
int weir_async_begin(struct weir_gate *g, struct weir_client *c, struct weir_grant *grant,
		     struct weir_entry *e, struct weir_async **new,
		     const struct weir_op *op, u64 *word);
int weir_async_collect(struct weir_gate *g, struct weir_grant *grant, u32 n, u64 *word);
int weir_async_cancel(struct weir_gate *g, struct weir_entry *e, struct weir_grant *grant,
		      u64 *word);
void weir_async_granted(struct weir_gate *g, struct weir_gate_place *p);
void weir_async_left(struct weir_gate *g, struct weir_gate_place *p);
u32 weir_async_wanted(const struct weir_grant *grant);
unsigned int weir_async_look(struct weir_gate *g, struct weir_gate_place *p);
enum hrtimer_restart weir_async_timer(struct hrtimer *timer);

#endif /* _WEIR_GATE_ASYNC_H */
