// SPDX-License-Identifier: GPL-2.0-only
/*
 * Acquisitions that wait in a gate's queue while their holder does not sleep. See gate_place.h.
 *
 * An entry must stay while a grant has an uncollected request, because the holder finds the
 * request through it. The entry's word, which gates do not use otherwise, counts these
 * requests: while it is not 0 the entry is not idle.
 *
 * Cost beside that of an acquisition: memory, and with a deadline a walk down the tree of the
 * gate's deadlines. A grant: one wake-up of each poller of the client's file.
 */

#include <linux/err.h>
#include <linux/hrtimer.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "gate/gate_place.h"
#include "core/grant.h"
#include "core/request.h"

#define ONE		2ULL	/* in the entry's word: bit 0 is its lock */
#define TIMER_STEP	64	/* requests that one run of the timer ends or grants, about */
#define PAUSE_NS	(20 * NSEC_PER_USEC)	/* until its next run */

/**
 * struct weir_async - a queued acquisition
 * @request: the first member, because kfree() of it frees the struct
 * @place: in the queue
 * @g: the gate; valid while the request exists
 * @grant: the holder's; valid while the request exists
 * @deadline: in the gate's tree, or empty; the gate's lock
 * @until: CLOCK_BOOTTIME, ns
 * @end: the result of a request that has ended: enum weir_gate_answer or an errno; entry's
 *	lock
 */
struct weir_async {
	struct weir_request	request;
	struct weir_gate_place	place;
	struct weir_gate	*g;
	struct weir_grant	*grant;
	struct rb_node		deadline;
	u64			until;
	int			end;
};

static struct weir_async *async_of(struct weir_request *r)
{
	return r ? container_of(r, struct weir_async, request) : NULL;
}

/* Memory for one, or NULL. May sleep. */
struct weir_async *weir_async_new(void)
{
	return kmalloc(sizeof(struct weir_async), GFP_KERNEL_ACCOUNT);
}

/* ------------------------------------------------------------ deadlines */

static struct weir_async *by_deadline(struct rb_node *node)
{
	return rb_entry_safe(node, struct weir_async, deadline);
}

static bool is_sooner(struct rb_node *node, const struct rb_node *other)
{
	return by_deadline(node)->until <
	       rb_entry(other, struct weir_async, deadline)->until;
}

/* Have the timer run for the first deadline, not before @earliest. */
static void timer_start(struct weir_gate *g, u64 earliest)
{
	struct weir_async *first = by_deadline(rb_first_cached(&g->deadlines));
	u64 at;

	lockdep_assert_held(&g->lock);
	if (!first)
		return;
	at = max(first->until, earliest);
	hrtimer_start_range_ns(&g->timer, ns_to_ktime(min_t(u64, at, KTIME_MAX)),
			       WEIR_GATE_SLACK_NS, HRTIMER_MODE_ABS_SOFT);
}

static void deadline_add(struct weir_gate *g, struct weir_async *a)
{
	if (a->until == WEIR_NEVER)
		return;
	spin_lock(&g->lock);
	if (rb_add_cached(&a->deadline, &g->deadlines, is_sooner))
		timer_start(g, 0);
	spin_unlock(&g->lock);
}

/* The request has left its queue. Gate's lock held. */
void weir_async_left(struct weir_gate *g, struct weir_gate_place *p)
{
	struct weir_async *a = container_of(p, struct weir_async, place);

	/* granted while it joined, or without one: it is not in the tree */
	if (!RB_EMPTY_NODE(&a->deadline))
		rb_erase_cached(&a->deadline, &g->deadlines);
	RB_CLEAR_NODE(&a->deadline);
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
	a->until = op->arg;
	RB_CLEAR_NODE(&a->deadline);
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
	deadline_add(g, a);
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
	return a->until > ktime_get_boottime_ns() ? WEIR_GATE_QUEUED : WEIR_GATE_TIMED_OUT;
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

/* The first request whose deadline has passed, or NULL. */
static struct weir_async *first_due(struct weir_gate *g)
{
	struct weir_async *a;

	spin_lock_bh(&g->lock);
	a = by_deadline(rb_first_cached(&g->deadlines));
	if (a && a->until > ktime_get_boottime_ns())
		a = NULL;
	spin_unlock_bh(&g->lock);
	return a;
}

/*
 * &weir_gate.timer: end the requests whose deadline has passed. Adding a request that is first
 * starts the timer under the gate's lock, even while this function runs, so no deadline is
 * missed. Context: softirq; freeing the gate waits for it.
 */
enum hrtimer_restart weir_async_timer(struct hrtimer *timer)
{
	struct weir_gate *g = container_of(timer, struct weir_gate, timer);
	struct weir_async *a;
	unsigned int n = 0;

	/* a request in the tree of deadlines keeps its gate */
	do {
		rcu_read_lock();
		a = first_due(g);
		if (a)
			n += weir_async_look(g, &a->place);
		rcu_read_unlock();
	} while (a && n < TIMER_STEP);
	/* started for a time that is over it would run again in the same softirq */
	spin_lock_bh(&g->lock);
	timer_start(g, a ? ktime_get_boottime_ns() + PAUSE_NS : 0);
	spin_unlock_bh(&g->lock);
	return HRTIMER_NORESTART;
}
