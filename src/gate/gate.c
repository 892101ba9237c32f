// SPDX-License-Identifier: GPL-2.0-only
/*
 * Acquiring and releasing permits.
 *
 * A key's held permits and its queue are in its entry, under the entry's lock. A task that releases
 * permits grants them to the first waiters (gate_grant.c). Each waiter is therefore woken once,
 * when it has its permits, and no waiter is overtaken: a caller that finds a queue joins its end,
 * however few permits it wants. Asynchronous requests wait in the same queue (gate_waiter.h).
 *
 * Cost in addition to finding the key: memory for a grant; two walks down the client's tree of
 * grants; one lock and unlock of the entry and of the object's list of grants; and the reference
 * count that keeps the gate. A caller that must wait also needs memory for a waiter, a walk down
 * the tree of its owner's deadlines, one sleep and one wake-up.
 */

#include <linux/err.h>
#include <linux/fs.h>

#include "core/client.h"
#include "gate/gate_waiter.h"

/* The result of an acquisition. Functions that return it may return an errno instead. */
enum answer {
	GRANTED,
	REFUSED,	/* no permits, and the caller does not wait */
	QUEUED,		/* the request waits, or has ended already */
	NO_ENTRY,	/* the key has no entry: create it */
	NO_WAITER,	/* allocate a waiter */
	AGAIN,		/* another key took the slot: look the key up again */
};

/**
 * struct gate_call - one operation, on the caller's stack
 * @op: the operation
 * @until: the deadline of an acquisition, CLOCK_BOOTTIME
 * @c: the caller's client
 * @g: the gate
 * @key: the key, hashed
 * @new: memory for a grant
 * @w: memory for a waiter; NULL after an asynchronous request has begun
 * @grant: the holder's grant, or NULL; valid only while the entry is locked
 */
struct gate_call {
	struct weir_op		*op;
	u64			until;
	struct weir_client	*c;
	struct weir_gate	*g;
	const struct weir_key	*key;
	struct weir_grant	*new;
	struct weir_gate_waiter	*w;
	struct weir_grant	*grant;
};

/* ------------------------------------------------------------ in the entry's lock */

static bool sleeps(const struct gate_call *call)
{
	return !(call->op->flags & WEIR_OP_ASYNC);
}

static void grant_find(struct gate_call *call, const struct weir_entry *e)
{
	call->grant = weir_grant_find(call->c, call->op->tag, &call->g->obj, e);
}

/* Find or create the holder's grant. Return: 0, -EDQUOT. */
static int grant_get(struct gate_call *call, struct weir_entry *e)
{
	int err;

	if (call->grant)
		return 0;
	err = weir_grant_charge(call->c, call->new);
	if (!err)
		call->grant = weir_grant_get(call->c, call->op->tag, &call->g->obj, e,
					     &call->new);
	return err;
}

/*
 * A sleeping waiter costs its user a thread, but one open file is enough for many asynchronous
 * requests. Therefore the number of waiters is limited for the latter.
 */
static u32 most_waiting(const struct gate_call *call)
{
	u32 most = READ_ONCE(call->g->queue_max);

	return sleeps(call) ? most : min_not_zero(most, (u32)WEIR_QUEUED_MAX);
}

/* Queue or refuse a request for which no permits are free. The entry must be locked. */
static int wait_for(struct gate_call *call, struct weir_entry *e)
{
	int err;

	if (call->until <= ktime_get_boottime_ns() ||
	    (sleeps(call) && READ_ONCE(call->c->file->f_flags) & O_NONBLOCK))
		return REFUSED;
	if (call->grant && weir_gate_is_deadlock(call->g, call->grant, call->op->n, NULL))
		return -EDEADLK;
	if (weir_gate_queue_is_full(&e->queue, most_waiting(call)))
		return REFUSED;
	if (!call->w)
		return NO_WAITER;
	err = grant_get(call, e);
	if (err)
		return err;
	if (!sleeps(call))
		weir_gate_answer(call->g, e, call->grant, call->op, WEIR_QUEUED);
	err = weir_gate_enqueue(call->g, call->w, e, call->grant);
	if (err)
		return err;
	/* the request may have ended, and the grant with it */
	call->grant = NULL;
	if (!sleeps(call))
		call->w = NULL;
	return QUEUED;
}

