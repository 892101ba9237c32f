// SPDX-License-Identifier: GPL-2.0-only
/* An object's configuration and totals, for users. See view.h. */

#include <linux/bug.h>

#include "core/object.h"
#include "core/user.h"
#include "core/view.h"

/* Room for any of them; each begins with its size. */
union viewed {
	u32				size;
	struct weir_limiter_config	limiter_config;
	struct weir_limiter_stats	limiter_stats;
	struct weir_gate_config		gate_config;
	struct weir_gate_stats		gate_stats;
	struct weir_breaker_config	breaker_config;
	struct weir_breaker_stats	breaker_stats;
	struct weir_roster_config	roster_config;
	struct weir_roster_stats	roster_stats;
};

static int view_get(struct weir_object *o, const struct weir_view *view, u64 user)
{
	union viewed v;
	u32 size;
	int err;

	if (WARN_ON_ONCE(view->size > sizeof(v)))
		return -EINVAL;
	err = weir_user_get(&v, view->size, user, view->min_size);
	if (err)
		return err;
	size = v.size;
	rcu_read_lock();
	if (weir_object_alive(o))
		view->read(o, &v);
	else
		err = -ENODEV;
	rcu_read_unlock();
	v.size = size;
	return err ?: weir_user_put(&v, view->size, user);
}

/**
 * weir_view_get - &weir_kind_ops.get
 * @o: the object
 * @config: how to read its configuration
 * @user_config: where the user wants it, or 0
 * @stats: how to read its totals
 * @user_stats: where the user wants them, or 0
 *
 * Context: may sleep; the header is held.
 * Return: 0, -EINVAL, -E2BIG, -EFAULT, -ENODEV.
 */
int weir_view_get(struct weir_object *o, const struct weir_view *config, u64 user_config,
		  const struct weir_view *stats, u64 user_stats)
{
	int err = user_config ? view_get(o, config, user_config) : 0;

	if (!err && user_stats)
		err = view_get(o, stats, user_stats);
	return err;
}
