// SPDX-License-Identifier: GPL-2.0-only
/*
 * WEIR_OP_RESERVE: a check that waits for its turn.
 *
 * The waiters of one key form a queue, and the entry is marked as having one: a check that
 * finds the mark is refused, because it would overtake them. The first waiter sleeps until its
 * tokens are there, is charged, and wakes the next one. A waiter that leaves, because of a
 * signal or its deadline, therefore has nothing to give back. Any other change of the key
 * (refund, lift, ban, forget, a new configuration, the limiter's end) wakes the first waiter,
 * which looks again.
 *
 * Cost: one wake-up to become the first, one timer to be charged. Keys without waiters pay one
 * load, of a cache line that is at hand.
 *
 * Queues are found by entry in a hash table with a lock for each bucket, which is taken inside
 * the entry's lock. WEIR_CHANGE_QUEUED is written with both held, and an entry that has it is
 * not dropped: where there is a queue there is an entry.
 */

#include <linux/hash.h>
#include <linux/hrtimer.h>
#include <linux/list.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "limiter/limiter.h"
#include "table/wait.h"

#define BUCKET_BITS	8
#define SLACK_NS	(50 * NSEC_PER_USEC)	/* others wait behind: not ours to choose */

/**
 * struct queue - all waiters of one key
 *
 * Protected by the bucket's lock.
 *
 * @node: in the bucket
 * @e: the key's entry
 * @l: the limiter
 * @waiters: in order of arrival; never empty
 * @tokens: sum of the tokens they want
 */
struct queue {
	struct hlist_node	node;
	const struct weir_entry	*e;
	struct weir_limiter	*l;
	struct list_head	waiters;
	u64			tokens;
};

/**
 * struct waiter - a caller, on its stack
 * @call: the operation; its key is valid while it waits
 * @deadline: CLOCK_BOOTTIME
 * @task: to be woken; pinned while it is in the queue
 * @node: in @queue; bucket's lock
 * @queue: its queue, or NULL; bucket's lock
 * @spare: a queue for a key that has none yet; belongs to this waiter while it is in no
 *	queue, otherwise bucket's lock. Each waiter brings one; one waiter of each queue has lent
 *	its own as the queue.
 * @kicked: woken to look again; written with the bucket's lock held
 */
struct waiter {
	struct weir_limiter_call call;
	u64			deadline;
	struct task_struct	*task;
	struct list_head	node;
	struct queue		*queue;
	struct queue		*spare;
	bool			kicked;
};

static struct bucket {
	spinlock_t		lock;	/* protects the queues in the bucket, and their waiters */
	struct hlist_head	queues;
} buckets[1 << BUCKET_BITS];

static struct bucket *bucket_of(const struct weir_entry *e)
{
	return &buckets[hash_ptr(e, BUCKET_BITS)];
}

static struct waiter *first_of(const struct queue *q)
{
	return list_first_entry(&q->waiters, struct waiter, node);
}

static struct queue *queue_find(struct bucket *b, const struct weir_entry *e)
{
	struct queue *q;

	lockdep_assert_held(&b->lock);
	hlist_for_each_entry(q, &b->queues, node)
		if (q->e == e)
			return q;
	return NULL;
}

static void kick(struct waiter *w)
{
	/* pairs with the READ_ONCE() in doze() */
	WRITE_ONCE(w->kicked, true);
	wake_up_process(w->task);
}

/**
 * weir_wait_kick - a key has changed: its first waiter must look again
 * @e: its entry, locked
 *
 * Context: process or softirq.
 */
void weir_wait_kick(const struct weir_entry *e)
{
	struct bucket *b = bucket_of(e);
	struct queue *q;

	spin_lock_bh(&b->lock);
	q = queue_find(b, e);
	if (q)
		kick(first_of(q));
	spin_unlock_bh(&b->lock);
}

/* The tokens that callers wait for. @e is locked. */
u64 weir_wait_tokens(const struct weir_entry *e)
{
	struct bucket *b = bucket_of(e);
	struct queue *q;
	u64 tokens;

	spin_lock_bh(&b->lock);
	q = queue_find(b, e);
	tokens = q ? q->tokens : 0;
	spin_unlock_bh(&b->lock);
	return tokens;
}

/*
 * All keys of a limiter have changed, or it is dead: all waiters must look again. Context:
 * process.
 */
void weir_wait_kick_all(struct weir_limiter *l)
{
	struct waiter *w;
	struct bucket *b;
	struct queue *q;

	for (b = buckets; b < buckets + ARRAY_SIZE(buckets); b++) {
		spin_lock_bh(&b->lock);
		hlist_for_each_entry(q, &b->queues, node) {
			if (q->l != l)
				continue;
			list_for_each_entry(w, &q->waiters, node)
				kick(w);
		}
		spin_unlock_bh(&b->lock);
	}
}

