// SPDX-License-Identifier: GPL-2.0-only
/* The queues of RESERVE, and the timer that serves them. See reserve.c. */

#include <linux/rcupdate.h>
#include <linux/rhashtable.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "limiter/reserve.h"
#include "limiter/reserve_queue.h"

#define BATCH		64	/* waiters served or woken while a lock is held */
#define PAUSE_NS	(20 * NSEC_PER_USEC)	/* ns until the next batch */
#define SLACK_NS	(50 * NSEC_PER_USEC)

static struct rhashtable queues;

static const struct rhashtable_params queues_params = {
	.head_offset		= offsetof(struct weir_reserve_queue, node),
	.key_offset		= offsetof(struct weir_reserve_queue, e),
	.key_len		= sizeof_field(struct weir_reserve_queue, e),
	.automatic_shrinking	= true,
};

/* ------------------------------------------------------------ queues; entry locked */

struct weir_reserve_queue *weir_reserve_queue_find(const struct weir_entry *e)
{
	return rhashtable_lookup_fast(&queues, &e, queues_params);
}

static struct weir_reserve_waiter *soonest_of(const struct weir_reserve_queue *q)
{
	return rb_entry(rb_first_cached(&q->deadlines), struct weir_reserve_waiter,
			by_deadline);
}

/* @at: CLOCK_BOOTTIME */
static void timer_start(struct weir_reserve_queue *q, u64 at)
{
	hrtimer_start_range_ns(&q->timer, ns_to_ktime(min_t(u64, at, KTIME_MAX)),
			       at ? SLACK_NS : 0, HRTIMER_MODE_ABS_SOFT);
}

static bool is_sooner(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct weir_reserve_waiter, by_deadline)->deadline <
	       rb_entry(b, struct weir_reserve_waiter, by_deadline)->deadline;
}

/*
 * The end of the limiter is checked under the lock, so weir_reserve_kick_all() finds the waiter if
 * it comes later.
 */
static int waiting_add(struct weir_reserve_waiter *w)
{
	struct weir_limiter *l = w->call.l;
	int err = 0;

	spin_lock(&l->wait_lock);
	if (weir_object_alive(&l->obj))
		list_add_tail(&w->all, &l->waiting);
	else
		err = -ENODEV;
	spin_unlock(&l->wait_lock);
	return err;
}

static void waiting_del(struct weir_reserve_waiter *w)
{
	spin_lock(&w->call.l->wait_lock);
	list_del(&w->all);
	spin_unlock(&w->call.l->wait_lock);
}

/*
 * No run of the timer uses the queue any more. But the timer may have been started: a run that
 * started it again had not ended when queue_end() tried to cancel it.
 */
static void queue_free(struct rcu_head *rcu)
{
	struct weir_reserve_queue *q = container_of(rcu, struct weir_reserve_queue, rcu);

	hrtimer_cancel(&q->timer);
	kfree(q);
}

/*
 * The queue has no waiters any more. A run of the timer may wait for the entry's lock; it is in an
 * RCU read side that began before this. A run that begins later finds @over set.
 */
static void queue_end(struct weir_reserve_queue *q, struct weir_entry *e)
{
	weir_entry_flag(e, WEIR_CHANGE_QUEUED, false);
	rhashtable_remove_fast(&queues, &q->node, queues_params);
	WRITE_ONCE(q->over, true);
	hrtimer_try_to_cancel(&q->timer);
	call_rcu(&q->rcu, queue_free);
}

/*
 * Make @w->spare the queue of the entry. Return: NULL if there is no memory to insert it into the
 * hash table.
 */
static struct weir_reserve_queue *queue_begin(struct weir_reserve_waiter *w, struct weir_entry *e)
{
	struct weir_reserve_queue *q = w->spare;

	q->e = e;
	q->l = w->call.l;
	q->hash = w->call.key->hash;
	if (rhashtable_insert_fast(&queues, &q->node, queues_params))
		return NULL;
	w->spare = NULL;
	weir_entry_flag(e, WEIR_CHANGE_QUEUED, true);
	return q;
}

/* Leave the queue. If it is empty then, it ends. */
void weir_reserve_leave(struct weir_reserve_waiter *w, struct weir_entry *e)
{
	struct weir_reserve_queue *q = w->queue;

	list_del(&w->node);
	rb_erase_cached(&w->by_deadline, &q->deadlines);
	q->tokens -= w->call.op->n;
	/* until this is done, weir_reserve_kick_all() may start the timer of @w->queue */
	waiting_del(w);
	w->queue = NULL;
	if (list_empty(&q->waiters))
		queue_end(q, e);
}

/**
 * weir_reserve_kick - a key has changed: its first waiter may be served
 * @e: its entry, locked
 *
 * Context: process or softirq.
 */
