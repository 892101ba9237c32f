// SPDX-License-Identifier: GPL-2.0-only
/*
 * Acquisitions that stand in a gate's queue while their holder does other things. See
 * gate_async.h.
 *
 * While a hold has one that is not collected its entry must stay, or the holder would not
 * find it again. So the entry's word, which is of no other use at gates, counts them:
 * with any it is not idle.
 *
 * Cost beside that of an acquisition: memory, and with a deadline a walk down the tree of
 * all deadlines. A grant: one wake-up of each who polls the client's file.
 */

#include <linux/err.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "gate/gate_async.h"
#include "core/hold.h"
#include "core/pending.h"

#define ONE	2ULL	/* in the entry's word: bit 0 is its lock */

/**
 * struct weir_async - a queued acquisition
 * @pending: first: all of it is freed by that
 * @place: in the queue
 * @g: the gate; good while it is in the queue
 * @timer: in the tree of deadlines, or empty; its lock
 * @until: CLOCK_BOOTTIME, ns
 * @end: what became of it, once it has ended: enum weir_gate_answer or an errno; entry's
 *	lock
 */
struct weir_async {
	struct weir_pending	pending;
	struct weir_gate_place	place;
	struct weir_gate	*g;
	struct rb_node		timer;
	u64			until;
	int			end;
};

/* Of all gates, innermost. */
static DEFINE_SPINLOCK(deadline_lock);
static struct rb_root_cached deadlines = RB_ROOT_CACHED;
static struct task_struct *watcher;

static struct weir_async *async_of(struct weir_pending *p)
{
	return p ? container_of(p, struct weir_async, pending) : NULL;
}

/* Memory for one, or NULL. May sleep. */
struct weir_async *weir_async_new(void)
{
	return kmalloc(sizeof(struct weir_async), GFP_KERNEL_ACCOUNT);
}

void weir_async_discard(struct weir_async *new)
{
	kfree(new);
}

/* ------------------------------------------------------------ deadlines */

static bool is_sooner(struct rb_node *node, const struct rb_node *other)
{
	return rb_entry(node, struct weir_async, timer)->until <
	       rb_entry(other, struct weir_async, timer)->until;
}

static void timer_add(struct weir_async *a)
{
	spin_lock(&deadline_lock);
	if (rb_add_cached(&a->timer, &deadlines, is_sooner))
		wake_up_process(watcher);
	spin_unlock(&deadline_lock);
}

/*
 * It has left its queue, and is in the gate's list still: the watcher takes it that one
 * which has a deadline is in there, and so keeps its gate. Entry locked.
 */
void weir_async_left(struct weir_gate_place *p)
{
	struct weir_async *a = container_of(p, struct weir_async, place);

	if (a->until == WEIR_NEVER)
		return;
	spin_lock(&deadline_lock);
	/* granted while it joined: it has not got there */
	if (!RB_EMPTY_NODE(&a->timer))
		rb_erase_cached(&a->timer, &deadlines);
	RB_CLEAR_NODE(&a->timer);
	spin_unlock(&deadline_lock);
}

/* ------------------------------------------------------------ in the entry's lock */

/* It has left the queue. */
static void async_end(struct weir_async *a, int end)
{
	a->end = end;
	weir_pending_end(&a->pending);
}

void weir_async_granted(struct weir_gate_place *p)
{
	async_end(container_of(p, struct weir_async, place), WEIR_GATE_GRANTED);
}

/* It is the holder's no longer: nothing keeps the entry. */
static void async_drop(struct weir_hold *h, u64 *word)
{
	weir_pending_drop(h);
	*word -= ONE;
}

/**
 * weir_async_begin - into the queue, without sleep
 * @g: the gate
 * @e: the entry, locked
 * @h: the caller's hold, with none pending
 * @new: from weir_async_new(); NULL goes there if it was used
 * @op: how many, and until when
 * @word: the entry's
 *
 * Return: WEIR_GATE_QUEUED; WEIR_GATE_GRANTED after all; -ENODEV, -E2BIG, -ENOMEM.
 */
