// SPDX-License-Identifier: GPL-2.0-only
/*
 * Acquisitions that wait in a gate's queue while their holder does not sleep. See gate_place.h.
 *
 * Cost in addition to that of an acquisition: memory, and for a deadline a walk down the tree of
 * the owner's deadlines. For a grant: one wake-up of each poller of the client's file.
 */

#include <linux/err.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "core/client.h"
#include "core/deadline.h"
#include "core/grant.h"
#include "core/namespace.h"
#include "core/request.h"
#include "gate/gate_place.h"

/**
 * struct weir_async - an asynchronous acquisition, which waits or has ended
 * @request: the first member, because kfree() of the request must free the whole struct
 * @place: its place in the queue
 * @g: the gate; valid while the request waits
 * @grant: the holder's grant; valid while the request waits
 * @deadline: in the tree of the client's owner while the request waits
 */
struct weir_async {
	struct weir_request	request;
	struct weir_gate_place	place;
	struct weir_gate	*g;
	struct weir_grant	*grant;
	struct weir_deadline	deadline;
};

static unsigned int deadline_passed(struct weir_deadline *d);

static struct weir_async *async_of(struct weir_gate_place *p)
{
	return container_of(p, struct weir_async, place);
}

/* Allocate memory for a request. May sleep. Return: the memory; or NULL. */
struct weir_async *weir_async_new(void)
{
	return kmalloc(sizeof(struct weir_async), GFP_KERNEL_ACCOUNT);
}

/* ------------------------------------------------------------ in the entry's lock */

/* Note that the place has joined its queue. */
void weir_async_joined(struct weir_gate_place *p)
{
	struct weir_deadline *d = &async_of(p)->deadline;

	if (d->of)
		weir_deadline_add(d);
}

/* Note that the place has left its queue. */
void weir_async_left(struct weir_gate_place *p)
{
	weir_deadline_del(&async_of(p)->deadline);
}

/* End a request that has left the queue. After this it may be freed, by RCU. */
static void async_end(struct weir_async *a, int err, u32 verdict)
{
	struct weir_grant *grant = a->grant;
	struct weir_op *op = &a->request.op;

	op->result = err;
	if (!err)
		weir_gate_answer(a->g, a->place.e, grant, op, verdict);
	weir_request_end(grant);
	weir_grant_put(grant);
}

void weir_async_granted(struct weir_gate *g, struct weir_gate_place *p)
{
	struct weir_async *a = async_of(p);

	weir_gate_take_out(g, a->grant, p->turn.n);
	async_end(a, 0, WEIR_ALLOWED);
}

/**
 * weir_async_begin - enqueue an asynchronous request
 * @w: the acquisition, with a grant that has no request, and with memory for the request
 * @e: the entry, which must be locked
 *
 * Return: WEIR_GATE_QUEUED (the request may already have ended); -ENODEV, -E2BIG, -EMFILE.
 */
int weir_async_begin(struct weir_gate_waiter *w, struct weir_entry *e)
{
	struct weir_async *a = w->async;
	int err;

	a->place.async = true;
	a->g = w->g;
	a->grant = w->grant;
	a->deadline = (struct weir_deadline){
		.of = w->until == WEIR_NEVER ? NULL : &w->c->ns->deadlines,
		.until = w->until,
		.expire = deadline_passed,
	};
	a->request.op = *w->op;
	a->request.client = w->c;
	err = weir_request_begin(w->grant, &a->request);
	if (err)
		return err;
	w->async = NULL;
	err = weir_gate_enqueue(w->g, &a->place, e, w->op->n);
	if (err)
		weir_request_drop(w->grant);
	return err ?: WEIR_GATE_QUEUED;
}

/**
 * weir_async_cancel - cancel a request
 * @g: the gate
 * @e: the entry, which must be locked
 * @grant: the holder's grant
 *
 * Grants the free permits to the waiters behind the request. Context: RCU read side.
 * Return: WEIR_GATE_CANCELLED; -ENOENT: the holder has no request.
 */
int weir_async_cancel(struct weir_gate *g, struct weir_entry *e, struct weir_grant *grant)
{
	struct weir_request *r = grant->request;

	if (!r)
		return -ENOENT;
	weir_gate_dequeue(g, &container_of(r, struct weir_async, request)->place);
	weir_request_drop(grant);
	weir_gate_grant_waiters(g, e);
	return WEIR_GATE_CANCELLED;
}

/*
 * Return: the number of permits that the holder will get before any caller that joins the queue
 * now.
 */
u32 weir_async_wanted(const struct weir_grant *grant)
{
	return grant->request ? grant->request->op.n : 0;
}

/* ------------------------------------------------------------ from outside */

/*
 * Return: 0; or an errno, the reason for which the request must leave the queue. The entry must be
 * locked.
 */
static int reason_to_leave(const struct weir_gate *g, const struct weir_async *a)
{
	u32 n = a->place.turn.n;

	if (!weir_object_alive(&g->obj))
		return -ENODEV;
	if (n > READ_ONCE(g->permits))
		return -E2BIG;
	if (a->grant->tag &&
	    weir_gate_queue_holds_up(READ_ONCE(g->permits), a->grant->n, n))
		return -EDEADLK;
	return 0;
}

/*
 * End the request if its deadline has passed or a change of the gate requires it. The entry must be
 * locked, and the request in the queue. Return: the number of places served afterwards.
 */
static unsigned int leave_if_due(struct weir_gate *g, struct weir_entry *e, struct weir_async *a)
{
	int err = reason_to_leave(g, a);

	if (!err && a->deadline.until > ktime_get_boottime_ns())
		return 0;
	weir_gate_dequeue(g, &a->place);
	if (!err) {
		this_cpu_inc(g->totals->refused);
		this_cpu_inc(g->totals->timeouts);
	}
	async_end(a, err, WEIR_LIMITED);
	/* the permits may now suffice for the places behind the request */
	return weir_gate_grant_waiters(g, e);
}

/*
 * Check a request after a change of the gate or the end of its deadline. To be called under RCU.
 * The caller has found the place of the request in a list during this read side, so the request and
 * its gate exist. But the request may end before this function has locked the entry.
 *
 * Return: the number of places handled.
 */
unsigned int weir_async_look(struct weir_gate *g, struct weir_gate_place *p)
{
	struct weir_entry *e = p->e;
	unsigned int n = 1;
	u64 word;

	if (!weir_table_lock(&g->table, e, &word))
		return n;
	n += weir_gate_grant_waiters(g, e);
	if (weir_turn_waits(&p->turn))
		n += leave_if_due(g, e, async_of(p));
	weir_gate_unlock(g, e, weir_table_hash_of(&g->table, e), word);
	return n;
}

/* &weir_deadline.expire. A request whose deadline is in the tree is in its queue. */
static unsigned int deadline_passed(struct weir_deadline *d)
{
	struct weir_async *a = container_of(d, struct weir_async, deadline);

	return weir_async_look(a->g, &a->place);
}