void weir_reserve_kick(const struct weir_entry *e)
{
	struct weir_reserve_queue *q = weir_reserve_queue_find(e);

	if (q)
		timer_start(q, 0);
}

/* The tokens that all waiters want. @e is locked. */
u64 weir_reserve_tokens(const struct weir_entry *e)
{
	struct weir_reserve_queue *q = weir_reserve_queue_find(e);

	return q ? q->tokens : 0;
}

/* ------------------------------------------------------------ decisions; entry locked */

/* @first: the waiter is the first in the queue. @d: the decision for @w->call.now */
enum weir_reserve_outcome weir_reserve_decide(const struct weir_reserve_waiter *w,
					      const struct weir_entry *e,
					      const struct weir_decision *d, bool first)
{
	const struct weir_limiter_call *call = &w->call;

	if (call->key->rule)	/* a waiter in the queue has no rule: see reconsider() */
		return WEIR_RESERVE_RULED;
	if (first && d->allowed && e->ban_until <= call->now)
		return WEIR_RESERVE_CHARGE;
	if (d->retry_after == WEIR_NEVER || weir_reserve_time(call) >= w->deadline ||
	    call->p->shadow)
		return WEIR_RESERVE_REFUSE;
	return WEIR_RESERVE_WAIT;
}

/* Fill in the answer of a waiter that is not in a queue. */
void weir_reserve_answer(struct weir_reserve_waiter *w, struct weir_entry *e, u64 *word,
			 enum weir_reserve_outcome outcome,
			 const struct weir_decision *d)
{
	w->call.turn = outcome == WEIR_RESERVE_CHARGE;
	if (outcome == WEIR_RESERVE_RULED)
		weir_limiter_ruled_count(&w->call);
	else if (outcome == WEIR_RESERVE_CHARGE)
		*word = weir_limiter_check_locked(&w->call, e, *word);
	else
		weir_limiter_refuse_locked(&w->call, e, *word, d->retry_after);
}

/* When the timer must expire next, CLOCK_BOOTTIME. The first waiter does not fit now. */
static u64 next_due(const struct weir_reserve_queue *q, const struct weir_entry *e,
		    const struct weir_reserve_waiter *first, const struct weir_decision *d)
{
	u64 wait = d->retry_after, now = first->call.now, due;

	if (e->ban_until > now)
		wait = max(wait, e->ban_until - now);
	if (check_add_overflow(weir_reserve_time(&first->call), wait, &due))
		due = U64_MAX;
	return min(due, soonest_of(q)->deadline);
}

/**
 * weir_reserve_join - join the queue of a key
 * @w: a waiter that is in no queue
 * @q: the queue; NULL: there is none
 * @e: the entry, locked
 * @d: the decision for @w->call.now, which does not allow it
 *
 * Return: 0, -ENODEV or -ENOMEM.
 */
int weir_reserve_join(struct weir_reserve_waiter *w, struct weir_reserve_queue *q,
		      struct weir_entry *e, const struct weir_decision *d)
{
	bool is_first = !q;
	int err;

	q = q ?: queue_begin(w, e);
	if (!q)
		return -ENOMEM;
	w->queue = q;
	w->e = e;
	err = waiting_add(w);
	if (err) {
		if (is_first)
			queue_end(q, e);
		return err;
	}
	list_add_tail(&w->node, &q->waiters);
	rb_add_cached(&w->by_deadline, &q->deadlines, is_sooner);
	q->tokens += w->call.op->n;
	if (is_first)
		timer_start(q, next_due(q, e, w, d));
	else if (soonest_of(q) == w)
		timer_start(q, 0);	/* the timer is set for a later deadline */
	return 0;
}

/* ------------------------------------------------------------ the timer */

/* Wake a waiter that has left its queue and has its answer. Its stack may be gone after this. */
static void wake(struct weir_reserve_waiter *w)
{
	struct task_struct *task = w->task;

	get_task_struct(task);
	/* pairs with the acquire in sleep_until_done() */
	smp_store_release(&w->done, true);
	wake_up_process(task);
	put_task_struct(task);
}

/* Remove a waiter from its queue and answer it. */
static void serve(struct weir_reserve_waiter *w, struct weir_entry *e, u64 *word,
		  enum weir_reserve_outcome outcome, const struct weir_decision *d)
{
	weir_reserve_leave(w, e);
	weir_reserve_answer(w, e, word, outcome, d);
	wake(w);
}

/*
 * Serve one waiter: the first one if its turn has come, otherwise one whose deadline has passed.
 * Return: false if there is none, and the timer is started.
 */
