// SPDX-License-Identifier: GPL-2.0-only
/*
 * Acquiring and releasing permits.
 *
 * A key's held permits and its queue are in its entry, under the entry's lock. A task that releases
 * permits grants them to the first waiters (gate_grant.c). Each waiter is therefore woken once,
 * when it has its permits, and no waiter is overtaken: a caller that finds a queue joins its end,
 * however few permits it wants. Asynchronous requests wait in the same queue (gate_place.h).
 *
 * Cost in addition to finding the key: memory for a grant; two walks down the client's tree of
 * grants; one lock and unlock of the entry and of the object's list of grants; and the reference
 * count that keeps the gate. For a caller that must wait also one sleep and one wake-up.
 */

#include <linux/err.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "core/client.h"
#include "gate/gate_place.h"
#include "core/grant.h"
#include "core/request.h"
#include "core/user_time.h"

/* ------------------------------------------------------------ in the entry's lock */

/*
 * Return: true if the permits that this holder has, or is queued for, leave too few for the
 * request. Then only the holder itself could end the wait.
 */
static bool waits_for_itself(const struct weir_gate_waiter *w)
{
	const struct weir_grant *grant = w->grant;

	return w->op->tag && grant &&
	       weir_gate_queue_holds_up(READ_ONCE(w->g->permits),
					grant->n + weir_async_wanted(grant), w->op->n);
}

static bool sleeps(const struct weir_gate_waiter *w)
{
	return !(w->op->flags & WEIR_OP_ASYNC);
}

/*
 * A sleeping waiter costs its user a thread, but one open file is enough for many asynchronous
 * requests. Therefore the number of waiters is limited for the latter.
 */
static u32 most_waiting(const struct weir_gate_waiter *w)
{
	u32 most = READ_ONCE(w->g->queue_max);

	return sleeps(w) ? most : min_not_zero(most, (u32)WEIR_QUEUED_MAX);
}

/* Charge a grant for the holder, unless it has one. The entry must be locked. */
static int charge(struct weir_gate_waiter *w)
{
	return w->grant ? 0 : weir_grant_charge(w->c, w->new);
}

/* Enqueue an asynchronous request. The entry must be locked. */
static int queue_async(struct weir_gate_waiter *w, struct weir_entry *e)
{
	int err;

	if (!w->async)
		return -ENOMEM;
	err = charge(w);
	if (err)
		return err;
	w->grant = weir_grant_get(w->c, w->op->tag, &w->g->obj, e, &w->new);
	return weir_async_begin(w, e);
}

/* Queue or refuse a request for which no permits are free. The entry must be locked. */
static int wait_for(struct weir_gate_waiter *w, struct weir_entry *e)
{
	struct weir_gate *g = w->g;
	int err;

	if (w->until <= ktime_get_boottime_ns() ||
	    (sleeps(w) && READ_ONCE(w->c->file->f_flags) & O_NONBLOCK))
		return WEIR_GATE_REFUSED;
	if (waits_for_itself(w))
		return -EDEADLK;
	if (weir_gate_queue_is_full(&e->queue, most_waiting(w)))
		return WEIR_GATE_REFUSED;
	if (!sleeps(w))
		return queue_async(w, e);
	/* always charge a new grant: an existing one may end before the permits are granted */
	err = weir_grant_charge(w->c, w->new);
	if (err)
		return err;
	return weir_gate_enqueue(g, &w->place, e, w->op->n) ?: WEIR_GATE_SLEEP;
}

/* Return: an enum weir_gate_answer, or an errno. The entry must be locked. */
static int decide(struct weir_gate_waiter *w, struct weir_entry *e)
{
	struct weir_gate *g = w->g;
	u32 n = w->op->n;
	int ret;

	if (!weir_object_alive(&g->obj))
		return -ENODEV;
	weir_gate_grant_find(w, e);
	if (!sleeps(w) && w->grant && w->grant->request)
		return -EEXIST;
	if (n > READ_ONCE(g->permits))
		return -E2BIG;
	if (!w->new)
		return -ENOMEM;
	if (!weir_gate_queue_take(&e->queue, READ_ONCE(g->permits), n))
		return wait_for(w, e);
	ret = charge(w);
	if (ret) {
		weir_gate_queue_back(&e->queue, n);
		return ret;
	}
	weir_gate_granted(w, e);
	return WEIR_GATE_GRANTED;
}

/* ------------------------------------------------------------ acquire */

