// SPDX-License-Identifier: GPL-2.0-only
/*
 * The queues of a gate, and how permits are granted to them. See gate_waiter.h.
 *
 * A task that releases permits, or leaves a queue, grants the free permits to the first waiters,
 * and wakes each of these when it has its permits. The task serves at most GRANT_STEP waiters. Then
 * it makes the next waiter due at once, and the timer of that waiter's owner (deadline.h) serves
 * the next GRANT_STEP. A caller that comes meanwhile finds a queue, and joins its end.
 */

#include <linux/sched.h>
#include <linux/slab.h>

#include "core/client.h"
#include "core/namespace.h"
#include "gate/gate_waiter.h"

#define GRANT_STEP	64	/* waiters served while an entry's lock is held once */

static struct weir_gate_waiter *waiter_of(struct weir_turn *turn)
{
	return container_of(turn, struct weir_gate_waiter, turn);
}

/*
 * Write the answer into @op. @e is NULL for a key without an entry, @grant for a holder without a
 * grant.
 */
void weir_gate_answer(const struct weir_gate *g, const struct weir_entry *e,
		      const struct weir_grant *grant, struct weir_op *op, u32 verdict)
{
	u32 permits = READ_ONCE(g->permits);

	op->verdict = verdict;
	op->limit = permits;
	op->remaining = e ? weir_gate_queue_free(&e->queue, permits) : permits;
	op->held = grant ? grant->n : 0;
}

/* ------------------------------------------------------------ granting; entry locked */

/* Count @n granted permits. The caller records the holder. */
void weir_gate_account_grant(struct weir_gate *g, u32 n)
{
	this_cpu_add(g->totals->in_use, n);
	this_cpu_inc(g->totals->acquired);
}

/* Give @n permits to a holder. */
void weir_gate_grant_to(struct weir_gate *g, struct weir_grant *to, u32 n)
{
	weir_gate_account_grant(g, n);
	WRITE_ONCE(to->n, to->n + n);
}

/* Make a waiter due. @at: CLOCK_BOOTTIME; 0: now */
static void due_at(struct weir_gate_waiter *w, u64 at)
{
	if (w->due.until != at)
		weir_deadline_move(&w->due, &w->request.client->ns->deadlines, at);
}

/* Note that a waiter has left its queue. */
static void left(struct weir_gate *g, struct weir_gate_waiter *w)
{
	weir_deadline_del(&w->due);
	this_cpu_dec(g->totals->waiting);
}

static void dequeue(struct weir_gate *g, struct weir_gate_waiter *w)
{
	weir_gate_queue_leave(&w->request.entry->queue, &w->turn);
	left(g, w);
}

/* End the request of a waiter that has left its queue. After this it may be freed, by RCU. */
static void waiter_end(struct weir_gate *g, struct weir_gate_waiter *w, int err, u32 verdict)
{
	struct weir_request *r = &w->request;

	if (!err)
		weir_gate_answer(g, r->entry, r->grant, &r->op, verdict);
	weir_request_end(r, err);
}

/*
 * Grant the free permits to at most @most waiters; then the next one is due at once. Nothing is
 * granted if the gate is dead. Return: the number of waiters served.
 */
static unsigned int serve(struct weir_gate *g, struct weir_entry *e, unsigned int most)
{
	u32 permits = READ_ONCE(g->permits);
	struct weir_gate_waiter *w;
	struct weir_turn *turn;
	unsigned int n;

	if (!weir_object_alive(&g->obj))
		return 0;
	for (n = 0; n < most; n++) {
		turn = weir_gate_queue_next(&e->queue, permits);
		if (!turn)
			return n;
		w = waiter_of(turn);
		left(g, w);
		weir_gate_grant_to(g, w->request.grant, turn->n);
		waiter_end(g, w, 0, WEIR_ALLOWED);
	}
	turn = weir_gate_queue_ready(&e->queue, permits);
	if (turn)
		due_at(waiter_of(turn), 0);
	return n;
}

/* Serve the queue of an entry, which must be locked, after permits have become free. */
static void serve_queue(struct weir_gate *g, struct weir_entry *e)
{
	serve(g, e, GRANT_STEP);
}

