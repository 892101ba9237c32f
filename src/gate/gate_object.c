// SPDX-License-Identifier: GPL-2.0-only
/* Gates as objects: configuration checked, changed, shown. */

#include <linux/err.h>
#include <linux/slab.h>

#include "compat/hrtimer.h"
#include "gate/gate_async.h"
#include "core/registry.h"
#include "core/sysfs.h"
#include "core/user.h"
#include "core/view.h"

#define KEYS_A_BUCKET	8	/* how long max_keys may make the chains */

#define CONFIG_MIN_SIZE	offsetofend(struct weir_gate_config, prefix6)
#define SET_ALL		(WEIR_SET_PERMITS | WEIR_SET_MAX_KEYS | WEIR_SET_QUEUE_MAX)

/* Check a configuration and fill in its defaults. */
static int config_check(struct weir_gate_config *c)
{
	if (!c->permits || c->permits > WEIR_PERMITS_MAX ||
	    memchr_inv(c->reserved, 0, sizeof(c->reserved)))
		return -EINVAL;
	return weir_key_config(c->key_type, &c->max_keys, &c->prefix4, &c->prefix6);
}

/*
 * &weir_table_ops.idle_at: a key without permits out is as good as a new one. @word: see
 * gate_async.c.
 */
u64 weir_gate_idle_at(struct weir_table *t, const struct weir_entry *e, u64 word,
		      u64 now)
{
	const struct weir_gate *g = container_of(t, struct weir_gate, table);

	if (!weir_gate_queue_is_idle(&e->queue) || word || g->spec.type == WEIR_KEY_NONE)
		return WEIR_EXPIRY_NEVER;
	return now;
}

static void gate_evicted(struct weir_table *t, unsigned int n, bool for_room)
{
}

static const struct weir_table_ops gate_table_ops = {
	.idle_at = weir_gate_idle_at,
	.evicted = gate_evicted,
};

static struct weir_object *gate_create(u64 user_config)
{
	struct weir_gate_config config;
	struct weir_gate *g;
	int err;

	err = weir_user_get(&config, sizeof(config), user_config, CONFIG_MIN_SIZE);
	if (!err)
		err = config_check(&config);
	if (err)
		return ERR_PTR(err);
	g = kzalloc(sizeof(*g), GFP_KERNEL_ACCOUNT);
	if (!g)
		return ERR_PTR(-ENOMEM);
	g->config = config;
	g->permits = config.permits;
	g->queue_max = config.queue_max;
	g->obj.quota_keys = config.max_keys;
	weir_key_spec_init(&g->spec, config.key_type, config.prefix4, config.prefix6);
	mutex_init(&g->set_lock);
	spin_lock_init(&g->lock);
	INIT_LIST_HEAD(&g->waiters);
	INIT_LIST_HEAD(&g->async);
	g->deadlines = RB_ROOT_CACHED;
	weir_hrtimer_setup(&g->timer, weir_async_timer, CLOCK_BOOTTIME,
			   HRTIMER_MODE_ABS_SOFT);
	return &g->obj;
}

static int gate_build(struct weir_object *o)
{
	struct weir_gate *g = weir_gate(o);

	g->totals = alloc_percpu_gfp(struct weir_gate_totals,
				     GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!g->totals)
		return -ENOMEM;
	return weir_table_init(&g->table, o->quota_keys, &gate_table_ops);
}

static void gate_release(struct weir_object *o)
{
	struct weir_gate *g = weir_gate(o);

	hrtimer_cancel(&g->timer);
	weir_table_destroy(&g->table);
	free_percpu(g->totals);
}

/* The configuration that is in force. */
static struct weir_gate_config config_now(const struct weir_gate *g)
{
	struct weir_gate_config c = g->config;

	c.permits = READ_ONCE(g->permits);
	c.queue_max = READ_ONCE(g->queue_max);
	c.max_keys = READ_ONCE(g->table.max_keys);
	return c;
}

static int gate_change(struct weir_gate *g, const struct weir_gate_config *new,
		       u64 mask)
{
	struct weir_gate_config c = config_now(g);
	int err;

	lockdep_assert_held(&g->set_lock);
	if (mask & WEIR_SET_PERMITS)
		c.permits = new->permits;
	if (mask & WEIR_SET_MAX_KEYS)
		c.max_keys = new->max_keys;
	if (mask & WEIR_SET_QUEUE_MAX)
		c.queue_max = new->queue_max;
	err = config_check(&c);
	if (!err && c.max_keys > KEYS_A_BUCKET * (u64)g->table.nbuckets)
		err = -ERANGE;
	if (!err)
		err = weir_registry_change(&g->obj, c.max_keys, mask);
	if (err)
		return err;
	WRITE_ONCE(g->permits, c.permits);
	WRITE_ONCE(g->queue_max, c.queue_max);
	WRITE_ONCE(g->table.max_keys, c.max_keys);
	/* those for whom there are permits now, and those for whom there never will be */
	weir_gate_kick(g);
	/* after this nobody decides by what was before: all do it under RCU */
	synchronize_rcu();
	return 0;
}

static int gate_set(struct weir_object *o, u64 mask, u64 user_config)
{
	struct weir_gate *g = weir_gate(o);
	struct weir_gate_config new;
	int err;

	err = weir_user_get(&new, sizeof(new), user_config, CONFIG_MIN_SIZE);
	if (err)
		return err;
	if (!mask || mask & ~SET_ALL || memchr_inv(new.reserved, 0, sizeof(new.reserved)))
		return -EINVAL;
	if (!weir_object_live_get(o))
		return -ENODEV;
	err = mutex_lock_interruptible(&g->set_lock);
	if (!err) {
		err = gate_change(g, &new, mask);
		mutex_unlock(&g->set_lock);
	}
	weir_object_live_put(o);
	return err;
}

