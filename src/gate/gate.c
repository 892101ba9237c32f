// SPDX-License-Identifier: GPL-2.0-only
/*
 * Giving permits out, and taking them back.
 *
 * A key's permits in use and the queue of those who wait for them stand in its
 * entry, under its lock. Who gives permits back hands them to the first of the queue
 * there and then, and to the next as long as they suffice, so each is woken once,
 * when he has got what he wants, and nobody can overtake: who comes while others
 * wait waits behind them, however little he wants. Who does not sleep stands in the same
 * queue: gate_async.h.
 *
 * Cost beside finding the key: memory for a hold, a walk down the client's holds, a look
 * at its descriptor, one lock and one unlock of the entry, and the count that keeps the
 * gate. Who must wait: one sleep, one wake-up.
 */

#include <linux/err.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "core/client.h"
#include "gate/gate_async.h"
#include "core/hold.h"
#include "core/pending.h"

/**
 * struct gate_waiter - one who wants permits, on his stack
 *
 * @op: what he wants
 * @c: his client
 * @g: the gate
 * @key: hashed
 * @task: to be woken
 * @new: memory for a hold
 * @async: memory to be queued with; only if he does not sleep
 * @hold: his, while he is in the queue or has just been granted
 * @place: in the queue
 * @granted: he has them, and is in no queue
 * @kicked: he shall look again; @g->lock to write
 */
struct gate_waiter {
	struct weir_op		*op;
	struct weir_client	*c;
	struct weir_gate	*g;
	struct weir_key		key;
	struct task_struct	*task;
	struct weir_hold	*new;
	struct weir_async	*async;
	struct weir_hold	*hold;
	struct weir_gate_place	place;
	bool			granted;
	bool			kicked;
};

/* ------------------------------------------------------------ in the entry's lock */

/* The first of the queue, if he fits: he stands in it no more, and has the permits. */
static struct weir_gate_place *next_of(struct weir_gate *g, struct weir_entry *e)
{
	struct weir_gate_turn *turn;

	turn = weir_gate_queue_next(&e->queue, READ_ONCE(g->permits));
	return turn ? container_of(turn, struct weir_gate_place, turn) : NULL;
}

/* What the caller is told; @e NULL: of a key without an entry. */
static void answer(struct gate_waiter *w, const struct weir_entry *e, int verdict)
{
	u32 permits = READ_ONCE(w->g->permits);

	w->op->verdict = verdict;
	w->op->limit = permits;
	w->op->remaining = e ? weir_gate_queue_free(&e->queue, permits) : permits;
	w->op->held = w->hold ? w->hold->n : 0;
}

/* @n permits went out; the caller notes to whom. Entry locked. */
void weir_gate_out(struct weir_gate *g, u32 n)
{
	this_cpu_add(g->totals->in_use, n);
	this_cpu_inc(g->totals->acquired);
}

/* To the holder of @h. */
static void taken(struct weir_gate *g, struct weir_hold *h, u32 n)
{
	weir_gate_out(g, n);
	WRITE_ONCE(h->n, h->n + n);
}

/* He stands in the entry's queue no more. Its timer is out before its gate may go. */
static void left(struct weir_gate *g, struct weir_gate_place *p)
{
	if (p->async)
		weir_async_left(p);
	spin_lock(&g->lock);
	list_del(&p->all);
	spin_unlock(&g->lock);
	this_cpu_dec(g->totals->waiting);
}

/* Entry locked. */
void weir_gate_leave(struct weir_gate *g, struct weir_gate_place *p)
{
	weir_gate_queue_leave(&p->e->queue, &p->turn);
	left(g, p);
}

static void wake(struct gate_waiter *w)
{
	struct task_struct *task = w->task;

	get_task_struct(task);
	/* with this @w is his again: pairs with the acquire in look_again() */
	smp_store_release(&w->granted, true);
	wake_up_process(task);
	put_task_struct(task);
}