static bool serve_one(struct weir_reserve_queue *q, struct weir_entry *e, u64 *word)
{
	struct weir_reserve_waiter *first = weir_reserve_first(q), *w = first;
	struct weir_decision d;
	enum weir_reserve_outcome outcome;
	u64 due;

	weir_limiter_now(&w->call);
	weir_reserve_peek(w, *word, &d);
	outcome = weir_reserve_decide(w, e, &d, true);
	if (outcome == WEIR_RESERVE_WAIT) {
		due = next_due(q, e, w, &d);
		if (due > weir_reserve_time(&w->call)) {
			timer_start(q, due);
			return false;
		}
		w = soonest_of(q);
		/* the same time as for the first waiter: at a later time, the first might fit */
		w->call.p = first->call.p;
		w->call.now = first->call.now;
		weir_reserve_peek(w, *word, &d);
		outcome = WEIR_RESERVE_REFUSE;
	}
	serve(w, e, word, outcome, &d);
	return true;
}

/* Serve up to BATCH waiters. The entry is locked. */
static void serve_batch(struct weir_reserve_queue *q, struct weir_entry *e, u64 *word)
{
	unsigned int served = 0;

	while (!q->over && served < BATCH && serve_one(q, e, word))
		served++;
	if (!q->over && served == BATCH)
		timer_start(q, ktime_get_boottime_ns() + PAUSE_NS);
}

static enum hrtimer_restart timer_expired(struct hrtimer *timer)
{
	struct weir_reserve_queue *q = container_of(timer, struct weir_reserve_queue, timer);
	struct weir_op op = { .opcode = WEIR_OP_RESERVE };
	struct weir_key key = { .hash = q->hash };
	struct weir_limiter_call call = { .l = q->l, .op = &op, .key = &key };
	struct weir_entry *e = q->e;
	u64 word;

	rcu_read_lock();
	/* if it is over, the limiter and the entry may be gone; a dead entry has no queue */
	if (!READ_ONCE(q->over) && weir_table_lock(&q->l->table, e, &word)) {
		if (q->over) {
			weir_table_unlock(&q->l->table, e, word);
		} else {
			serve_batch(q, e, &word);
			weir_limiter_now(&call);
			/* while it had waiters, it was not idle */
			weir_limiter_unlock(&call, e, word, WEIR_EXPIRY_NEVER);
		}
	}
	rcu_read_unlock();
	return HRTIMER_NORESTART;
}

/* Allocate a queue for a waiter; or NULL. May sleep. */
struct weir_reserve_queue *weir_reserve_queue_new(void)
{
	struct weir_reserve_queue *q = kzalloc(sizeof(*q), GFP_KERNEL_ACCOUNT);

	if (!q)
		return NULL;
	INIT_LIST_HEAD(&q->waiters);
	q->deadlines = RB_ROOT_CACHED;
	weir_hrtimer_setup(&q->timer, timer_expired, CLOCK_BOOTTIME, HRTIMER_MODE_ABS_SOFT);
	return q;
}

/* ------------------------------------------------------------ all queues of a limiter */

/* Wake up to BATCH of the waiters in l->to_kick. */
static void kick_batch(struct weir_limiter *l)
{
	struct weir_reserve_waiter *w;
	unsigned int i;

	for (i = 0; i < BATCH && !list_empty(&l->to_kick); i++) {
		w = list_first_entry(&l->to_kick, struct weir_reserve_waiter, all);
		list_move_tail(&w->all, &l->waiting);
		/* pairs with the READ_ONCE() in sleep_until_done() */
		WRITE_ONCE(w->kicked, true);
		wake_up_process(w->task);
		/* if the first waiter gets no CPU time, the timer decides for it */
		timer_start(w->queue, 0);
	}
}

/**
 * weir_reserve_kick_all - make all queues of a limiter decide again
 * @l: the limiter; dead, or changed, and no operation uses its old configuration or rules
 *
 * Context: process; may sleep.
 */
void weir_reserve_kick_all(struct weir_limiter *l)
{
	spin_lock_bh(&l->wait_lock);
	list_splice_tail_init(&l->waiting, &l->to_kick);
	while (!list_empty(&l->to_kick)) {
		kick_batch(l);
		spin_unlock_bh(&l->wait_lock);
		cond_resched();
		spin_lock_bh(&l->wait_lock);
	}
	spin_unlock_bh(&l->wait_lock);
}

int weir_reserve_mod_init(void)
{
	return rhashtable_init(&queues, &queues_params);
}

/* Context: no waiter is left, because no file is open. */
void weir_reserve_mod_exit(void)
{
	rcu_barrier();		/* queue_free() */
	WARN_ON_ONCE(atomic_read(&queues.nelems));
	rhashtable_destroy(&queues);
}
