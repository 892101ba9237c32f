// SPDX-License-Identifier: GPL-2.0-only
/*
 * Acquisitions that wait in a gate's queue while their holder does not sleep. See gate_place.h.
 *
 * An entry must stay while a grant has an uncollected request, because the holder finds the
 * request through it. The entry's word, which gates do not use otherwise, counts these
 * requests: while it is not 0 the entry is not idle.
 *
 * Cost beside that of an acquisition: memory, and with a deadline a walk down the tree of the
 * owner's deadlines. A grant: one wake-up of each poller of the client's file.
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

#define ONE		2ULL	/* in the entry's word: bit 0 is its lock */

/**
 * struct weir_async - a queued acquisition
 * @request: the first member, because kfree() of it frees the struct
 * @place: in the queue
 * @g: the gate; valid while the request exists
 * @grant: the holder's; valid while the request exists
 * @deadline: among those of the client's owner
 * @end: the result of a request that has ended: enum weir_gate_answer or an errno; entry's
 *	lock
 */
struct weir_async {
	struct weir_request	request;
	struct weir_gate_place	place;
	struct weir_gate	*g;
	struct weir_grant	*grant;
	struct weir_deadline	deadline;
	int			end;
};

static unsigned int deadline_passed(struct weir_deadline *d);

static struct weir_async *async_of(struct weir_request *r)
{
	return r ? container_of(r, struct weir_async, request) : NULL;
}

/* Memory for one, or NULL. May sleep. */
struct weir_async *weir_async_new(void)
{
	return kmalloc(sizeof(struct weir_async), GFP_KERNEL_ACCOUNT);
}

/* The request has left its queue. Gate's lock held. */
void weir_async_left(struct weir_gate_place *p)
{
	struct weir_async *a = container_of(p, struct weir_async, place);

	if (a->deadline.of)
		weir_deadline_del(&a->deadline);
}

/* ------------------------------------------------------------ in the entry's lock */

/* The request has left the queue. */
static void async_end(struct weir_async *a, int end)
{
	a->end = end;
	weir_request_end(&a->request);
}

void weir_async_granted(struct weir_gate *g, struct weir_gate_place *p)
{
	struct weir_async *a = container_of(p, struct weir_async, place);

	weir_gate_take_out(g, a->grant, p->turn.n);
	async_end(a, WEIR_GATE_GRANTED);
}

/* The request is at the gate no longer: nothing keeps the entry. */
static void async_leave(struct weir_async *a, u64 *word)
{
	spin_lock(&a->g->lock);
	list_del_init(&a->place.all);
	spin_unlock(&a->g->lock);
	*word -= ONE;
}

static void async_drop(struct weir_async *a, u64 *word)
{
	async_leave(a, word);
	weir_request_drop(a->grant);
}

/**
 * weir_async_begin - enqueue a request, without sleeping
 * @g: the gate
 * @c: the caller's client
 * @grant: the holder's, without a request
 * @e: the entry, locked
 * @new: from weir_async_new(), for kfree(); set to NULL if it was used
 * @op: the number of permits, and the deadline
 * @word: the entry's
 *
 * Return: WEIR_GATE_QUEUED; WEIR_GATE_GRANTED after all; -ENODEV, -E2BIG, -EMFILE.
 */
int weir_async_begin(struct weir_gate *g, struct weir_client *c, struct weir_grant *grant,
		     struct weir_entry *e, struct weir_async **new,
		     const struct weir_op *op, u64 *word)
{
	struct weir_async *a = *new;
	int err;

	a->place = (struct weir_gate_place){ .async = true };
	INIT_LIST_HEAD(&a->place.all);
	a->g = g;
	a->grant = grant;
	a->deadline = (struct weir_deadline){
		.of = op->arg == WEIR_NEVER ? NULL : &c->ns->deadlines,
		.until = op->arg,
		.expire = deadline_passed,
	};
	RB_CLEAR_NODE(&a->deadline.node);
	err = weir_request_begin(c, op->handle, grant, &a->request);
	if (err)
		return err;
	*new = NULL;
	*word += ONE;
	err = weir_gate_enqueue(g, &a->place, e, op->n);
	if (err < 0) {
		async_drop(a, word);
		return err;
	}
	if (!weir_request_waits(&a->request)) {
		err = a->end;
		async_drop(a, word);
		return err;
	}
	if (a->deadline.of)
		weir_deadline_add(&a->deadline);
	return WEIR_GATE_QUEUED;
}

