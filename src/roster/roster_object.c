// SPDX-License-Identifier: GPL-2.0-only
/* Rosters as objects: configuration checked, shown, with the totals and the leases. */

#include <linux/cred.h>
#include <linux/err.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "table/dump.h"
#include "roster/roster.h"
#include "core/sysfs.h"
#include "core/user.h"
#include "core/view.h"

#define CONFIG_MIN_SIZE	offsetofend(struct weir_roster_config, reserved)
#define STATS_MIN_SIZE	offsetofend(struct weir_roster_stats, full)

#define TTL_MAX		(10ULL * WEIR_NSEC_PER_YEAR)

#define RECORD_MAX	(sizeof(struct weir_lease_info) +	\
			 ALIGN(WEIR_KEY_MAX, 8) + ALIGN(WEIR_VALUE_MAX, 8))
#define LEAST		1024
#define GROUPS_A_READ	64	/* looked at for ended leases by one read of the totals */

/* Check a configuration and fill in its defaults. */
static int config_check(struct weir_roster_config *c)
{
	if (c->ttl > TTL_MAX || memchr_inv(c->reserved, 0, sizeof(c->reserved)))
		return -EINVAL;
	return weir_key_config(c->key_type, &c->max_keys, &c->prefix4, &c->prefix6);
}

static void roster_evicted(struct weir_table *t, unsigned int n, bool for_room)
{
}

static const struct weir_table_ops roster_table_ops = {
	.idle_at = weir_roster_idle_at,
	.evicted = roster_evicted,
	.dropped = weir_roster_dropped,
};

static struct weir_object *roster_create(u64 user_config)
{
	struct weir_roster_config config;
	struct weir_roster *r;
	int err;

	err = weir_user_get(&config, sizeof(config), user_config, CONFIG_MIN_SIZE);
	if (!err)
		err = config_check(&config);
	if (err)
		return ERR_PTR(err);
	r = kzalloc(sizeof(*r), GFP_KERNEL_ACCOUNT);
	if (!r)
		return ERR_PTR(-ENOMEM);
	r->config = config;
	r->ttl = config.ttl ?: WEIR_NEVER;
	r->obj.quota_keys = config.max_keys;
	weir_key_spec_init(&r->spec, config.key_type, config.prefix4, config.prefix6);
	return &r->obj;
}

static int roster_build(struct weir_object *o)
{
	struct weir_roster *r = weir_roster(o);

	r->totals = alloc_percpu_gfp(struct weir_roster_totals,
				     GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!r->totals)
		return -ENOMEM;
	return weir_table_init(&r->table, o->quota_keys, &roster_table_ops);
}

static void roster_release(struct weir_object *o)
{
	struct weir_roster *r = weir_roster(o);

	weir_table_destroy(&r->table);
	free_percpu(r->totals);
}

/* Those that have run out are no members: end some of them, if there are any. */
static void members_settle(struct weir_roster *r)
{
	unsigned int steps;

	for (steps = 0; steps < GROUPS_A_READ; steps++)
		if (!weir_table_step(&r->table))
			break;
}

/**
 * weir_roster_stats_read - the totals, each by itself exact
 * @r: the roster
 * @stats: all but the size is filled in
 *
 * Context: RCU read side, alive.
 */
void weir_roster_stats_read(struct weir_roster *r, struct weir_roster_stats *stats)
{
	u32 size = stats->size;
	int cpu;

	members_settle(r);
	*stats = (struct weir_roster_stats){
		.size = size,
		.members = weir_table_keys(&r->table),
		.max_keys = READ_ONCE(r->table.max_keys),
	};
	for_each_possible_cpu(cpu) {
		struct weir_roster_totals *t = per_cpu_ptr(r->totals, cpu);

		stats->claimed += READ_ONCE(t->claimed);
		stats->refused += READ_ONCE(t->refused);
		stats->replaced += READ_ONCE(t->replaced);
		stats->removed += READ_ONCE(t->removed);
		stats->lost += READ_ONCE(t->lost);
		stats->expired += READ_ONCE(t->expired);
		stats->full += READ_ONCE(t->full);
	}
}

static void config_read(struct weir_object *o, void *to)
{
	*(struct weir_roster_config *)to = weir_roster(o)->config;
}

static void stats_read(struct weir_object *o, void *to)
{
	weir_roster_stats_read(weir_roster(o), to);
}

static int roster_get(struct weir_object *o, u64 user_config, u64 user_stats)
{
	static const struct weir_view config = {
		sizeof(struct weir_roster_config), CONFIG_MIN_SIZE, config_read
	};
	static const struct weir_view stats = {
		sizeof(struct weir_roster_stats), STATS_MIN_SIZE, stats_read
	};

	return weir_view_get(o, &config, user_config, &stats, user_stats);
}

static u64 roster_keys(struct weir_object *o)
{
	return weir_table_keys(&weir_roster(o)->table);
}