static void queued_set(struct weir_entry *e, const struct queue *q)
{
	weir_entry_flag(e, WEIR_CHANGE_QUEUED, q);
}

static void join(struct bucket *b, struct queue *q, const struct weir_entry *e,
		 struct waiter *w)
{
	if (!q) {
		q = w->spare;
		w->spare = NULL;
		q->e = e;
		q->l = w->call.l;
		q->tokens = 0;
		INIT_LIST_HEAD(&q->waiters);
		hlist_add_head(&q->node, &b->queues);
	}
	list_add_tail(&w->node, &q->waiters);
	q->tokens += w->call.op->n;
	w->queue = q;
}

/* Leave the queue, if in one. Return: what remains of it, or NULL. */
static struct queue *leave(struct queue *q, struct waiter *w)
{
	bool was_first;

	if (!w->queue)
		return q;
	was_first = first_of(q) == w;
	list_del(&w->node);
	q->tokens -= w->call.op->n;
	w->queue = NULL;
	if (list_empty(&q->waiters)) {
		hlist_del(&q->node);
		w->spare = q;
		return NULL;
	}
	if (!w->spare)
		swap(w->spare, first_of(q)->spare);
	if (was_first)
		kick(first_of(q));
	return q;
}

/* The next step after a look at the key. */
enum outcome {
	DONE,		/* the op has its verdict */
	RULED,		/* a rule decides, */
	CHARGE,		/* the tokens are there, */
	REFUSE,		/* or waiting is of no use: in no queue, and refused */
	SLEEP,		/* in the queue, until @wake_at */
	NO_ENTRY,	/* an entry must be made */
};

/* Whether waiting is of no use: the tokens cannot be due in time, or too many are waited for. */
static bool hopeless(const struct waiter *w, const struct weir_entry *e,
		     const struct queue *q, u64 word)
{
	const struct weir_limiter_call *call = &w->call;
	u64 ahead = q ? q->tokens : 0, tokens = ahead + call->op->n, wait;
	u32 most = call->p->config.queue_max;

	if (w->queue)
		return false;
	if (most && tokens > most)
		return true;
	if (e->ban_until > call->now)
		return false;	/* a ban may be lifted at any time */
	wait = weir_rate_wait(&call->p->rate, word, call->now, tokens);
	return wait > w->deadline - min(w->deadline,
					call->now + call->l->table.epoch);
}

/* When the first of a queue must look again, CLOCK_BOOTTIME. */
static u64 due(const struct waiter *w, const struct weir_entry *e,
	       u64 retry_after)
{
	u64 now = w->call.now, wait = retry_after;

	if (e->ban_until > now)
		wait = max(wait, e->ban_until - now);
	return min(w->deadline, now + wait + w->call.l->table.epoch);
}

/*
 * Stay in the queue, or leave it. SLEEP: *@wake_at is CLOCK_BOOTTIME. Must hold the locks of
 * the entry and the bucket.
 */
static enum outcome decide(struct waiter *w, struct bucket *b, struct weir_entry *e,
			   u64 word, const struct weir_decision *d, u64 *wake_at)
{
	struct weir_limiter_call *call = &w->call;
	u64 now = call->now + call->l->table.epoch;
	struct queue *q = queue_find(b, e);
	bool first = !q || first_of(q) == w;
	enum outcome outcome = SLEEP;

	w->kicked = false;
	call->turn = first;
	if (call->key->rule)
		outcome = RULED;
	else if (first && d->allowed && e->ban_until <= call->now)
		outcome = CHARGE;
	else if (d->retry_after == WEIR_NEVER || now >= w->deadline ||
		 call->p->shadow || hopeless(w, e, q, word))
		outcome = REFUSE;
	if (outcome != SLEEP) {
		queued_set(e, leave(q, w));
		return outcome;
	}
	if (!w->queue)
		join(b, q, e, w);
	queued_set(e, w->queue);
	*wake_at = first ? due(w, e, d->retry_after) : w->deadline;
	return SLEEP;
}

/* Fill in the verdict of a waiter that is in no queue. Must hold the entry's lock. */
static void finish(struct waiter *w, struct weir_entry *e, u64 *word,
		   enum outcome outcome, u64 retry_after)
{
	if (outcome == RULED)
		weir_limiter_ruled_count(&w->call);
	else if (outcome == CHARGE)
		*word = weir_limiter_check_locked(&w->call, e, *word);
	else
		weir_limiter_refuse_locked(&w->call, e, *word, retry_after);
}

