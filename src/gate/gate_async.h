/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Queues of a gate: who stands in one, asleep (gate.c) or not (gate_async.c).
 *
 * Not asleep is a queued acquisition: it belongs to a hold, as pending.h says, and
 * stands in the queue among the others. It leaves it
 *  - granted: by who gives permits back;
 *  - late: by the watcher, a thread that knows the deadlines of all gates;
 *  - because the gate changed or died: by who changed or deleted it;
 *  - taken back: by its holder, or because he is gone.
 * All do so under the entry's lock. As long as it is in the queue a dying gate keeps its
 * storage (object.h): phase 1 is not over before all are out.
 */
#ifndef _WEIR_GATE_ASYNC_H
#define _WEIR_GATE_ASYNC_H

#include <linux/time64.h>

#include "gate/gate.h"
#include "lib/gate_queue.h"

#define WEIR_GATE_SLACK_NS (50 * NSEC_PER_USEC)	/* others wait behind: not ours to choose */

/* What became of an acquisition; or an errno. */
enum weir_gate_answer {
	WEIR_GATE_GRANTED,
	WEIR_GATE_REFUSED,	/* not now */
	WEIR_GATE_SLEEP,	/* in the queue */
	WEIR_GATE_QUEUED,	/* in the queue, and nobody sleeps */
	WEIR_GATE_LATE,		/* refused, and counted when it was */
	WEIR_GATE_TAKEN_BACK,
	WEIR_GATE_NO_ENTRY,	/* one must be made */
	WEIR_GATE_AGAIN,	/* something came between */
};

/**
 * struct weir_gate_place - a place in the queue of a key
 *
 * @turn: in the queue of the key, or in none; entry's lock
 * @async: nobody sleeps: it is in a &struct weir_async
 * @hold: of who wants them; has a user, or this is pending
 * @e: the entry; constant, there while @turn is in its queue
 * @all: in @async or @waiters of the gate; its lock
 */
struct weir_gate_place {
	struct weir_gate_turn	turn;
	bool			async;
	struct weir_hold	*hold;
	struct weir_entry	*e;
	struct list_head	all;
};

/* gate.c */
int weir_gate_join(struct weir_gate *g, struct weir_gate_place *p, struct weir_entry *e,
		   u32 n);
void weir_gate_leave(struct weir_gate *g, struct weir_gate_place *p);
void weir_gate_hand_on(struct weir_gate *g, struct weir_entry *e);

struct weir_async;

struct weir_async *weir_async_new(void);
void weir_async_discard(struct weir_async *new);
int weir_async_begin(struct weir_gate *g, struct weir_entry *e, struct weir_hold *h,
		     struct weir_async **new, const struct weir_op *op, u64 *word);
int weir_async_collect(struct weir_hold *h, u32 n, u64 *word);
int weir_async_cancel(struct weir_gate *g, struct weir_entry *e, struct weir_hold *h,
		      u64 *word);
void weir_async_granted(struct weir_gate_place *p);
void weir_async_left(struct weir_gate_place *p);
u32 weir_async_wanted(const struct weir_hold *h);
void weir_async_kick(struct weir_gate *g);

int weir_async_mod_init(void);
void weir_async_mod_exit(void);

#endif /* _WEIR_GATE_ASYNC_H */