/**
 * weir_async_collect - get the state of a request
 * @g: the gate
 * @grant: the holder's
 * @n: number of permits that the caller expects it to be for
 * @word: the entry's
 *
 * Collects the request if it has ended. Context: entry locked, RCU read side.
 * Return: WEIR_GATE_QUEUED, WEIR_GATE_GRANTED, WEIR_GATE_TIMED_OUT; -ENOENT: there is none;
 *	-EINVAL: it is for another number; -E2BIG, -EDEADLK, -ENODEV.
 */
int weir_async_collect(struct weir_gate *g, struct weir_grant *grant, u32 n, u64 *word)
{
	struct weir_async *a = async_of(grant->request);
	int end;

	if (!a)
		return -ENOENT;
	if (a->place.turn.n != n)
		return -EINVAL;
	if (weir_request_waits(&a->request))
		return WEIR_GATE_QUEUED;
	end = a->end;
	async_drop(a, word);
	return end;
}

/**
 * weir_async_cancel - cancel a request
 * @g: the gate
 * @e: the entry, locked
 * @grant: the holder's
 * @word: the entry's
 *
 * Grants free permits to the waiters behind it. Context: RCU read side.
 * Return: WEIR_GATE_CANCELLED; or, if the request had ended and is now collected, as
 *	weir_async_collect(). -ENOENT: there is none.
 */
int weir_async_cancel(struct weir_gate *g, struct weir_entry *e, struct weir_grant *grant,
		      u64 *word)
{
	struct weir_async *a = async_of(grant->request);

	if (!a)
		return -ENOENT;
	if (!weir_request_waits(&a->request))
		return weir_async_collect(g, grant, a->place.turn.n, word);
	weir_gate_dequeue(g, &a->place);
	async_drop(a, word);
	weir_gate_grant_waiters(g, e);
	return WEIR_GATE_CANCELLED;
}

/* Permits that the holder will get before any caller that joins the queue now. */
u32 weir_async_wanted(const struct weir_grant *grant)
{
	struct weir_async *a = async_of(grant->request);

	return a && weir_request_waits(&a->request) ? a->place.turn.n : 0;
}

/* ------------------------------------------------------------ from outside */

/* Why it has to leave the queue, or WEIR_GATE_QUEUED. Entry locked. */
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
	return a->deadline.until > ktime_get_boottime_ns() ? WEIR_GATE_QUEUED : WEIR_GATE_TIMED_OUT;
}

/*
 * Dequeue the request if there is a reason to. Entry lock held; the request is queued. Return:
 * the number of places served after it.
 */
static unsigned int leave_if_due(struct weir_gate *g, struct weir_entry *e, struct weir_async *a)
{
	int ret = reason_to_leave(g, a);

	if (ret == WEIR_GATE_QUEUED)
		return 0;
	weir_gate_dequeue(g, &a->place);
	async_end(a, ret);
	if (ret == WEIR_GATE_TIMED_OUT) {
		this_cpu_inc(g->totals->refused);
		this_cpu_inc(g->totals->timeouts);
	}
	/* it stood before others that may fit */
	return weir_gate_grant_waiters(g, e);
}

/*
 * The gate has changed, or time has gone by. Under RCU; the place of a request was found in a
 * list just now, so it and its gate are there. It may be gone from the gate when the entry is
 * locked.
 *
 * Return: the number of places looked at.
 */
unsigned int weir_async_look(struct weir_gate *g, struct weir_gate_place *p)
{
	struct weir_async *a = container_of(p, struct weir_async, place);
	struct weir_entry *e = a->place.e;
	struct weir_grant *grant;
	unsigned int n = 1;
	u64 word;

	if (!weir_table_lock(&g->table, e, &word))
		return n;
	n += weir_gate_grant_waiters(g, e);
	if (weir_turn_waits(&a->place.turn))
		n += leave_if_due(g, e, a);
	/* the request outlives the gate until it is collected, without an entry or a grant */
	if (!weir_object_alive(&g->obj) && !list_empty(&a->place.all)) {
		grant = a->grant;
		async_leave(a, &word);
		weir_request_orphan(grant);
		weir_grant_put(grant);
	}
	weir_gate_unlock(g, e, weir_table_hash_of(&g->table, e), word);
	return n;
}

/* &weir_deadline.expire. A request with a deadline in the tree is in its queue. */
static unsigned int deadline_passed(struct weir_deadline *d)
{
	struct weir_async *a = container_of(d, struct weir_async, deadline);

	return weir_async_look(a->g, &a->place);
}