/* One look at the key. -ENODEV: the limiter is dead. Must hold rcu_read_lock(). */
static int look(struct waiter *w, u64 *wake_at)
{
	struct weir_limiter_call *call = &w->call;
	struct weir_table *t = &call->l->table;
	struct weir_decision d;
	struct weir_entry *e;
	struct bucket *b;
	u64 word, before;
	int ret;

	weir_limiter_key_rule(call->l, call->key);
	do {
		e = weir_table_find(t, call->key);
		if (!e)		/* then it has no waiters */
			return NO_ENTRY;
	} while (!weir_table_lock(t, e, &word));
	weir_limiter_now(call);
	before = weir_limiter_idle_at(t, e, word, call->now);
	weir_rate_peek(&call->p->rate, word, call->now, call->op->n, &d);
	b = bucket_of(e);
	spin_lock(&b->lock);
	/* weir_wait_kick_all() finds waiters that joined before this test */
	ret = weir_object_alive(&call->l->obj) ?
	      (int)decide(w, b, e, word, &d, wake_at) : -ENODEV;
	spin_unlock(&b->lock);
	if (ret >= 0 && ret != SLEEP) {
		finish(w, e, &word, ret, d.retry_after);
		ret = DONE;
	}
	weir_limiter_unlock(call, e, word, before);
	return ret;
}

/* Leave the queue, if in one, without a verdict. */
static void give_up(struct waiter *w)
{
	struct weir_limiter_call *call = &w->call;
	struct weir_table *t = &call->l->table;
	struct weir_entry *e;
	struct bucket *b;
	u64 word, before;

	rcu_read_lock();
	/* only this task takes it out of its queue */
	if (!READ_ONCE(w->queue))
		goto out;
	/* an entry with waiters is never dropped */
	e = weir_table_find(t, call->key);
	if (WARN_ON_ONCE(!e || !weir_table_lock(t, e, &word)))
		goto out;
	weir_limiter_now(call);
	before = weir_limiter_idle_at(t, e, word, call->now);
	b = bucket_of(e);
	spin_lock(&b->lock);
	queued_set(e, leave(w->queue, w));
	spin_unlock(&b->lock);
	weir_limiter_unlock(call, e, word, before);
out:
	rcu_read_unlock();
}

/* Sleep until @wake_at, a kick, or a signal. */
static void doze(struct waiter *w, u64 wake_at)
{
	ktime_t until = ns_to_ktime(min_t(u64, wake_at, KTIME_MAX));

	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (READ_ONCE(w->kicked) || signal_pending(current))
			break;
		if (!schedule_hrtimeout_range_clock(&until, SLACK_NS,
						    HRTIMER_MODE_ABS,
						    CLOCK_BOOTTIME))
			break;
	}
	__set_current_state(TASK_RUNNING);
}

/* No room for the key: the verdict says so. */
static int no_room(struct waiter *w)
{
	int err;

	rcu_read_lock();
	weir_limiter_now(&w->call);
	err = weir_limiter_full_count(&w->call);
	rcu_read_unlock();
	return err;
}

static int wait(struct waiter *w)
{
	u64 wake_at = 0;
	int ret;

	for (;;) {
		rcu_read_lock();
		ret = look(w, &wake_at);
		rcu_read_unlock();
		if (ret == NO_ENTRY) {
			ret = weir_limiter_entry_make(w->call.l, w->call.key);
			if (ret == -ENOSPC)
				return no_room(w);
			if (!ret)
				continue;
		}
		if (ret != SLEEP)
			return ret;
		doze(w, wake_at);
		if (signal_pending(current))
			return -EINTR;
	}
}

/**
 * weir_wait_run - perform a WEIR_OP_RESERVE
 * @l: the limiter
 * @op: checked; its result half zeroed, and filled in here
 * @key: hashed
 *
 * Context: may sleep, until op->arg; weir_object_live_get() holds the storage.
 * Return: 0, -EINTR, -ENODEV, -ENOMEM; unless 0 nothing happened.
 */
int weir_wait_run(struct weir_limiter *l, struct weir_op *op,
		  struct weir_key *key)
{
	struct waiter w = {
		.call = { .l = l, .op = op, .key = key },
		.deadline = op->arg,
		.task = current,
		.spare = kmalloc(sizeof(*w.spare), GFP_KERNEL_ACCOUNT),
	};
	int err = w.spare ? wait(&w) : -ENOMEM;

	/* a waiter with a verdict is in no queue */
	if (err)
		give_up(&w);
	kfree(w.spare);
	return err;
}

int weir_wait_mod_init(void)
{
	struct bucket *b;

	for (b = buckets; b < buckets + ARRAY_SIZE(buckets); b++)
		spin_lock_init(&b->lock);
	return 0;
}

/* Context: no file is open, so there are no waiters. */
void weir_wait_mod_exit(void)
{
	struct bucket *b;

	for (b = buckets; b < buckets + ARRAY_SIZE(buckets); b++)
		WARN_ON_ONCE(!hlist_empty(&b->queues));
}