/* Hand what is free to those who wait; of a dead gate nobody gets anything. */
void weir_gate_hand_on(struct weir_gate *g, struct weir_entry *e)
{
	struct weir_gate_place *p;
	struct gate_waiter *w;

	while (weir_object_alive(&g->obj) && (p = next_of(g, e))) {
		left(g, p);
		taken(g, p->hold, p->turn.n);
		if (p->async) {
			weir_async_granted(p);
			continue;
		}
		w = container_of(p, struct gate_waiter, place);
		answer(w, e, WEIR_ALLOWED);
		wake(w);
	}
}

/* @n permits come back, as the caller has noted. Entry locked. */
void weir_gate_back(struct weir_gate *g, struct weir_entry *e, u32 n)
{
	weir_gate_queue_back(&e->queue, n);
	this_cpu_sub(g->totals->in_use, n);
	weir_gate_hand_on(g, e);
}

static void give(struct weir_gate *g, struct weir_entry *e, struct weir_hold *h, u32 n)
{
	WRITE_ONCE(h->n, h->n - n);
	weir_gate_back(g, e, n);
}

/* Let go of the entry, and wake who polls. */
static void unlock(struct weir_gate *g, struct weir_entry *e, u64 word)
{
	struct weir_client *told = weir_pending_told();

	weir_table_unlock(&g->table, e, word);
	weir_pending_wake(told);
}

/*
 * Let go of the entry; from here on it may be idle, and then a worker is told, unless
 * he knows of one already. Under RCU.
 */
void weir_gate_unlock(struct weir_gate *g, struct weir_entry *e, u64 hash, u64 word)
{
	u64 now = weir_table_now(&g->table);

	if (weir_gate_idle_at(&g->table, e, word, now) == now)
		weir_table_settle(&g->table, hash, now);
	unlock(g, e, word);
}

/* What he holds leaves too few, and nobody is there who could give it back for him. */
static bool waits_for_itself(const struct gate_waiter *w)
{
	return weir_gate_queue_holds_up(READ_ONCE(w->g->permits),
					w->hold->n + weir_async_wanted(w->hold),
					w->op->n) &&
	       weir_hold_alone();
}

/*
 * Into the queue: 0, and he may be out of it again, having got what he wants. After the
 * look at the gate under its lock weir_gate_kick() finds who has joined. -ENODEV, -E2BIG.
 */
int weir_gate_join(struct weir_gate *g, struct weir_gate_place *p, struct weir_entry *e,
		   u32 n)
{
	int err = 0;

	p->e = e;
	spin_lock(&g->lock);
	if (!weir_object_alive(&g->obj))
		err = -ENODEV;
	else if (n > READ_ONCE(g->permits))
		err = -E2BIG;
	else
		list_add_tail(&p->all, p->async ? &g->async : &g->waiters);
	spin_unlock(&g->lock);
	if (err)
		return err;
	weir_gate_queue_join(&e->queue, &p->turn, n);
	this_cpu_inc(g->totals->waiting);
	/* more permits may have come since it was found that they do not suffice */
	weir_gate_hand_on(g, e);
	return 0;
}

static bool sleeps(const struct gate_waiter *w)
{
	return !(w->op->flags & WEIR_OP_QUEUE);
}

/*
 * Each of those who sleep is a thread. Who does not needs only an open file, so for him
 * there is an end, also of the time that the entry is locked when all are served.
 */
static u32 most_waiting(const struct gate_waiter *w)
{
	u32 most = READ_ONCE(w->g->queue_max);

	return sleeps(w) ? most : min_not_zero(most, (u32)WEIR_QUEUED_MAX);
}