/* Write the answer into the op. A sleeping caller may have been granted its permits meanwhile. */
static void tell(struct weir_gate_waiter *w, const struct weir_entry *e, int ret)
{
	static const u8 verdicts[] = {
		[WEIR_GATE_GRANTED] = WEIR_ALLOWED,
		[WEIR_GATE_REFUSED] = WEIR_LIMITED,
		[WEIR_GATE_QUEUED] = WEIR_QUEUED,
		[WEIR_GATE_CANCELLED] = WEIR_NONE,
	};

	if (ret >= 0 && ret != WEIR_GATE_SLEEP)
		weir_gate_answer(w->g, e, w->grant, w->op, verdicts[ret]);
	if (w->grant)
		weir_grant_put(w->grant);
	w->grant = NULL;
}

/*
 * Perform an acquisition once, under RCU. @new: the new entry of the key, or NULL; it is linked or
 * freed. Return: as decide(); WEIR_GATE_NO_ENTRY; or WEIR_GATE_AGAIN: another key took the slot.
 */
static int look(struct weir_gate_waiter *w, struct weir_entry *new)
{
	struct weir_table *t = &w->g->table;
	struct weir_entry *e;
	u64 word;
	int ret;

	e = new ? weir_table_link(t, w->key, new, 0, &word) :
		  weir_table_find_locked(t, w->key, &word);
	if (!e)
		return new ? WEIR_GATE_AGAIN : WEIR_GATE_NO_ENTRY;
	if (e == new)
		weir_gate_queue_init(&e->queue);
	ret = decide(w, e);
	tell(w, e, ret);
	/* this call does not make an existing entry idle: the sweep needs no kick */
	if (!new)
		weir_gate_wake_unlock(w->g, e, word);
	else
		weir_gate_unlock(w->g, e, w->key->hash, word);
	return ret;
}

/*
 * Allocate the entry of a new key. Fails if the request exceeds the permits of the gate, and for
 * lack of room.
 */
static struct weir_entry *entry_new(struct weir_gate_waiter *w)
{
	struct weir_entry *new;
	int err;

	if (w->op->n > READ_ONCE(w->g->permits))
		return ERR_PTR(-E2BIG);
	if (!w->new)
		return ERR_PTR(-ENOMEM);
	err = weir_grant_charge(w->c, w->new);
	if (err)
		return ERR_PTR(err);
	new = weir_table_new(&w->g->table, w->key, GFP_KERNEL);
	if (new == ERR_PTR(-ENOSPC)) {
		this_cpu_inc(w->g->totals->full);
		this_cpu_inc(w->g->totals->refused);
		weir_gate_answer(w->g, NULL, NULL, w->op, WEIR_FULL);
	}
	return new;
}

/*
 * Sleep until the waiter is granted its permits or kicked, has a signal, or its deadline passes.
 * Return: false after the deadline.
 */
static bool doze(struct weir_gate_waiter *w)
{
	ktime_t until = ns_to_ktime(min_t(u64, w->until, KTIME_MAX));
	bool in_time = true;

	while (in_time) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (READ_ONCE(w->granted) || READ_ONCE(w->kicked) ||
		    signal_pending(current))
			break;
		in_time = schedule_hrtimeout_range_clock(&until, WEIR_GATE_SLACK_NS,
							 HRTIMER_MODE_ABS,
							 CLOCK_BOOTTIME);
	}
	__set_current_state(TASK_RUNNING);
	return in_time;
}

/*
 * Return: the reason for a waiter without permits to leave the queue; or WEIR_GATE_SLEEP. The entry
 * must be locked.
 */
static int reason_to_leave(const struct weir_gate_waiter *w, bool in_time)
{
	if (!weir_object_alive(&w->g->obj))
		return -ENODEV;
	if (w->op->n > READ_ONCE(w->g->permits))
		return -E2BIG;
	if (waits_for_itself(w))
		return -EDEADLK;
	if (signal_pending(current))
		return -EINTR;
	return in_time ? WEIR_GATE_SLEEP : WEIR_GATE_REFUSED;
}

/*
 * Check the waiter after a wake-up. The caller must hold rcu_read_lock(), so that the entry exists
 * unless the permits were granted.
 */
static int look_again(struct weir_gate_waiter *w, bool in_time)
{
	struct weir_gate *g = w->g;
	struct weir_entry *e = w->place.e;
	u64 word;
	int ret;

	/* pairs with the release in wake() */
	if (smp_load_acquire(&w->granted))
		return WEIR_GATE_GRANTED;
	/* an entry with waiters is not idle, so it is not dropped */
	if (!weir_table_lock(&g->table, e, &word))
		return WEIR_GATE_GRANTED;
	if (!w->granted) {
		/* clear @kicked under the lock: this task sees all changes made before */
		spin_lock(&g->lock);
		WRITE_ONCE(w->kicked, false);
		spin_unlock(&g->lock);
		weir_gate_grant_waiters(g, e);
	}
	weir_gate_grant_find(w, e);
	ret = w->granted ? WEIR_GATE_GRANTED : reason_to_leave(w, in_time);
	if (ret != WEIR_GATE_GRANTED && ret != WEIR_GATE_SLEEP) {
		weir_gate_dequeue(g, &w->place);
		/* waiters behind this one may fit now */
		weir_gate_grant_waiters(g, e);
		weir_gate_answer(g, e, w->grant, w->op, WEIR_LIMITED);
		if (ret == WEIR_GATE_REFUSED)
			this_cpu_inc(g->totals->timeouts);
	}
	weir_gate_unlock(g, e, w->key->hash, word);
	return ret;
}

