// SPDX-License-Identifier: GPL-2.0-only
/* Structs by which users configure and see objects. See view.h. */

#include <linux/bug.h>
#include <linux/sched.h>
#include <linux/sysfs.h>

#include "core/sysfs.h"
#include "core/uaccess.h"
#include "core/view.h"

#define SETTLE_STEPS	64	/* before one read of the totals */

/**
 * weir_view_take - copy in the struct that configures an object
 * @view: the kind's
 * @to: u64[WEIR_VIEW_WORDS]
 * @user: the user's
 *
 * Context: may sleep.
 *
 * Return: 0, -EINVAL, -E2BIG, -EFAULT.
 */
int weir_view_take(const struct weir_view *view, u64 *to, u64 user)
{
	if (WARN_ON_ONCE(view->size > WEIR_VIEW_WORDS * sizeof(*to)))
		return -EINVAL;
	return weir_user_get(to, view->size, user, view->min_size);
}

static int view_get(struct weir_object *o, const struct weir_view *view, u64 user)
{
	u64 v[WEIR_VIEW_WORDS];
	u32 *size = (u32 *)v, user_size;
	int err = weir_view_take(view, v, user);

	if (err)
		return err;
	user_size = *size;
	rcu_read_lock();
	if (weir_object_alive(o))
		view->read(o, v);
	else
		err = -ENODEV;
	rcu_read_unlock();
	*size = user_size;
	return err ?: weir_user_put(v, view->size, user);
}

/* One step of &weir_kind_ops.settle; false: nothing is left. */
static bool settle_step(struct weir_object *o)
{
	bool more;

	rcu_read_lock();
	more = o->ops->settle && weir_object_alive(o) && o->ops->settle(o);
	rcu_read_unlock();
	return more;
}

static void settle(struct weir_object *o)
{
	unsigned int steps;

	for (steps = 0; steps < SETTLE_STEPS && settle_step(o); steps++)
		cond_resched();
}

/**
 * weir_view_get - WEIR_IOC_GET of an object that &weir_kind_ops.config and stats describe
 * @o: the object
 * @user_config: where the user wants its configuration, or 0
 * @user_stats: where the user wants its totals, or 0
 *
 * Context: may sleep; the header is held.
 * Return: 0, -EINVAL, -E2BIG, -EFAULT, -ENODEV.
 */
int weir_view_get(struct weir_object *o, u64 user_config, u64 user_stats)
{
	int err = user_config ? view_get(o, &o->ops->config, user_config) : 0;

	if (err || !user_stats)
		return err;
	settle(o);
	return view_get(o, &o->ops->stats, user_stats);
}

/*
 * &weir_attribute.show of WEIR_STAT(): @offset is the total's in the struct of totals. It does
 * not reschedule: the removal of the folder waits for it.
 */
ssize_t weir_stat_show(struct weir_object *o, unsigned int offset, char *buffer)
{
	u64 stats[WEIR_VIEW_WORDS] = {};

	settle_step(o);
	o->ops->stats.read(o, stats);
	return sysfs_emit(buffer, "%llu\n", stats[offset / sizeof(u64)]);
}