/* There is no permit for him now. Entry locked. */
static int wait_for(struct gate_waiter *w, struct weir_entry *e, u64 *word)
{
	struct weir_gate *g = w->g;

	if (w->op->arg <= ktime_get_boottime_ns() ||
	    (sleeps(w) && READ_ONCE(w->c->file->f_flags) & O_NONBLOCK))
		return WEIR_GATE_REFUSED;
	if (sleeps(w) && waits_for_itself(w))
		return -EDEADLK;
	if (weir_gate_queue_is_full(&e->queue, most_waiting(w)))
		return WEIR_GATE_REFUSED;
	if (!sleeps(w))
		return weir_async_begin(g, e, w->hold, &w->async, w->op, word);
	w->place.hold = w->hold;
	return weir_gate_join(g, &w->place, e, w->op->n) ?: WEIR_GATE_SLEEP;
}

/* enum weir_gate_answer, or -E2BIG, -EDEADLK, -ENODEV, -ENOMEM, -EINVAL. Entry locked. */
static int decide(struct gate_waiter *w, struct weir_entry *e, u64 *word)
{
	struct weir_gate *g = w->g;
	u32 n = w->op->n;
	int ret;

	if (!weir_object_alive(&g->obj))
		return -ENODEV;
	w->hold = weir_hold_get(w->c, &g->obj, e, &w->new);
	if (!w->hold)
		return -ENOMEM;
	if (!sleeps(w)) {
		ret = weir_async_collect(w->hold, n, word);
		if (ret != -ENOENT)
			return ret;
	}
	if (n > READ_ONCE(g->permits))
		return -E2BIG;
	if (!weir_gate_queue_take(&e->queue, READ_ONCE(g->permits), n))
		return wait_for(w, e, word);
	taken(g, w->hold, n);
	return WEIR_GATE_GRANTED;
}

/* ------------------------------------------------------------ acquire */

/* What was decided; not if he sleeps, for then it may be another one by now. */
static void tell(struct gate_waiter *w, const struct weir_entry *e, int ret)
{
	static const u8 verdicts[] = {
		[WEIR_GATE_GRANTED] = WEIR_ALLOWED,
		[WEIR_GATE_REFUSED] = WEIR_LIMITED,
		[WEIR_GATE_QUEUED] = WEIR_QUEUED,
		[WEIR_GATE_LATE] = WEIR_LIMITED,
		[WEIR_GATE_TAKEN_BACK] = WEIR_NONE,
	};

	if (ret >= 0 && ret != WEIR_GATE_SLEEP)
		answer(w, e, verdicts[ret]);
}

/* One look at the key. Under RCU. */
static int look(struct gate_waiter *w)
{
	struct weir_entry *e = weir_table_find(&w->g->table, &w->key);
	u64 word;
	int ret;

	if (!e)
		return WEIR_GATE_NO_ENTRY;
	if (!weir_table_lock(&w->g->table, e, &word))
		return WEIR_GATE_AGAIN;
	ret = decide(w, e, &word);
	tell(w, e, ret);
	/* what is collected may have been all that kept it; else it is no more idle than before */
	if (sleeps(w))
		unlock(w->g, e, word);
	else
		weir_gate_unlock(w->g, e, w->key.hash, word);
	return ret;
}

/* The key is new: as look(). WEIR_GATE_AGAIN also if its place went to another one. */
static int look_new(struct gate_waiter *w)
{
	struct weir_table *t = &w->g->table;
	struct weir_entry *new, *e;
	u64 word;
	int ret;

	/* before anything is made for it */
	if (w->op->n > READ_ONCE(w->g->permits))
		return -E2BIG;
	/* nobody holds anything of a new key: without a hold it would come to nothing */
	if (!w->new)
		return -ENOMEM;
	new = weir_table_new(t, &w->key, GFP_KERNEL);
	if (new == ERR_PTR(-ENOSPC)) {
		this_cpu_inc(w->g->totals->full);
		answer(w, NULL, WEIR_FULL);
		return WEIR_GATE_REFUSED;
	}
	if (IS_ERR(new))
		return PTR_ERR(new);
	rcu_read_lock();
	e = weir_table_link(t, &w->key, new, 0, &word);
	if (!e) {
		weir_table_discard(new);
		rcu_read_unlock();
		return WEIR_GATE_AGAIN;
	}
	if (e == new)
		weir_gate_queue_init(&e->queue);
	ret = decide(w, e, &word);
	tell(w, e, ret);
	weir_gate_unlock(w->g, e, w->key.hash, word);
	rcu_read_unlock();
	return ret;
}