/* Return: an enum answer, or an errno. The entry must be locked. */
static int acquire_locked(struct gate_call *call, struct weir_entry *e)
{
	struct weir_gate *g = call->g;
	u32 n = call->op->n;
	int err;

	if (!weir_object_alive(&g->obj))
		return -ENODEV;
	grant_find(call, e);
	if (!sleeps(call) && call->grant && call->grant->request)
		return -EEXIST;
	if (n > READ_ONCE(g->permits))
		return -E2BIG;
	if (!call->new)
		return -ENOMEM;
	if (!weir_gate_queue_take(&e->queue, READ_ONCE(g->permits), n))
		return wait_for(call, e);
	err = grant_get(call, e);
	if (err) {
		weir_gate_queue_back(&e->queue, n);
		return err;
	}
	weir_gate_grant_to(g, call->grant, n);
	return GRANTED;
}

/* ------------------------------------------------------------ acquire */

/* Write the answer into the op, and end the grant if its holder has nothing. */
static void answer_write(struct gate_call *call, const struct weir_entry *e,
			 u32 verdict)
{
	weir_gate_answer(call->g, e, call->grant, call->op, verdict);
	if (call->grant)
		weir_grant_put(call->grant);
}

/*
 * Perform an acquisition once, under RCU. @new: the new entry of the key, or NULL; it is linked or
 * freed. Return: as acquire_locked(); NO_ENTRY; or AGAIN: another key took the slot.
 */
static int acquire_once(struct gate_call *call, struct weir_entry *new)
{
	struct weir_table *t = &call->g->table;
	struct weir_entry *e;
	u64 word;
	int ret;

	e = new ? weir_table_link(t, call->key, new, 0, &word) :
		  weir_table_find_locked(t, call->key, &word);
	if (!e)
		return new ? AGAIN : NO_ENTRY;
	if (e == new)
		weir_gate_queue_init(&e->queue);
	ret = acquire_locked(call, e);
	if (ret == GRANTED)
		answer_write(call, e, WEIR_ALLOWED);
	else if (ret == REFUSED)
		answer_write(call, e, WEIR_LIMITED);
	else if (call->grant)
		weir_grant_put(call->grant);
	/* this call does not make an existing entry idle: the sweep needs no kick */
	if (!new)
		weir_gate_wake_unlock(call->g, e, word);
	else
		weir_gate_unlock(call->g, e, call->key->hash, word);
	return ret;
}

/*
 * Allocate the entry of a new key. Fails if the request exceeds the permits of the gate, and for
 * lack of room.
 */
static struct weir_entry *entry_new(struct gate_call *call)
{
	struct weir_entry *new;
	int err;

	if (call->op->n > READ_ONCE(call->g->permits))
		return ERR_PTR(-E2BIG);
	if (!call->new)
		return ERR_PTR(-ENOMEM);
	err = weir_grant_charge(call->c, call->new);
	if (err)
		return ERR_PTR(err);
	new = weir_table_new(&call->g->table, call->key, weir_op_gfp(call->op));
	if (new == ERR_PTR(-ENOSPC)) {
		this_cpu_inc(call->g->totals->full);
		this_cpu_inc(call->g->totals->refused);
		weir_gate_answer(call->g, NULL, NULL, call->op, WEIR_FULL);
	}
	return new;
}

/* Withdraw the caller's request. Return: false if it has ended. */
static bool withdrawn(struct gate_call *call)
{
	struct weir_gate_waiter *w = call->w;
	struct weir_entry *e = w->request.entry;
	bool waits = false;
	u64 word;

	/* the entry exists as long as the request waits */
	rcu_read_lock();
	if (!weir_request_has_ended(&w->request) &&
	    weir_table_lock(&call->g->table, e, &word)) {
		waits = weir_turn_waits(&w->turn);
		if (waits) {
			weir_gate_withdraw(call->g, w);
			weir_grant_put(w->request.grant);
		}
		weir_gate_unlock(call->g, e, call->key->hash, word);
	}
	rcu_read_unlock();
	return waits;
}

