// SPDX-License-Identifier: GPL-2.0-only
/* Copies of the structs with which users configure and read objects. */

#include <linux/sched.h>
#include <linux/sysfs.h>

#include "core/object.h"
#include "core/sysfs.h"
#include "core/uaccess.h"

#define SETTLE_STEPS	64	/* steps before one read of the totals */

static int abi_struct_copy_out(struct weir_object *o, const struct weir_abi_struct *s,
			       u64 user)
{
	u64 v[WEIR_ABI_STRUCT_WORDS];
	u32 *size = (u32 *)v, user_size;
	int err = weir_user_get(v, s->size, user, s->min_size);

	if (err)
		return err;
	user_size = *size;
	rcu_read_lock();
	if (weir_object_alive(o))
		s->read(o, v);
	else
		err = -ENODEV;
	rcu_read_unlock();
	*size = user_size;
	return err ?: weir_user_put(v, s->size, user);
}

/* Perform one step of &weir_kind_ops.settle. Return: false if no step is left. */
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
 * weir_object_copy_out - WEIR_IOC_GET of a kind that has no &weir_kind_ops.get
 * @o: the object
 * @user_config: address for the configuration, or 0
 * @user_stats: address for the totals, or 0
 *
 * Context: may sleep; the header is held.
 * Return: 0, -EINVAL, -E2BIG, -EFAULT, -ENODEV.
 */
int weir_object_copy_out(struct weir_object *o, u64 user_config, u64 user_stats)
{
	int err = user_config ? abi_struct_copy_out(o, &o->ops->config, user_config) : 0;

	if (err || !user_stats)
		return err;
	settle(o);
	return abi_struct_copy_out(o, &o->ops->stats, user_stats);
}

/*
 * &weir_attribute.show of WEIR_STAT(). @offset is that of the total in the struct of totals. It
 * must not reschedule, because the removal of the folder waits for it.
 */
ssize_t weir_stat_show(struct weir_object *o, unsigned int offset, char *buffer)
{
	u64 stats[WEIR_ABI_STRUCT_WORDS] = {};

	settle_step(o);
	o->ops->stats.read(o, stats);
	return sysfs_emit(buffer, "%llu\n", stats[offset / sizeof(u64)]);
}