/* Take back @n permits, which the caller has removed from the holder. */
void weir_gate_release_locked(struct weir_gate *g, struct weir_entry *e, u32 n)
{
	weir_gate_queue_back(&e->queue, n);
	this_cpu_sub(g->totals->in_use, n);
	serve_queue(g, e);
}

/* ------------------------------------------------------------ unlocking */

/* Unlock the entry, and wake the pollers of requests that have ended. */
void weir_gate_wake_unlock(struct weir_gate *g, struct weir_entry *e, u64 word)
{
	struct llist_node *ended = weir_request_wake_list();

	if (!ended) {
		weir_table_unlock(&g->table, e, word);
		return;
	}
	/* other tasks rely on this one to wake the clients in the list: no preemption until then */
	local_bh_disable();
	weir_table_unlock(&g->table, e, word);
	weir_request_wake(ended);
	local_bh_enable();
}

/*
 * Unlock the entry. If it may be idle now, kick the sweep, unless the sweep is due earlier anyway.
 * The caller must hold rcu_read_lock().
 */
void weir_gate_unlock(struct weir_gate *g, struct weir_entry *e, u64 hash, u64 word)
{
	u64 now = weir_table_now(&g->table);

	if (weir_gate_idle_at(&g->table, e, word, now) == now)
		weir_table_update_expiry(&g->table, hash, now);
	weir_gate_wake_unlock(g, e, word);
}

/* ------------------------------------------------------------ waiting; entry locked */

/**
 * weir_gate_is_deadlock - whether only the holder itself could end its wait
 * @g: the gate
 * @grant: the holder's grant
 * @n: the permits that the holder wants
 * @own: the request that wants them; NULL: none yet
 *
 * Return: true if what the holder has, or is queued for, leaves too few permits. Never for tag 0,
 * which several activities may share.
 */
bool weir_gate_is_deadlock(const struct weir_gate *g, const struct weir_grant *grant, u32 n,
			   const struct weir_request *own)
{
	u32 held = grant->n;

	if (!grant->tag)
		return false;
	if (grant->request && grant->request != own)
		held += grant->request->op.n;
	return weir_gate_queue_holds_up(READ_ONCE(g->permits), held, n);
}

static void drop(struct weir_gate *g, struct weir_gate_waiter *w)
{
	dequeue(g, w);
	weir_request_drop(&w->request);
}

/*
 * End a request that waits, without an answer. The caller ends the grant with weir_grant_put().
 * Context: RCU read side.
 */
void weir_gate_withdraw(struct weir_gate *g, struct weir_gate_waiter *w)
{
	drop(g, w);
	/* the permits may now suffice for the waiters behind it */
	serve_queue(g, w->request.entry);
}

/* Return: 0; or an errno, the reason for which the request must leave the queue. */
static int reason_to_leave(const struct weir_gate *g, const struct weir_gate_waiter *w)
{
	u32 n = w->turn.n;

	if (!weir_object_alive(&g->obj))
		return -ENODEV;
	if (n > READ_ONCE(g->permits))
		return -E2BIG;
	return weir_gate_is_deadlock(g, w->request.grant, n, &w->request) ? -EDEADLK : 0;
}

/*
 * End a request that is in its queue if its deadline has passed or the gate requires it. Return:
 * whether it has ended.
 */
static bool leave_if_due(struct weir_gate *g, struct weir_gate_waiter *w)
{
	int err = reason_to_leave(g, w);

	if (!err && w->until > ktime_get_boottime_ns())
		return false;
	dequeue(g, w);
	if (!err) {
		this_cpu_inc(g->totals->refused);
		this_cpu_inc(g->totals->timeouts);
	}
	waiter_end(g, w, err, WEIR_LIMITED);
	return true;
}

/*
 * Serve the queue of a waiter that is in it, then check the waiter. Return: the number of waiters
 * handled.
 */