static int sleep_until_granted(struct weir_gate_waiter *w)
{
	bool in_time;
	int ret;

	do {
		in_time = doze(w);
		rcu_read_lock();
		ret = look_again(w, in_time);
		rcu_read_unlock();
	} while (ret == WEIR_GATE_SLEEP);
	return ret;
}

static int acquire(struct weir_gate_waiter *w)
{
	struct weir_entry *new = NULL;
	int ret;

	do {
		rcu_read_lock();
		ret = look(w, new);
		rcu_read_unlock();
		new = ret == WEIR_GATE_NO_ENTRY ? entry_new(w) : NULL;
		if (IS_ERR(new))
			return new == ERR_PTR(-ENOSPC) ? 0 : PTR_ERR(new);
	} while (ret == WEIR_GATE_NO_ENTRY || ret == WEIR_GATE_AGAIN);
	if (ret == WEIR_GATE_SLEEP)
		ret = sleep_until_granted(w);
	if (ret == WEIR_GATE_REFUSED)
		this_cpu_inc(w->g->totals->refused);
	return min(ret, 0);
}

/* ------------------------------------------------------------ release, state */

/* Give back op->n permits of the holder. Return: 0; -ENOENT: the holder has fewer. */
static int release(struct weir_gate_waiter *w, struct weir_entry *e)
{
	struct weir_grant *grant = w->grant;

	if (!grant || grant->n < w->op->n)
		return -ENOENT;
	WRITE_ONCE(grant->n, grant->n - w->op->n);
	weir_gate_release_locked(w->g, e, w->op->n);
	weir_gate_answer(w->g, e, grant, w->op, WEIR_NONE);
	weir_grant_put(grant);
	return 0;
}

/* Cancel the holder's request. Return: 0; -ENODEV; -ENOENT: no request waits. */
static int cancel(struct weir_gate_waiter *w, struct weir_entry *e)
{
	int ret = -ENOENT;

	if (!weir_object_alive(&w->g->obj))
		ret = -ENODEV;
	else if (w->grant)
		ret = weir_async_cancel(w->g, e, w->grant);
	tell(w, e, ret);
	return min(ret, 0);
}

static int state(struct weir_gate_waiter *w, const struct weir_entry *e)
{
	weir_gate_answer(w->g, e, w->grant, w->op, WEIR_NONE);
	w->op->waiting = e ? e->queue.nwaiters : 0;
	return 0;
}

/*
 * Perform an operation that needs no memory: RELEASE, CANCEL or GATE_STATE. The entry of a key with
 * grants exists, because it is not dropped.
 */
static int held_op(struct weir_gate_waiter *w)
{
	u32 opcode = w->op->opcode;
	struct weir_entry *e;
	int ret = -ENOENT;
	u64 word;

	rcu_read_lock();
	e = weir_table_find_locked(&w->g->table, w->key, &word);
	if (e)
		weir_gate_grant_find(w, e);
	if (opcode == WEIR_OP_GATE_STATE)
		ret = state(w, e);
	else if (e)
		ret = opcode == WEIR_OP_RELEASE ? release(w, e) : cancel(w, e);
	if (e)
		weir_gate_unlock(w->g, e, w->key->hash, word);
	rcu_read_unlock();
	return ret;
}

/* Perform ACQUIRE with the memory that it may need. */
static int acquire_op(struct weir_gate_waiter *w)
{
	int err;

	w->until = weir_user_deadline(w->op->arg, w->op->flags & WEIR_OP_RELATIVE);
	w->new = weir_grant_new();
	if (!sleeps(w))
		w->async = weir_async_new();
	err = acquire(w);
	weir_grant_discard(w->c, w->new);
	kfree(w->async);
	return err;
}

/* &weir_kind_ops.run */
int weir_gate_run(struct weir_client *c, struct weir_object *o, struct weir_op_run *r)
{
	struct weir_gate_waiter w = {
		.op = &r->op, .c = c, .g = weir_gate(o), .key = &r->key, .task = current,
	};

	return r->op.opcode == WEIR_OP_ACQUIRE ? acquire_op(&w) : held_op(&w);
}