int weir_async_begin(struct weir_gate *g, struct weir_entry *e, struct weir_hold *h,
		     struct weir_async **new, const struct weir_op *op, u64 *word)
{
	struct weir_async *a = *new;
	int err;

	if (!a)
		return -ENOMEM;
	*new = NULL;
	a->place = (struct weir_gate_place){ .async = true, .hold = h };
	a->g = g;
	a->until = op->arg;
	RB_CLEAR_NODE(&a->timer);
	weir_pending_begin(h, &a->pending);
	*word += ONE;
	err = weir_gate_join(g, &a->place, e, op->n);
	if (err < 0) {
		async_drop(h, word);
		return err;
	}
	if (!weir_pending_waits(&a->pending)) {
		async_drop(h, word);
		return a->end;
	}
	if (a->until != WEIR_NEVER)
		timer_add(a);
	return WEIR_GATE_QUEUED;
}

/**
 * weir_async_collect - how the queued acquisition stands
 * @h: the hold
 * @n: how many it is thought to be for
 * @word: the entry's
 *
 * If it has ended it is collected by this. Context: entry locked, RCU read side.
 * Return: WEIR_GATE_QUEUED, WEIR_GATE_GRANTED, WEIR_GATE_LATE; -ENOENT: there is none;
 * -EINVAL: it is for another number; -E2BIG, -ENODEV.
 */
int weir_async_collect(struct weir_hold *h, u32 n, u64 *word)
{
	struct weir_async *a = async_of(READ_ONCE(h->pending));

	if (!a)
		return -ENOENT;
	if (a->place.turn.n != n)
		return -EINVAL;
	if (weir_pending_waits(&a->pending))
		return WEIR_GATE_QUEUED;
	async_drop(h, word);
	return a->end;
}

/**
 * weir_async_cancel - take the queued acquisition back
 * @g: the gate
 * @e: the entry, locked
 * @h: the hold
 * @word: the entry's
 *
 * Who stood behind it gets what is free. Context: RCU read side.
 * Return: WEIR_GATE_TAKEN_BACK; or it had ended, and is collected: as
 * weir_async_collect(). -ENOENT: there is none.
 */
int weir_async_cancel(struct weir_gate *g, struct weir_entry *e, struct weir_hold *h,
		      u64 *word)
{
	struct weir_async *a = async_of(READ_ONCE(h->pending));

	if (!a)
		return -ENOENT;
	if (!weir_pending_waits(&a->pending))
		return weir_async_collect(h, a->place.turn.n, word);
	weir_gate_leave(g, &a->place);
	async_drop(h, word);
	weir_gate_hand_on(g, e);
	return WEIR_GATE_TAKEN_BACK;
}

/* Permits that the holder will get before who stands behind him now. */
u32 weir_async_wanted(const struct weir_hold *h)
{
	struct weir_async *a = async_of(READ_ONCE(h->pending));

	return a && weir_pending_waits(&a->pending) ? a->place.turn.n : 0;
}

/* ------------------------------------------------------------ from outside */

/* Why it has to leave the queue, or WEIR_GATE_QUEUED. Entry locked. */
static int reason_to_leave(const struct weir_gate *g, const struct weir_async *a)
{
	if (!weir_object_alive(&g->obj))
		return -ENODEV;
	if (a->place.turn.n > READ_ONCE(g->permits))
		return -E2BIG;
	return a->until > ktime_get_boottime_ns() ? WEIR_GATE_QUEUED : WEIR_GATE_LATE;
}

/*
 * The gate has changed, or time has gone by. Under RCU; @a was found in a list just now,
 * so it and its gate are there.
 */