static unsigned int serve_and_check(struct weir_gate *g, struct weir_gate_waiter *w)
{
	struct weir_entry *e = w->request.entry;
	unsigned int n;

	/* first, because the grants may make it due at once */
	due_at(w, w->until);
	n = serve(g, e, GRANT_STEP);
	/* if it leaves, the permits may suffice for the waiters behind it */
	if (weir_turn_waits(&w->turn) && leave_if_due(g, w))
		n += serve(g, e, GRANT_STEP - n);
	return n;
}

/**
 * weir_gate_enqueue - let an acquisition wait
 * @g: the gate
 * @w: the waiter, from weir_gate_waiter_new()
 * @e: the entry
 * @grant: the holder's grant; see weir_request_begin()
 *
 * Return: 0, and the request may already have ended; -ENODEV, -EBADF, -EMFILE.
 */
int weir_gate_enqueue(struct weir_gate *g, struct weir_gate_waiter *w, struct weir_entry *e,
		      struct weir_grant *grant)
{
	int err = weir_request_begin(&w->request, &g->obj, e, grant);

	if (err)
		return err;
	weir_gate_queue_join(&e->queue, &w->turn, w->request.op.n);
	this_cpu_inc(g->totals->waiting);
	/* weir_gate_kick() finds it from now on; what changed before is found here */
	serve_and_check(g, w);
	return 0;
}

/* ------------------------------------------------------------ from outside */

/*
 * Check a waiter after a change of the gate, or because it is due. It was found during this RCU
 * read side, so it and its entry exist. But its request may end before this function has locked the
 * entry.
 *
 * Return: the number of waiters handled.
 */
static unsigned int waiter_check(struct weir_gate_waiter *w)
{
	struct weir_gate *g = weir_gate(w->request.object);
	struct weir_entry *e = w->request.entry;
	unsigned int n = 1;
	u64 word;

	if (!weir_table_lock(&g->table, e, &word))
		return n;
	if (weir_turn_waits(&w->turn))
		n += serve_and_check(g, w);
	weir_gate_unlock(g, e, weir_table_hash_of(&g->table, e), word);
	return n;
}

/* &weir_deadline.expire. The deadline is in the tree, so the waiter is in its queue. */
static unsigned int waiter_due(struct weir_deadline *due)
{
	return waiter_check(container_of(due, struct weir_gate_waiter, due));
}

static void request_check(struct weir_request *r)
{
	waiter_check(weir_gate_waiter_of(r));
}

/* Check all requests of a gate that has changed or is dead. The caller keeps it. May sleep. */
void weir_gate_kick(struct weir_gate *g)
{
	weir_request_kick_all(&g->obj, request_check);
}

/* Allocate a waiter. May sleep, unless the op says otherwise. Return: the waiter; or NULL. */
struct weir_gate_waiter *weir_gate_waiter_new(struct weir_client *c, const struct weir_op *op,
					      u64 until)
{
	struct weir_gate_waiter *w = kzalloc(sizeof(*w), weir_op_gfp(op) | __GFP_ACCOUNT);

	if (!w)
		return NULL;
	w->request.op = *op;
	w->request.client = c;
	w->request.task = op->flags & WEIR_OP_ASYNC ? NULL : current;
	w->until = until;
	INIT_LIST_HEAD(&w->turn.node);
	weir_deadline_init(&w->due, waiter_due);
	w->due.until = WEIR_NEVER;
	return w;
}

/* &weir_kind_ops.give_back */
void weir_gate_give_back(struct weir_object *o, struct weir_grant *grant)
{
	struct weir_gate *g = weir_gate(o);
	struct weir_entry *e = grant->entry;
	u64 word;
	u32 n;

	/* if the grant has ended meanwhile, the entry may have been dropped */
	if (!weir_table_lock(&g->table, e, &word))
		return;
	if (grant->n || grant->request) {
		if (grant->request)
			drop(g, weir_gate_waiter_of(grant->request));
		n = grant->n;
		this_cpu_add(g->totals->reclaimed, n);
		WRITE_ONCE(grant->n, 0);
		weir_gate_release_locked(g, e, n);
		weir_grant_put(grant);
	}
	weir_gate_unlock(g, e, weir_table_hash_of(&g->table, e), word);
}