/**
 * weir_gate_stats_read - the totals, each by itself exact
 * @g: the gate
 * @stats: all but the size is filled in
 *
 * What is in use and who waits are sums of differences: exact when nobody acquires
 * or releases at that moment. Else they may come out below nothing, which is told as 0.
 */
void weir_gate_stats_read(struct weir_gate *g, struct weir_gate_stats *stats)
{
	u32 size = stats->size;
	int cpu;

	*stats = (struct weir_gate_stats){
		.size = size,
		.permits = READ_ONCE(g->permits),
		.keys = weir_table_keys(&g->table),
		.max_keys = READ_ONCE(g->table.max_keys),
	};
	for_each_possible_cpu(cpu) {
		struct weir_gate_totals *t = per_cpu_ptr(g->totals, cpu);

		stats->in_use += READ_ONCE(t->in_use);
		stats->waiting += READ_ONCE(t->waiting);
		stats->acquired += READ_ONCE(t->acquired);
		stats->refused += READ_ONCE(t->refused);
		stats->timeouts += READ_ONCE(t->timeouts);
		stats->reclaimed += READ_ONCE(t->reclaimed);
		stats->full += READ_ONCE(t->full);
	}
	stats->in_use = max_t(s64, stats->in_use, 0);
	stats->waiting = max_t(s64, stats->waiting, 0);
}

static void config_read(struct weir_object *o, void *to)
{
	*(struct weir_gate_config *)to = config_now(weir_gate(o));
}

static void stats_read(struct weir_object *o, void *to)
{
	weir_gate_stats_read(weir_gate(o), to);
}

static int gate_get(struct weir_object *o, u64 user_config, u64 user_stats)
{
	static const struct weir_view config = {
		sizeof(struct weir_gate_config), CONFIG_MIN_SIZE, config_read
	};
	static const struct weir_view stats = {
		sizeof(struct weir_gate_stats),
		offsetofend(struct weir_gate_stats, full), stats_read
	};

	return weir_view_get(o, &config, user_config, &stats, user_stats);
}

static void gate_on_delete(struct weir_object *o)
{
	weir_gate_kick(weir_gate(o));
}

static u64 gate_keys(struct weir_object *o)
{
	return weir_table_keys(&weir_gate(o)->table);
}

/* ------------------------------------------------------------ /sys/kernel/weir/gates */

enum gate_stat {
	PERMITS,
	IN_USE,
	WAITING,
	ACQUIRED,
	REFUSED,
	TIMEOUTS,
	RECLAIMED,
	KEYS,
	MAX_KEYS,
	FULL,
};

static ssize_t stat_show(struct weir_object *o, unsigned int index, char *buffer)
{
	struct weir_gate_stats s = {};
	const u64 *values[] = {
		[PERMITS] = &s.permits, [IN_USE] = &s.in_use, [WAITING] = &s.waiting,
		[ACQUIRED] = &s.acquired, [REFUSED] = &s.refused,
		[TIMEOUTS] = &s.timeouts, [RECLAIMED] = &s.reclaimed,
		[KEYS] = &s.keys, [MAX_KEYS] = &s.max_keys, [FULL] = &s.full,
	};

	weir_gate_stats_read(weir_gate(o), &s);
	return sysfs_emit(buffer, "%llu\n", *values[index]);
}

static WEIR_ATTRIBUTE(permits, stat_show, PERMITS);
static WEIR_ATTRIBUTE(in_use, stat_show, IN_USE);
static WEIR_ATTRIBUTE(waiting, stat_show, WAITING);
static WEIR_ATTRIBUTE(acquired, stat_show, ACQUIRED);
static WEIR_ATTRIBUTE(refused, stat_show, REFUSED);
static WEIR_ATTRIBUTE(timeouts, stat_show, TIMEOUTS);
static WEIR_ATTRIBUTE(reclaimed, stat_show, RECLAIMED);
static WEIR_ATTRIBUTE(keys, stat_show, KEYS);
static WEIR_ATTRIBUTE(max_keys, stat_show, MAX_KEYS);
static WEIR_ATTRIBUTE(full, stat_show, FULL);

static struct attribute *gate_attrs[] = {
	&weir_attr_permits.attr,
	&weir_attr_in_use.attr,
	&weir_attr_waiting.attr,
	&weir_attr_acquired.attr,
	&weir_attr_refused.attr,
	&weir_attr_timeouts.attr,
	&weir_attr_reclaimed.attr,
	&weir_attr_keys.attr,
	&weir_attr_max_keys.attr,
	&weir_attr_full.attr,
	NULL,
};

static int gate_sysfs_add(struct weir_object *o)
{
	o->node->group.attrs = gate_attrs;
	return 0;
}

const struct weir_kind_ops weir_gate_ops = {
	.kind		= WEIR_KIND_GATE,
	.dir		= "gates",
	.create		= gate_create,
	.build		= gate_build,
	.release	= gate_release,
	.set		= gate_set,
	.get		= gate_get,
	.on_delete	= gate_on_delete,
	.give_back	= weir_gate_give_back,
	.keys		= gate_keys,
	.sysfs_add	= gate_sysfs_add,
	.opcodes	= weir_gate_opcodes,
	.check		= weir_op_check_key,
	.run		= weir_gate_op_run,
};
