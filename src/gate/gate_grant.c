// SPDX-License-Identifier: GPL-2.0-only
/*
 * Grants to the queues of a gate.
 *
 * A task that releases permits, or leaves a queue, grants the free permits to the first waiters,
 * and wakes each of these when it has its permits. The task serves at most GRANT_STEP waiters; a
 * work item of the gate serves the others in steps, and unlocks the entry between the steps. A
 * caller that comes meanwhile finds a queue, and joins its end.
 */

#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/workqueue.h>

#include "core/client.h"
#include "core/request.h"
#include "gate/gate_place.h"

#define GRANT_STEP	64	/* places served while an entry's lock is held once */

static struct weir_gate_place *place_of(struct weir_turn *turn)
{
	return container_of(turn, struct weir_gate_place, turn);
}

/*
 * If the permits of the first waiter are free, charge them and dequeue it. Return: its place; or
 * NULL.
 */
static struct weir_gate_place *next_of(struct weir_gate *g, struct weir_entry *e)
{
	struct weir_turn *turn;

	turn = weir_gate_queue_next(&e->queue, READ_ONCE(g->permits));
	return turn ? place_of(turn) : NULL;
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

/* Count @n granted permits. The caller records the holder. The entry must be locked. */
void weir_gate_account_grant(struct weir_gate *g, u32 n)
{
	this_cpu_add(g->totals->in_use, n);
	this_cpu_inc(g->totals->acquired);
}

/* Give @n permits to a holder. The entry must be locked. */
void weir_gate_take_out(struct weir_gate *g, struct weir_grant *to, u32 n)
{
	weir_gate_account_grant(g, n);
	WRITE_ONCE(to->n, to->n + n);
}

/* Update lists and counts for a place that has left the queue of its entry. */
static void left(struct weir_gate *g, struct weir_gate_place *p)
{
	spin_lock(&g->lock);
	list_del_init(&p->unserved);
	list_del(&p->all);
	spin_unlock(&g->lock);
	if (p->async)
		weir_async_left(p);
	this_cpu_dec(g->totals->waiting);
}

/* Remove a place from its queue. The entry must be locked. */
void weir_gate_dequeue(struct weir_gate *g, struct weir_gate_place *p)
{
	weir_gate_queue_leave(&p->e->queue, &p->turn);
	left(g, p);
}

static void wake(struct weir_gate_waiter *w)
{
	struct task_struct *task = w->task;

	get_task_struct(task);
	/* from here on only the waiter uses @w: pairs with the acquire in look_again() of gate.c */
	smp_store_release(&w->granted, true);
	wake_up_process(task);
	put_task_struct(task);
}

void weir_gate_grant_find(struct weir_gate_waiter *w, const struct weir_entry *e)
{
	w->grant = weir_grant_find(w->c, w->op->tag, &w->g->obj, e);
}

/* Record that the caller has its permits. The entry must be locked. */
void weir_gate_granted(struct weir_gate_waiter *w, struct weir_entry *e)
{
	w->grant = weir_grant_get(w->c, w->op->tag, &w->g->obj, e, &w->new);
	weir_gate_take_out(w->g, w->grant, w->op->n);
}

/* Grant permits to a sleeping caller, whose place has left the queue. The entry must be locked. */
static void grant_sleeper(struct weir_gate_waiter *w, struct weir_entry *e)
{
	weir_gate_granted(w, e);
	weir_gate_answer(w->g, e, w->grant, w->op, WEIR_ALLOWED);
	wake(w);
}

/*
 * Let weir_gate_serve() continue with the first place of the queue, if its permits are free. The
 * entry must be locked.
 */
static void serve_later(struct weir_gate *g, struct weir_entry *e)
{
	struct weir_turn *turn = weir_gate_queue_ready(&e->queue, READ_ONCE(g->permits));

	if (!turn)
		return;
	spin_lock(&g->lock);
	list_move_tail(&place_of(turn)->unserved, &g->unserved);
	spin_unlock(&g->lock);
	queue_work(system_unbound_wq, &g->serve);
}

/**
 * weir_gate_grant_waiters - grant the free permits to the queue of an entry
 * @g: the gate; if it is dead, nothing is granted
 * @e: the entry, which must be locked
 *
 * Serves at most GRANT_STEP places. A work item of the gate serves the others.
 *
 * Return: the number of places served.
 */
unsigned int weir_gate_grant_waiters(struct weir_gate *g, struct weir_entry *e)
{
	struct weir_gate_place *p;
	unsigned int n;

	for (n = 0; n < GRANT_STEP; n++) {
		p = weir_object_alive(&g->obj) ? next_of(g, e) : NULL;
		if (!p)
			return n;
		left(g, p);
		if (p->async)
			weir_async_granted(g, p);
		else
			grant_sleeper(container_of(p, struct weir_gate_waiter, place), e);
	}
	serve_later(g, e);
	return n;
}

/* Grant permits to the queue of the first place in @unserved. Return: false if there was none. */
static bool serve_step(struct weir_gate *g)
{
	struct weir_gate_place *p;
	struct weir_entry *e;
	u64 word;

	rcu_read_lock();
	spin_lock_bh(&g->lock);
	p = list_first_entry_or_null(&g->unserved, struct weir_gate_place, unserved);
	if (p) {
		list_del_init(&p->unserved);
		/* an entry with waiters is not idle; RCU keeps it if it is dropped after this */
		e = p->e;
	}
	spin_unlock_bh(&g->lock);
	if (p && weir_table_lock(&g->table, e, &word)) {
		weir_gate_grant_waiters(g, e);
		weir_gate_unlock(g, e, weir_table_hash_of(&g->table, e), word);
	}
	rcu_read_unlock();
	return p;
}

/* &weir_gate.serve */
void weir_gate_serve(struct work_struct *work)
{
	struct weir_gate *g = container_of(work, struct weir_gate, serve);

	while (serve_step(g))
		cond_resched();
}

/* Take back @n permits, which the caller has removed from the holder. The entry must be locked. */
void weir_gate_release_locked(struct weir_gate *g, struct weir_entry *e, u32 n)
{
	weir_gate_queue_back(&e->queue, n);
	this_cpu_sub(g->totals->in_use, n);
	weir_gate_grant_waiters(g, e);
}

/* Unlock the entry, and wake the pollers of requests that have ended. */
void weir_gate_wake_unlock(struct weir_gate *g, struct weir_entry *e, u64 word)
{
	struct llist_node *ended = weir_request_wake_list();

	if (!ended) {
		weir_table_unlock(&g->table, e, word);
		return;
	}
	/* while this task is not done, others leave it to wake the same clients: no preemption */
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

/*
 * Enqueue a place. Return: 0, and the place may already have been granted its permits and be freed;
 * -ENODEV; -E2BIG. The state of the gate is checked under the gate's lock; after that
 * weir_gate_kick() finds this place.
 */
int weir_gate_enqueue(struct weir_gate *g, struct weir_gate_place *p, struct weir_entry *e,
		      u32 n)
{
	int err = 0;

	p->e = e;
	INIT_LIST_HEAD(&p->unserved);
	spin_lock(&g->lock);
	if (!weir_object_alive(&g->obj))
		err = -ENODEV;
	else if (n > READ_ONCE(g->permits))
		err = -E2BIG;
	else
		list_add_tail(&p->all, &g->waiters);
	spin_unlock(&g->lock);
	if (err)
		return err;
	weir_gate_queue_join(&e->queue, &p->turn, n);
	this_cpu_inc(g->totals->waiting);
	if (p->async)
		weir_async_joined(p);
	/* more permits may have become free since the caller checked */
	weir_gate_grant_waiters(g, e);
	return 0;
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
	n = grant->n;
	if (n || grant->request) {
		weir_async_cancel(g, e, grant);
		n = grant->n;
		this_cpu_add(g->totals->reclaimed, n);
		WRITE_ONCE(grant->n, 0);
		weir_gate_release_locked(g, e, n);
		weir_grant_put(grant);
	}
	weir_gate_unlock(g, e, weir_table_hash_of(&g->table, e), word);
}

/*
 * Kick the waiter at a place. Return: the place, if a request waits there: under RCU it exists
 * after the lock is dropped; otherwise NULL.
 */
static struct weir_gate_place *kick(struct weir_gate *g, struct weir_gate_place *p)
{
	struct weir_gate_waiter *w;

	list_move_tail(&p->all, &g->waiters);
	if (p->async)
		return p;
	w = container_of(p, struct weir_gate_waiter, place);
	/* pairs with the READ_ONCE() in doze() */
	WRITE_ONCE(w->kicked, true);
	wake_up_process(w->task);
	return NULL;
}

/*
 * Let all waiters check a gate that has changed or is dead: sleeping callers are woken, and
 * requests are checked here. The caller keeps the gate. May sleep.
 */
void weir_gate_kick(struct weir_gate *g)
{
	struct weir_gate_place *p, *request;
	LIST_HEAD(all);

	/*
	 * places may leave the queue while they are in @all; a caller that joins now has seen the
	 * change
	 */
	spin_lock_bh(&g->lock);
	list_splice_init(&g->waiters, &all);
	spin_unlock_bh(&g->lock);
	do {
		rcu_read_lock();
		spin_lock_bh(&g->lock);
		p = list_first_entry_or_null(&all, struct weir_gate_place, all);
		request = p ? kick(g, p) : NULL;
		spin_unlock_bh(&g->lock);
		if (request)
			weir_async_look(g, request);
		rcu_read_unlock();
		cond_resched();
	} while (p);
}
