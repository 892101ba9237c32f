// SPDX-License-Identifier: GPL-2.0-only
/* Rosters as objects: configuration checks, configuration, totals and leases for readers. */

#include <linux/cred.h>
#include <linux/err.h>
#include <linux/pid.h>
#include <linux/string.h>

#include "table/dump.h"
#include "roster/roster.h"
#include "core/sysfs.h"

/* Check a configuration and fill in its defaults. */
static int config_check(struct weir_roster_config *c)
{
	if (c->ttl > WEIR_TTL_MAX || memchr_inv(c->reserved, 0, sizeof(c->reserved)))
		return -EINVAL;
	return weir_key_config(c->key_type, &c->max_keys, &c->prefix4, &c->prefix6);
}

static const struct weir_table_ops roster_table_ops = {
	.idle_at = weir_roster_idle_at,
	.dropped = weir_roster_dropped,
};

static struct weir_object *roster_create(struct weir_client *client, void *arg)
{
	struct weir_roster_config *config = arg;
	struct weir_roster *r;
	int err = config_check(config);

	if (err)
		return ERR_PTR(err);
	r = weir_keyed_new(sizeof(*r), config->key_type, config->max_keys,
			   config->prefix4, config->prefix6);
	if (!r)
		return ERR_PTR(-ENOMEM);
	r->config = *config;
	r->ttl = config->ttl ?: WEIR_NEVER;
	return &r->obj;
}

/* &weir_kind_ops.settle: drop expired leases, which must not count as members */
static bool roster_settle(struct weir_object *o)
{
	return weir_table_step(&weir_roster(o)->table);
}

WEIR_KEYED_STATS_ASSERT(weir_roster_stats, weir_roster_totals, claimed, full);

/* &weir_kind_ops.config */
static void config_read(struct weir_object *o, void *to)
{
	*(struct weir_roster_config *)to = weir_roster(o)->config;
}

/* ------------------------------------------------------------ WEIR_IOC_DUMP */

static void *padded_put(void *to, const void *from, size_t length)
{
	memset(to, 0, ALIGN(length, 8));
	memcpy(to, from, length);
	return to + ALIGN(length, 8);
}

/* &weir_dump_desc.fill: append the lease, unless it has expired. */
static void record_fill(struct weir_dump_walk *d, struct weir_entry *e)
{
	struct weir_lease_info *info = (void *)(d->chunk + d->filled);
	u64 word, now, expires;
	struct weir_roster_lease *l;

	if (!weir_table_lock(d->t, e, &word))
		return;
	now = weir_table_now(d->t);
	l = e->lease;
	expires = l->state.expires;
	weir_table_unlock(d->t, e, word);
	if (expires <= now)
		return;
	*info = (struct weir_lease_info){
		.size = sizeof(*info) + ALIGN(e->key_len, 8) + ALIGN(l->length, 8),
		.key_len = e->key_len,
		.value_len = l->length,
		.flags = l->state.client ? 0 : WEIR_LEASE_DETACHED,
		.tag = l->state.tag,
		.version = l->state.version,
		.left = expires == WEIR_EXPIRY_NEVER ? WEIR_NEVER : expires - now,
		.pid = pid_vnr(l->pid),
		.uid = from_kuid_munged(current_user_ns(), l->uid),
	};
	padded_put(padded_put(info->data, e->key, e->key_len), l->value, l->length);
	d->filled += info->size;
	d->count++;
}

#define RECORD_MAX	(sizeof(struct weir_lease_info) +	\
			 ALIGN(WEIR_KEY_MAX, 8) + ALIGN(WEIR_VALUE_MAX, 8))
#define LEAST		1024

static_assert(RECORD_MAX <= LEAST);

static const struct weir_dump_desc roster_dump = {
	.record_max = RECORD_MAX,
	.least = LEAST,
	.fill = record_fill,
};

/* ------------------------------------------------------------ /sys/kernel/weir/rosters */

static struct attribute *roster_attrs[] = {
	WEIR_STAT(members, weir_roster_stats, members),
	WEIR_STAT(max, weir_roster_stats, max_keys),
	WEIR_STAT(claimed, weir_roster_stats, claimed),
	WEIR_STAT(refused, weir_roster_stats, refused),
	WEIR_STAT(replaced, weir_roster_stats, replaced),
	WEIR_STAT(removed, weir_roster_stats, removed),
	WEIR_STAT(lost, weir_roster_stats, lost),
	WEIR_STAT(expired, weir_roster_stats, expired),
	WEIR_STAT(full, weir_roster_stats, full),
	NULL,
};

const struct weir_kind_ops weir_roster_ops = {
	.kind		= WEIR_KIND_ROSTER,
	.dir		= "rosters",
	.config		= WEIR_ABI_STRUCT(weir_roster_config, reserved, config_read),
	.stats		= WEIR_ABI_STRUCT(weir_roster_stats, full, weir_keyed_stats_read),
	.create		= roster_create,
	.table_ops	= &roster_table_ops,
	.totals_size	= sizeof(struct weir_roster_totals),
	.build		= weir_keyed_build,
	.release	= weir_keyed_release,
	.dump		= &roster_dump,
	.give_back	= weir_roster_give_back,
	.settle		= roster_settle,
	.attrs		= roster_attrs,
	.opcodes	= weir_roster_opcodes,
	.tx		= &weir_roster_tx,
	.check		= weir_roster_op_check,
	.key		= weir_keyed_op_key,
	.try		= weir_roster_try,
	.run		= weir_roster_run,
	.put		= weir_roster_op_put,
};