/* Sleep until granted, kicked, a signal, or op->arg: then false. */
static bool doze(struct gate_waiter *w)
{
	ktime_t until = ns_to_ktime(min_t(u64, w->op->arg, KTIME_MAX));
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

/* Why he has to leave the queue, or WEIR_GATE_SLEEP. Entry locked, not granted. */
static int reason_to_leave(const struct gate_waiter *w, bool in_time)
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

/* He woke up. Under RCU, so that the entry is there unless he has been granted. */
static int look_again(struct gate_waiter *w, bool in_time)
{
	struct weir_gate *g = w->g;
	struct weir_entry *e = w->place.e;
	u64 word;
	int ret;

	/* pairs with the release in wake() */
	if (smp_load_acquire(&w->granted))
		return WEIR_GATE_GRANTED;
	/* while he is in the queue the entry is not idle, so nobody drops it */
	if (!weir_table_lock(&g->table, e, &word))
		return WEIR_GATE_GRANTED;
	if (!w->granted) {
		/* in the lock: what he was kicked for is to be seen from here on */
		spin_lock(&g->lock);
		WRITE_ONCE(w->kicked, false);
		spin_unlock(&g->lock);
		weir_gate_hand_on(g, e);
	}
	ret = w->granted ? WEIR_GATE_GRANTED : reason_to_leave(w, in_time);
	if (ret != WEIR_GATE_GRANTED && ret != WEIR_GATE_SLEEP) {
		weir_gate_leave(g, &w->place);
		/* he stood before others who may fit */
		weir_gate_hand_on(g, e);
		answer(w, e, WEIR_LIMITED);
		if (ret == WEIR_GATE_REFUSED)
			this_cpu_inc(g->totals->timeouts);
	}
	weir_gate_unlock(g, e, w->key.hash, word);
	return ret;
}

static int sleep_until_granted(struct gate_waiter *w)
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

/* Take back what a holder got, or queued for, who is gone. The caller keeps the gate. */
static void give_all(struct weir_gate *g, struct weir_hold *h)
{
	rcu_read_lock();
	weir_gate_give_back(&g->obj, h);
	rcu_read_unlock();
}

/* What the caller is told, if he has not gone meanwhile. */
static int finish(struct gate_waiter *w, int ret)
{
	if (!w->hold)
		return ret < 0 ? ret : 0;
	if ((ret == WEIR_GATE_GRANTED || ret == WEIR_GATE_QUEUED) &&
	    weir_hold_gone(w->c, w->hold)) {
		give_all(w->g, w->hold);
		ret = -EBADF;
	}
	weir_hold_put(w->c, w->hold);
	return ret < 0 ? ret : 0;
}

static int acquire(struct gate_waiter *w)
{
	int ret;

	do {
		rcu_read_lock();
		ret = look(w);
		rcu_read_unlock();
		if (ret == WEIR_GATE_NO_ENTRY)
			ret = look_new(w);
	} while (ret == WEIR_GATE_AGAIN);
	if (ret == WEIR_GATE_SLEEP)
		ret = sleep_until_granted(w);
	if (ret == WEIR_GATE_REFUSED)
		this_cpu_inc(w->g->totals->refused);
	return finish(w, ret);
}

/* ------------------------------------------------------------ release, state */

/*
 * The key's entry, locked, and the holder's hold of it if he has one; NULL: there is none.
 * One that he has a hold of is not dropped. Under RCU.
 */
static struct weir_entry *entry_get(struct gate_waiter *w, u64 *word)
{
	struct weir_entry *e = weir_table_find(&w->g->table, &w->key);

	if (!e || !weir_table_lock(&w->g->table, e, word))
		return NULL;
	w->hold = weir_hold_get(w->c, &w->g->obj, e, NULL);
	return e;
}

/* Give back op->n permits that the holder has. -ENOENT: he has fewer. */
static int release(struct gate_waiter *w)
{
	struct weir_entry *e;
	int ret = -ENOENT;
	u64 word;

	rcu_read_lock();
	e = entry_get(w, &word);
	if (e) {
		if (w->hold && w->hold->n >= w->op->n) {
			give(w->g, e, w->hold, w->op->n);
			answer(w, e, WEIR_NONE);
			ret = 0;
		}
		weir_gate_unlock(w->g, e, w->key.hash, word);
	}
	rcu_read_unlock();
	if (w->hold)
		weir_hold_put(w->c, w->hold);
	return ret;
}

/* Take back what is queued, or collect what it came to. -ENOENT: there is nothing. */
static int cancel(struct gate_waiter *w)
{
	struct weir_entry *e;
	int ret = -ENOENT;
	u64 word;

	rcu_read_lock();
	e = entry_get(w, &word);
	if (e) {
		if (w->hold)
			ret = weir_async_cancel(w->g, e, w->hold, &word);
		tell(w, e, ret);
		weir_gate_unlock(w->g, e, w->key.hash, word);
	}
	rcu_read_unlock();
	return finish(w, ret);
}

static void state(struct gate_waiter *w)
{
	struct weir_entry *e;
	u64 word;

	rcu_read_lock();
	e = entry_get(w, &word);
	answer(w, e, WEIR_NONE);
	if (e) {
		w->op->waiting = e->queue.nwaiters;
		weir_table_unlock(&w->g->table, e, word);
	}
	rcu_read_unlock();
	if (w->hold)
		weir_hold_put(w->c, w->hold);
}

/* For weir_gate_op_run(). */
int weir_gate_op(struct weir_client *c, struct weir_object *o, struct weir_op *op,
		 const u8 *bytes)
{
	struct weir_gate *g = weir_gate(o);
	struct gate_waiter w = { .op = op, .c = c, .g = g, .task = current };
	int err = weir_key_make(&g->spec, &g->table, bytes, op->key_len, &w.key);

	if (err)
		return err;
	switch (op->opcode) {
	case WEIR_OP_ACQUIRE:
		w.new = weir_hold_new();
		if (!sleeps(&w))
			w.async = weir_async_new();
		err = acquire(&w);
		weir_hold_discard(w.new);
		weir_async_discard(w.async);
		return err;
	case WEIR_OP_RELEASE:
		return release(&w);
	case WEIR_OP_CANCEL:
		return cancel(&w);
	default:
		state(&w);
		return 0;
	}
}

/* &weir_kind_ops.give_back */
void weir_gate_give_back(struct weir_object *o, struct weir_hold *h)
{
	struct weir_gate *g = weir_gate(o);
	struct weir_entry *e = h->entry;
	u64 word;

	/* with neither it may be gone; that he has none then stays so */
	if ((!READ_ONCE(h->n) && !READ_ONCE(h->pending)) ||
	    !weir_table_lock(&g->table, e, &word))
		return;
	weir_async_cancel(g, e, h, &word);
	if (h->n) {
		this_cpu_add(g->totals->reclaimed, h->n);
		give(g, e, h, h->n);
	}
	weir_gate_unlock(g, e, weir_table_hash_of(&g->table, e), word);
}

/*
 * The gate has changed, or is dead: all who wait look again. The caller keeps the gate.
 * May sleep.
 */
void weir_gate_kick(struct weir_gate *g)
{
	struct gate_waiter *w;

	spin_lock_bh(&g->lock);
	list_for_each_entry(w, &g->waiters, place.all) {
		/* pairs with the READ_ONCE() in doze() */
		WRITE_ONCE(w->kicked, true);
		wake_up_process(w->task);
	}
	spin_unlock_bh(&g->lock);
	weir_async_kick(g);
}
