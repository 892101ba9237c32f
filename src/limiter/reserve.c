// SPDX-License-Identifier: GPL-2.0-only
/*
 * WEIR_OP_RESERVE: a check that waits for its turn.
 *
 * The waiters of a key are in a queue, in order of arrival. A flag in the entry shows that there is
 * a queue; a check that finds the flag is refused, because it would overtake the waiters. Each
 * queue has a timer, which expires when the tokens of the first waiter are due, or at the deadline
 * of a waiter. The timer charges the first waiter, writes its answer, wakes it, and continues with
 * the next waiter. So a waiter that gets no CPU time delays no other waiter, and each is woken
 * once. Other changes of the key (refund, lift, forget) make the timer expire at once. After a
 * change of the configuration or the rules, and after the deletion of the limiter, all waiters are
 * woken and decide for themselves.
 *
 * One expiry of the timer serves at most 64 waiters. If there are more, the timer expires again
 * soon. So the entry is locked for a bounded time.
 *
 * A queue exists while it has waiters, and its entry is not dropped meanwhile. Queues are
 * found by entry in a hash table.
 *
 * Cost: memory for a queue, a timer, one sleep, one wake-up. For keys without waiters: one load
 * from a cache line that is in use anyway.
 */

#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "core/user_time.h"
#include "limiter/reserve.h"
#include "limiter/reserve_queue.h"

/* Whether a new waiter cannot be served in time, or too many are waiting already. */
static bool is_hopeless(const struct weir_reserve_waiter *w, const struct weir_entry *e,
			const struct weir_reserve_queue *q, u64 word)
{
	const struct weir_limiter_call *call = &w->call;
	u64 tokens = (q ? q->tokens : 0) + call->op->n, wait;
	u32 most = call->p->config.queue_max;

	if (most && tokens > most)
		return true;
	if (e->ban_until > call->now)
		return false;	/* a ban may be lifted at any time */
	wait = weir_rate_wait(&call->p->rate, word, call->now, tokens);
	return wait > w->deadline - min(w->deadline, weir_reserve_time(call));
}

/* ------------------------------------------------------------ the waiter */

/* results of a look-up of the key */
#define SLEEP		1	/* the caller is in the queue */
#define NO_ENTRY	2	/* an entry must be made */
#define NO_QUEUE	3	/* memory for a queue must be allocated */

/* Decide for a new waiter. The entry is locked. Return: 0, SLEEP, NO_QUEUE, -ENODEV, -ENOMEM. */
static int arrive(struct weir_reserve_waiter *w, struct weir_entry *e, u64 *word)
{
	struct weir_reserve_queue *q = weir_entry_queued(e) ? weir_reserve_queue_find(e) : NULL;
	enum weir_reserve_outcome outcome;
	struct weir_decision d;
	int err;

	if (!weir_object_alive(&w->call.l->obj))
		return -ENODEV;
	weir_reserve_peek(w, *word, &d);
	outcome = weir_reserve_decide(w, e, &d, !q);
	if (outcome == WEIR_RESERVE_WAIT && is_hopeless(w, e, q, *word))
		outcome = WEIR_RESERVE_REFUSE;
	if (outcome != WEIR_RESERVE_WAIT) {
		weir_reserve_answer(w, e, word, outcome, &d);
		return 0;
	}
	if (!q && !w->spare)
		return NO_QUEUE;
	err = weir_reserve_join(w, q, e, &d);
	return err ?: SLEEP;
}

/* The first look-up of the key, under RCU. Return: as arrive(), or NO_ENTRY. */
static int look(struct weir_reserve_waiter *w)
{
	struct weir_limiter_call *call = &w->call;
	struct weir_entry *e;
	u64 word, before;
	int ret;

	weir_limiter_key_rule(call->l, call->key);
	e = weir_table_find_locked(&call->l->table, call->key, &word);
	if (!e)		/* a key without an entry has no waiters */
		return NO_ENTRY;
	before = weir_limiter_begin(call, e, word);
	ret = arrive(w, e, &word);
	weir_limiter_unlock(call, e, word, before);
	return ret;
}