static int sleep_until_ended(struct gate_call *call)
{
	struct weir_request *r = &call->w->request;
	int err = weir_request_sleep(r);

	if (err && withdrawn(call))
		return err;
	*call->op = r->op;
	return r->op.result;
}

static int acquire(struct gate_call *call)
{
	struct weir_entry *new = NULL;
	int ret;

	do {
		rcu_read_lock();
		ret = acquire_once(call, new);
		rcu_read_unlock();
		new = NULL;
		if (ret == NO_ENTRY) {
			new = entry_new(call);
			if (IS_ERR(new))
				return new == ERR_PTR(-ENOSPC) ? 0 : PTR_ERR(new);
		} else if (ret == NO_WAITER) {
			call->w = weir_gate_waiter_new(call->c, call->op, call->until);
			if (!call->w)
				return -ENOMEM;
		}
	} while (ret == NO_ENTRY || ret == NO_WAITER || ret == AGAIN);
	if (ret == QUEUED && sleeps(call))
		ret = sleep_until_ended(call);
	if (ret == REFUSED)
		this_cpu_inc(call->g->totals->refused);
	return min(ret, 0);
}

/* ------------------------------------------------------------ release, state */

/* Give back op->n permits of the holder. Return: 0; -ENOENT: the holder has fewer. */
static int release(struct gate_call *call, struct weir_entry *e)
{
	struct weir_grant *grant = call->grant;
	u32 n = call->op->n;

	if (!grant || grant->n < n)
		return -ENOENT;
	WRITE_ONCE(grant->n, grant->n - n);
	weir_gate_release_locked(call->g, e, n);
	answer_write(call, e, WEIR_NONE);
	return 0;
}

/* Cancel the holder's request. Return: 0; -ENODEV; -ENOENT: no request waits. */
static int cancel(struct gate_call *call, struct weir_entry *e)
{
	struct weir_grant *grant = call->grant;

	if (!weir_object_alive(&call->g->obj))
		return -ENODEV;
	if (!grant || !grant->request)
		return -ENOENT;
	weir_gate_withdraw(call->g, weir_gate_waiter_of(grant->request));
	answer_write(call, e, WEIR_NONE);
	return 0;
}

static int state(struct gate_call *call, const struct weir_entry *e)
{
	weir_gate_answer(call->g, e, call->grant, call->op, WEIR_NONE);
	call->op->waiting = e ? e->queue.nwaiters : 0;
	return 0;
}

/*
 * Perform an operation that needs no memory: RELEASE, CANCEL or GATE_STATE. The entry of a key with
 * grants exists, because it is not dropped.
 */
static int held_op(struct gate_call *call)
{
	u32 opcode = call->op->opcode;
	struct weir_entry *e;
	int ret = -ENOENT;
	u64 word;

	rcu_read_lock();
	e = weir_table_find_locked(&call->g->table, call->key, &word);
	if (e)
		grant_find(call, e);
	if (opcode == WEIR_OP_GATE_STATE)
		ret = state(call, e);
	else if (e)
		ret = opcode == WEIR_OP_RELEASE ? release(call, e) : cancel(call, e);
	if (e)
		weir_gate_unlock(call->g, e, call->key->hash, word);
	rcu_read_unlock();
	return ret;
}

/* Perform ACQUIRE with the memory that it may need. */
static int acquire_op(struct gate_call *call)
{
	int err;

	call->until = weir_op_deadline(call->op);
	call->new = weir_grant_new(weir_op_gfp(call->op));
	err = acquire(call);
	weir_grant_discard(call->c, call->new);
	if (call->w)
		weir_request_free(&call->w->request);
	return err;
}

/* &weir_kind_ops.run */
int weir_gate_run(struct weir_client *c, struct weir_object *o, struct weir_op_run *r)
{
	struct gate_call call = { .op = &r->op, .c = c, .g = weir_gate(o), .key = &r->key };

	return r->op.opcode == WEIR_OP_ACQUIRE ? acquire_op(&call) : held_op(&call);
}
