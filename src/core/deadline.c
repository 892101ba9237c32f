// SPDX-License-Identifier: GPL-2.0-only
/* Deadlines, and the timer of each owner. See deadline.h. */

#include <linux/ktime.h>
#include <linux/rcupdate.h>

#include <uapi/linux/weir.h>

#include "compat/hrtimer.h"
#include "core/deadline.h"

#define STEP		64	/* deadlines handled in one run of the timer, about */
#define PAUSE_NS	(20 * NSEC_PER_USEC)	/* pause before the next run */
#define SLACK_NS	(50 * NSEC_PER_USEC)

static struct weir_deadline *deadline_of(struct rb_node *node)
{
	return rb_entry_safe(node, struct weir_deadline, node);
}

static bool is_sooner(struct rb_node *node, const struct rb_node *other)
{
	return deadline_of(node)->until < rb_entry(other, struct weir_deadline, node)->until;
}

/*
 * Start the timer for the first deadline, or for @earliest if that is later. @earliest is now or
 * later: a timer that is started for a time in the past would expire in the softirq that is
 * running.
 */
static void timer_start(struct weir_deadlines *all, u64 earliest)
{
	struct weir_deadline *first = deadline_of(rb_first_cached(&all->tree));
	u64 at;

	lockdep_assert_held(&all->lock);
	if (!first)
		return;
	at = max(first->until, earliest);
	hrtimer_start_range_ns(&all->timer, ns_to_ktime(min_t(u64, at, KTIME_MAX)),
			       at > earliest ? SLACK_NS : 0, HRTIMER_MODE_ABS_SOFT);
}

/* Return: the first deadline that has passed; or NULL. */
static struct weir_deadline *first_due(struct weir_deadlines *all)
{
	struct weir_deadline *d;

	spin_lock_bh(&all->lock);
	d = deadline_of(rb_first_cached(&all->tree));
	if (d && d->until > ktime_get_boottime_ns())
		d = NULL;
	spin_unlock_bh(&all->lock);
	return d;
}

/*
 * deadline_add() restarts the timer under the lock if the new deadline is the first, even
 * while this function runs. So no deadline is missed.
 */
static enum hrtimer_restart timer_expired(struct hrtimer *timer)
{
	struct weir_deadlines *all = container_of(timer, struct weir_deadlines, timer);
	struct weir_deadline *d;
	unsigned int n = 0;

	do {
		rcu_read_lock();
		d = first_due(all);
		if (d)
			n += d->expire(d);
		rcu_read_unlock();
	} while (d && n < STEP);
	spin_lock_bh(&all->lock);
	timer_start(all, ktime_get_boottime_ns() + (d ? PAUSE_NS : 0));
	spin_unlock_bh(&all->lock);
	return HRTIMER_NORESTART;
}

void weir_deadlines_init(struct weir_deadlines *all)
{
	spin_lock_init(&all->lock);
	all->tree = RB_ROOT_CACHED;
	weir_hrtimer_setup(&all->timer, timer_expired, CLOCK_BOOTTIME, HRTIMER_MODE_ABS_SOFT);
}

/* Context: may sleep; no deadline may be left. */
void weir_deadlines_exit(struct weir_deadlines *all)
{
	hrtimer_cancel(&all->timer);
}

static void deadline_add(struct weir_deadline *d)
{
	struct weir_deadlines *all = d->of;

	spin_lock(&all->lock);
	if (rb_add_cached(&d->node, &all->tree, is_sooner))
		timer_start(all, ktime_get_boottime_ns());
	spin_unlock(&all->lock);
}

/* Remove a deadline from its tree, if it is in one. Context: softirqs off. */
void weir_deadline_del(struct weir_deadline *d)
{
	struct weir_deadlines *all = d->of;

	if (!all)
		return;
	spin_lock(&all->lock);
	if (!RB_EMPTY_NODE(&d->node))
		rb_erase_cached(&d->node, &all->tree);
	RB_CLEAR_NODE(&d->node);
	spin_unlock(&all->lock);
}

/*
 * Move a deadline, in a tree or not, to the tree of @to with another time. If that is WEIR_NEVER,
 * the deadline is in no tree then. Context: softirqs off.
 */
void weir_deadline_move(struct weir_deadline *d, struct weir_deadlines *to, u64 until)
{
	weir_deadline_del(d);
	d->of = to;
	d->until = until;
	if (until != WEIR_NEVER)
		deadline_add(d);
}