/*
 * Decide again, after a kick or a signal. The entry is locked; the waiter is in the queue. Return:
 * 0: it has its verdict; SLEEP; -ENODEV, -EINTR.
 */
static int reconsider(struct weir_reserve_waiter *w, struct weir_entry *e, u64 *word)
{
	bool alive = weir_object_alive(&w->call.l->obj);
	enum weir_reserve_outcome outcome;
	struct weir_decision d;

	weir_limiter_key_rule(w->call.l, w->call.key);
	weir_reserve_peek(w, *word, &d);
	outcome = weir_reserve_decide(w, e, &d, weir_reserve_first(w->queue) == w);
	if (alive && outcome == WEIR_RESERVE_WAIT && !signal_pending(current))
		return SLEEP;
	weir_reserve_leave(w, e);
	if (!alive)
		return -ENODEV;
	if (outcome == WEIR_RESERVE_WAIT)
		return -EINTR;
	weir_reserve_answer(w, e, word, outcome, &d);
	return 0;
}

/* Called under RCU, and the waiter is in the queue, so the entry exists. */
static int look_again(struct weir_reserve_waiter *w)
{
	struct weir_limiter_call *call = &w->call;
	struct weir_table *t = &call->l->table;
	struct weir_entry *e = w->e;
	u64 word;
	int ret = 0;

	/* pairs with the release in wake() */
	if (smp_load_acquire(&w->done))
		return 0;
	/* dead: then the waiter is done, and its answer was written under the stripe's lock */
	if (!weir_table_lock(t, e, &word))
		return 0;
	if (w->done) {
		weir_table_unlock(t, e, word);
		return 0;
	}
	spin_lock(&call->l->wait_lock);
	w->kicked = false;
	spin_unlock(&call->l->wait_lock);
	weir_limiter_now(call);
	ret = reconsider(w, e, &word);
	/* the next waiter may have become the first */
	if (ret != SLEEP && weir_entry_queued(e))
		weir_reserve_kick(e);
	weir_limiter_unlock(call, e, word, WEIR_EXPIRY_NEVER);
	return ret;
}

/* Sleep until the timer has served the waiter, which happens at its deadline at the latest. */
static int sleep_until_done(struct weir_reserve_waiter *w)
{
	int ret;

	do {
		for (;;) {
			set_current_state(TASK_INTERRUPTIBLE);
			if (READ_ONCE(w->done) || READ_ONCE(w->kicked) ||
			    signal_pending(current))
				break;
			schedule();
		}
		__set_current_state(TASK_RUNNING);
		rcu_read_lock();
		ret = look_again(w);
		rcu_read_unlock();
	} while (ret == SLEEP);
	return ret;
}

static int reserve(struct weir_reserve_waiter *w)
{
	int ret;

	for (;;) {
		rcu_read_lock();
		ret = look(w);
		rcu_read_unlock();
		if (ret == SLEEP)
			return sleep_until_done(w);
		if (ret == NO_ENTRY) {
			ret = weir_limiter_entry_make(w->call.l, w->call.key);
			if (ret == -ENOSPC)
				return weir_limiter_full_now(&w->call);
		} else if (ret == NO_QUEUE) {
			w->spare = weir_reserve_queue_new();
			ret = w->spare ? 0 : -ENOMEM;
		} else {
			return ret;
		}
		if (ret)
			return ret;
	}
}

/**
 * weir_reserve_run - perform a WEIR_OP_RESERVE
 * @l: the limiter
 * @op: checked; its result half zeroed, and filled in here
 * @key: hashed
 *
 * Context: may sleep, until the deadline; weir_object_live_get() holds the storage.
 * Return: 0, -EINTR, -ENODEV, -ENOMEM; on an error nothing was done.
 */
int weir_reserve_run(struct weir_limiter *l, struct weir_op *op, struct weir_key *key)
{
	struct weir_reserve_waiter w = {
		.call = { .l = l, .op = op, .key = key },
		.deadline = weir_user_deadline(op->arg, op->flags & WEIR_OP_RELATIVE),
		.task = current,
	};
	int err = reserve(&w);

	kfree(w.spare);
	return err;
}
