// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sweep: drops idle entries of a table in the background, one group at a time, and only in
 * groups that have idle entries according to expiry.h.
 */

#include <linux/jiffies.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

#include "table/table.h"

/*
 * A run works for at most SLICE at a time, then yields. After a run that took d, the sweep rests
 * for REST_FACTOR * d, which limits its share of a CPU, but not for longer than REST_MAX, because a
 * long run may only have been preempted. PAUSE_MIN lets work accumulate. A run may miss a bound
 * that is lowered while another CPU raises it; PAUSE_MAX limits the time until the next run.
 */
#define SLICE		((u64)NSEC_PER_MSEC)
#define REST_FACTOR	20
#define REST_MAX	(10ULL * NSEC_PER_SEC)
#define PAUSE_MIN	((u64)NSEC_PER_SEC)
#define PAUSE_MAX	(60ULL * NSEC_PER_SEC)

static struct workqueue_struct *queue;

/* Drop idle entries. Return: false if none is left, true if the time slice is over. */
static bool sweep_slice(struct weir_table *t)
{
	u64 end = ktime_get_boottime_ns() + SLICE;
	bool more;

	do {
		more = weir_table_step(t);
	} while (more && ktime_get_boottime_ns() < end);
	return more;
}

/* Delay of a run that is due at @due, but not before @after, and not within PAUSE_MIN. */
static unsigned long sweep_delay(u64 due, u64 after, u64 now)
{
	u64 wait = max(due, after);

	wait = wait > now ? wait - now : 0;
	return nsecs_to_jiffies(clamp_t(u64, wait, PAUSE_MIN, PAUSE_MAX)) + 1;
}

static void sweep_work(struct work_struct *work)
{
	struct weir_table *t = container_of(to_delayed_work(work),
					    struct weir_table, sweep);
	u64 start = weir_table_now(t), now, due;

	while (!READ_ONCE(t->dying) && sweep_slice(t))
		cond_resched();
	now = weir_table_now(t);
	WRITE_ONCE(t->sweep_after,
		   now + min(REST_MAX, (now - start) * REST_FACTOR));
	due = weir_expiry_next(&t->expiry);
	/* NEVER: weir_expiry_lower() kicks the sweep. Pending: it was just kicked. */
	if (due != WEIR_EXPIRY_NEVER && !READ_ONCE(t->dying))
		queue_delayed_work(queue, &t->sweep,
				   sweep_delay(due, t->sweep_after, now));
}

/**
 * weir_sweep_kick - an entry will be idle at @idle_at, earlier than all others
 * @t: the table
 * @idle_at: ns since the table's epoch
 *
 * Context: any except hard interrupts.
 */
void weir_sweep_kick(struct weir_table *t, u64 idle_at)
{
	if (!READ_ONCE(t->dying))
		mod_delayed_work(queue, &t->sweep,
				 sweep_delay(idle_at, READ_ONCE(t->sweep_after),
					     weir_table_now(t)));
}

void weir_sweep_init(struct weir_table *t)
{
	INIT_DELAYED_WORK(&t->sweep, sweep_work);
}

/* Stop the sweep of a table that can no longer be reached. May sleep. */
void weir_sweep_stop(struct weir_table *t)
{
	WRITE_ONCE(t->dying, true);
	cancel_delayed_work_sync(&t->sweep);
}

int weir_sweep_mod_init(void)
{
	queue = alloc_workqueue("weir_sweep", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return queue ? 0 : -ENOMEM;
}

void weir_sweep_mod_exit(void)
{
	destroy_workqueue(queue);
}