/* ------------------------------------------------------------ WEIR_IOC_DUMP */

static void *padded_put(void *to, const void *from, size_t length)
{
	memset(to, 0, ALIGN(length, 8));
	memcpy(to, from, length);
	return to + ALIGN(length, 8);
}

/* &weir_dump_walk.fill: the lease, if it has not run out. */
static void record_fill(struct weir_dump_walk *d, struct weir_entry *e)
{
	struct weir_lease_info *info = (void *)(d->chunk + d->filled);
	u64 word, now, expires;
	struct weir_tenure *l;

	if (!weir_table_lock(d->t, e, &word))
		return;
	now = weir_table_now(d->t);
	l = weir_tenure_locked(e);
	expires = l->term.expires;
	weir_table_unlock(d->t, e, word);
	if (expires <= now)
		return;
	*info = (struct weir_lease_info){
		.size = sizeof(*info) + ALIGN(e->key_len, 8) + ALIGN(l->length, 8),
		.key_len = e->key_len,
		.value_len = l->length,
		.flags = l->term.client ? 0 : WEIR_LEASE_DETACHED,
		.tag = l->term.tag,
		.version = l->term.version,
		.left = expires == WEIR_EXPIRY_NEVER ? WEIR_NEVER : expires - now,
		.pid = l->pid,
		.uid = from_kuid_munged(current_user_ns(), l->uid),
	};
	padded_put(padded_put(info->data, e->key, e->key_len), l->value, l->length);
	d->filled += info->size;
	d->count++;
}

/* &weir_kind_ops.dump */
static int roster_dump(struct weir_object *o, struct weir_dump *args)
{
	struct weir_dump_walk d = {
		.o = o,
		.t = &weir_roster(o)->table,
		.record_max = RECORD_MAX,
		.least = LEAST,
		.fill = record_fill,
	};

	BUILD_BUG_ON(RECORD_MAX > LEAST);
	return args->flags ? -EINVAL : weir_dump_run(&d, args);
}

/* ------------------------------------------------------------ /sys/kernel/weir/rosters */

enum roster_stat {
	MEMBERS,
	MAX,
	CLAIMED,
	REFUSED,
	REPLACED,
	REMOVED,
	LOST,
	EXPIRED,
	FULL,
};

static ssize_t stat_show(struct weir_object *o, unsigned int index, char *buffer)
{
	struct weir_roster_stats s = {};
	const u64 *values[] = {
		[MEMBERS] = &s.members, [MAX] = &s.max_keys, [CLAIMED] = &s.claimed,
		[REFUSED] = &s.refused, [REPLACED] = &s.replaced,
		[REMOVED] = &s.removed, [LOST] = &s.lost, [EXPIRED] = &s.expired,
		[FULL] = &s.full,
	};

	weir_roster_stats_read(weir_roster(o), &s);
	return sysfs_emit(buffer, "%llu\n", *values[index]);
}

static WEIR_ATTRIBUTE(members, stat_show, MEMBERS);
static WEIR_ATTRIBUTE(max, stat_show, MAX);
static WEIR_ATTRIBUTE(claimed, stat_show, CLAIMED);
static WEIR_ATTRIBUTE(refused, stat_show, REFUSED);
static WEIR_ATTRIBUTE(replaced, stat_show, REPLACED);
static WEIR_ATTRIBUTE(removed, stat_show, REMOVED);
static WEIR_ATTRIBUTE(lost, stat_show, LOST);
static WEIR_ATTRIBUTE(expired, stat_show, EXPIRED);
static WEIR_ATTRIBUTE(full, stat_show, FULL);

static struct attribute *roster_attrs[] = {
	&weir_attr_members.attr,
	&weir_attr_max.attr,
	&weir_attr_claimed.attr,
	&weir_attr_refused.attr,
	&weir_attr_replaced.attr,
	&weir_attr_removed.attr,
	&weir_attr_lost.attr,
	&weir_attr_expired.attr,
	&weir_attr_full.attr,
	NULL,
};

static int roster_sysfs_add(struct weir_object *o)
{
	o->node->group.attrs = roster_attrs;
	return 0;
}

const struct weir_kind_ops weir_roster_ops = {
	.kind		= WEIR_KIND_ROSTER,
	.dir		= "rosters",
	.create		= roster_create,
	.build		= roster_build,
	.release	= roster_release,
	.get		= roster_get,
	.dump		= roster_dump,
	.dump_right	= WEIR_RIGHT_OBSERVE,
	.give_back	= weir_roster_give_back,
	.keys		= roster_keys,
	.sysfs_add	= roster_sysfs_add,
	.opcodes	= weir_roster_opcodes,
	.check		= weir_roster_op_check,
	.try		= weir_roster_op_try,
	.run		= weir_roster_op_run,
	.put		= weir_roster_op_put,
};