static void look_again(struct weir_async *a)
{
	struct weir_gate *g = a->g;
	struct weir_entry *e = a->place.e;
	u64 word;
	int ret;

	/* it may have left the queue since */
	if (!weir_table_lock(&g->table, e, &word))
		return;
	weir_gate_hand_on(g, e);
	ret = list_empty(&a->place.turn.node) ? WEIR_GATE_QUEUED : reason_to_leave(g, a);
	if (ret != WEIR_GATE_QUEUED) {
		weir_gate_leave(g, &a->place);
		async_end(a, ret);
		if (ret == WEIR_GATE_LATE) {
			this_cpu_inc(g->totals->refused);
			this_cpu_inc(g->totals->timeouts);
		}
		/* it stood before others who may fit */
		weir_gate_hand_on(g, e);
	}
	weir_gate_unlock(g, e, weir_table_hash_of(&g->table, e), word);
}

/* One of them, back to where they belong; NULL: that was all. */
static struct weir_async *next_of(struct weir_gate *g, struct list_head *all)
{
	struct weir_gate_place *p;

	spin_lock_bh(&g->lock);
	p = list_first_entry_or_null(all, struct weir_gate_place, all);
	if (p)
		list_move_tail(&p->all, &g->async);
	spin_unlock_bh(&g->lock);
	return p ? container_of(p, struct weir_async, place) : NULL;
}

/* As weir_gate_kick(), which calls it; the caller keeps the gate. May sleep. */
void weir_async_kick(struct weir_gate *g)
{
	struct weir_async *a;
	LIST_HEAD(all);

	/* they may leave from there as well, and who joins from now on has seen the change */
	spin_lock_bh(&g->lock);
	list_splice_init(&g->async, &all);
	spin_unlock_bh(&g->lock);
	do {
		rcu_read_lock();
		a = next_of(g, &all);
		if (a)
			look_again(a);
		rcu_read_unlock();
		cond_resched();
	} while (a);
}

/* The first whose time is up; else NULL, and when that will be. */
static struct weir_async *first_due(u64 *until)
{
	struct weir_async *a;
	struct rb_node *node;

	spin_lock_bh(&deadline_lock);
	node = rb_first_cached(&deadlines);
	a = node ? rb_entry(node, struct weir_async, timer) : NULL;
	*until = a ? a->until : WEIR_NEVER;
	spin_unlock_bh(&deadline_lock);
	return *until <= ktime_get_boottime_ns() ? a : NULL;
}

/* False: none was due, and *@until says when one will be. */
static bool end_one(u64 *until)
{
	struct weir_async *a;

	/* it is in its queue when it is found, so its gate stays as long as this */
	rcu_read_lock();
	a = first_due(until);
	if (a)
		look_again(a);
	rcu_read_unlock();
	return a;
}

static void sleep_until(u64 until)
{
	ktime_t time = ns_to_ktime(min_t(u64, until, KTIME_MAX));

	schedule_hrtimeout_range_clock(until == WEIR_NEVER ? NULL : &time,
				       WEIR_GATE_SLACK_NS, HRTIMER_MODE_ABS,
				       CLOCK_BOOTTIME);
}

static int watch(void *unused)
{
	u64 until;

	while (!kthread_should_stop()) {
		while (end_one(&until))
			cond_resched();
		set_current_state(TASK_IDLE);
		/* pairs with timer_add(): it wakes who has not seen the new first one */
		if (first_due(&until) || kthread_should_stop())
			__set_current_state(TASK_RUNNING);
		else
			sleep_until(until);
	}
	return 0;
}

int weir_async_mod_init(void)
{
	struct task_struct *task = kthread_run(watch, NULL, "weir_deadline");

	/* the one that frees it frees all */
	BUILD_BUG_ON(offsetof(struct weir_async, pending));
	if (IS_ERR(task))
		return PTR_ERR(task);
	watcher = task;
	return 0;
}

/* Context: no client is there any more, so nobody is in a queue. */
void weir_async_mod_exit(void)
{
	kthread_stop(watcher);
}
