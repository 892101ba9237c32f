// SPDX-License-Identifier: GPL-2.0-only
/* Gates as objects: their configuration is checked, changed and shown. */

#include <linux/err.h>
#include <linux/slab.h>

#include "core/client.h"
#include "gate/gate.h"
#include "core/registry.h"
#include "core/sysfs.h"

#define KEYS_A_BUCKET	8	/* average length of a chain of the table with max_keys keys */

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
 * &weir_table_ops.idle_at: a key without held permits and without waiters is like a new key.
 * Gates do not use @word.
 */
u64 weir_gate_idle_at(struct weir_table *t, const struct weir_entry *e, u64 word,
		      u64 now)
{
	const struct weir_gate *g = container_of(t, struct weir_gate, table);

	if (!weir_gate_queue_is_idle(&e->queue) || g->spec.type == WEIR_KEY_NONE)
		return WEIR_EXPIRY_NEVER;
	return now;
}

static const struct weir_table_ops gate_table_ops = {
	.idle_at = weir_gate_idle_at,
};

static struct weir_object *gate_create(struct weir_client *client, void *arg)
{
	struct weir_gate_config *config = arg;
	struct weir_gate *g;
	int err = config_check(config);

	if (err)
		return ERR_PTR(err);
	g = weir_keyed_new(sizeof(*g), config->key_type, config->max_keys,
			   config->prefix4, config->prefix6);
	if (!g)
		return ERR_PTR(-ENOMEM);
	g->config = *config;
	g->permits = config->permits;
	g->queue_max = config->queue_max;
	return &g->obj;
}

/* Return: the configuration in force. */
static struct weir_gate_config config_now(const struct weir_gate *g)
{
	struct weir_gate_config c = g->config;

	c.permits = READ_ONCE(g->permits);
	c.queue_max = READ_ONCE(g->queue_max);
	c.max_keys = READ_ONCE(g->table.max_keys);
	return c;
}

static int gate_set(struct weir_client *client, struct weir_object *o, u64 mask,
		    const void *config)
{
	struct weir_gate *g = weir_gate(o);
	const struct weir_gate_config *new = config;
	struct weir_gate_config c = config_now(g);
	int err;

	lockdep_assert_held(&o->set_lock);
	if (!mask || mask & ~SET_ALL || memchr_inv(new->reserved, 0, sizeof(new->reserved)))
		return -EINVAL;
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
		err = weir_registry_change(o, c.max_keys, mask, weir_client_admin(client));
	if (err)
		return err;
	WRITE_ONCE(g->permits, c.permits);
	WRITE_ONCE(g->queue_max, c.queue_max);
	WRITE_ONCE(g->table.max_keys, c.max_keys);
	/* grant the permits that are free now, and end the requests that can never be served */
	weir_gate_kick(g);
	/* all decisions are made under RCU: after this, no task uses the old configuration */
	synchronize_rcu();
	return 0;
}

/*
 * &weir_kind_ops.stats. The permits in use and the number of waiters are sums of differences: exact
 * if no permits are acquired or released meanwhile. A sum below 0 is reported as 0.
 */
static void stats_read(struct weir_object *o, void *to)
{
	struct weir_gate_stats *stats = to;

	weir_keyed_stats_read(o, to);
	stats->in_use = max_t(s64, stats->in_use, 0);
	stats->waiting = max_t(s64, stats->waiting, 0);
	stats->permits = READ_ONCE(weir_gate(o)->permits);
}

WEIR_KEYED_STATS_ASSERT(weir_gate_stats, weir_gate_totals, acquired, waiting);

/* &weir_kind_ops.config */
static void config_read(struct weir_object *o, void *to)
{
	*(struct weir_gate_config *)to = config_now(weir_gate(o));
}

static void gate_on_delete(struct weir_object *o)
{
	weir_gate_kick(weir_gate(o));
}

/* ------------------------------------------------------------ /sys/kernel/weir/gates */

static struct attribute *gate_attrs[] = {
	WEIR_STAT(permits, weir_gate_stats, permits),
	WEIR_STAT(in_use, weir_gate_stats, in_use),
	WEIR_STAT(waiting, weir_gate_stats, waiting),
	WEIR_STAT(acquired, weir_gate_stats, acquired),
	WEIR_STAT(refused, weir_gate_stats, refused),
	WEIR_STAT(timeouts, weir_gate_stats, timeouts),
	WEIR_STAT(reclaimed, weir_gate_stats, reclaimed),
	WEIR_STAT(keys, weir_gate_stats, keys),
	WEIR_STAT(max_keys, weir_gate_stats, max_keys),
	WEIR_STAT(full, weir_gate_stats, full),
	NULL,
};

static const struct weir_op_desc gate_opcodes[] = {
	{ &weir_gate_ops, WEIR_OP_ACQUIRE, WEIR_RIGHT_USE,
	  WEIR_OP_PTR | WEIR_OP_ASYNC | WEIR_OP_RELATIVE, WEIR_OPF_TAG | WEIR_OPF_ALONE,
	  1, U32_MAX, 0, U64_MAX },
	{ &weir_gate_ops, WEIR_OP_RELEASE, WEIR_RIGHT_USE, WEIR_OP_PTR, WEIR_OPF_TAG,
	  1, U32_MAX, 0, 0 },
	{ &weir_gate_ops, WEIR_OP_CANCEL, WEIR_RIGHT_USE, WEIR_OP_PTR, WEIR_OPF_TAG,
	  0, 0, 0, 0 },
	{ &weir_gate_ops, WEIR_OP_GATE_STATE, WEIR_RIGHT_OBSERVE, WEIR_OP_PTR,
	  WEIR_OPF_TAG, 0, 0, 0, 0 },
	{}
};

const struct weir_kind_ops weir_gate_ops = {
	.kind		= WEIR_KIND_GATE,
	.dir		= "gates",
	.config		= WEIR_ABI_STRUCT(weir_gate_config, prefix6, config_read),
	.stats		= WEIR_ABI_STRUCT(weir_gate_stats, permits, stats_read),
	.create		= gate_create,
	.table_ops	= &gate_table_ops,
	.totals_size	= sizeof(struct weir_gate_totals),
	.build		= weir_keyed_build,
	.release	= weir_keyed_release,
	.set		= gate_set,
	.on_delete	= gate_on_delete,
	.give_back	= weir_gate_give_back,
	.attrs		= gate_attrs,
	.opcodes	= gate_opcodes,
	.check		= weir_op_check_key,
	.key		= weir_keyed_op_key,
	.run		= weir_gate_run,
};
