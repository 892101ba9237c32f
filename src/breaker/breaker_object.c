// SPDX-License-Identifier: GPL-2.0-only
/* Breakers as objects: configuration checks, configuration and totals for readers. */

#include <linux/err.h>
#include <linux/slab.h>

#include "breaker/breaker.h"
#include "core/sysfs.h"
#include "core/user.h"
#include "core/view.h"

#define CONFIG_MIN_SIZE	offsetofend(struct weir_breaker_config, reserved)
#define STATS_MIN_SIZE	offsetofend(struct weir_breaker_stats, full)

#define WITHIN_MAX	(100ULL * 86400 * NSEC_PER_SEC)
#define MINIMUM_MAX	1048576
#define MINIMUM_DEFAULT	10
#define PROBES_MAX	1073741824
#define PROBE_WITHIN_DEFAULT	(60ULL * NSEC_PER_SEC)
#define LAPSE_DEFAULT	(3600ULL * NSEC_PER_SEC)

static bool duration_valid(u64 ns)
{
	return ns && ns <= WEIR_BREAKER_OPEN_MAX;
}

/* Check the members that say when the breaker opens. */
static bool trigger_valid(const struct weir_breaker_config *c)
{
	if (!c->within || c->within > WITHIN_MAX)
		return false;
	if (c->failures)
		return c->failures <= U16_MAX && !c->percent && !c->minimum;
	return c->percent && c->percent <= 100 && c->minimum <= MINIMUM_MAX;
}

/* Check the members that say how long it stays open; steps beyond @nopen are 0. */
static bool ladder_valid(const struct weir_breaker_config *c)
{
	u32 i;

	if (!c->nopen || c->nopen > ARRAY_SIZE(c->open))
		return false;
	for (i = 0; i < ARRAY_SIZE(c->open); i++)
		if (i < c->nopen ? !duration_valid(c->open[i]) : c->open[i] != 0)
			return false;
	return true;
}

/* Check a configuration and fill in its defaults. */
static int config_check(struct weir_breaker_config *c)
{
	if (!trigger_valid(c) || !ladder_valid(c) ||
	    memchr_inv(c->reserved, 0, sizeof(c->reserved)))
		return -EINVAL;
	if (!c->failures && !c->minimum)
		c->minimum = MINIMUM_DEFAULT;
	if (!c->probes)
		c->probes = 1;
	if (!c->successes)
		c->successes = c->probes;
	if (c->probes > PROBES_MAX || c->successes > c->probes)
		return -EINVAL;
	if (!c->probe_within)
		c->probe_within = PROBE_WITHIN_DEFAULT;
	if (!c->lapse)
		c->lapse = c->key_type == WEIR_KEY_NONE ? WEIR_NEVER : LAPSE_DEFAULT;
	if (c->forget_after > WEIR_BREAKER_OPEN_MAX || c->slow > WEIR_BREAKER_OPEN_MAX ||
	    (c->probe_within != WEIR_NEVER && !duration_valid(c->probe_within)) ||
	    (c->lapse != WEIR_NEVER && !duration_valid(c->lapse)))
		return -EINVAL;
	return weir_key_config(c->key_type, &c->max_keys, &c->prefix4, &c->prefix6);
}

static void circuit_init(struct weir_circuit_config *circuit,
			 const struct weir_breaker_config *c)
{
	u32 i;

	*circuit = (struct weir_circuit_config){
		.failures = c->failures,
		.percent = c->percent,
		.minimum = c->minimum,
		.probes = c->probes,
		.successes = c->successes,
		.steps = c->nopen,
		.forget_after = c->forget_after,
		.probe_within = c->probe_within,
		.lapse = c->lapse,
		.slow = c->slow,
	};
	for (i = 0; i < c->nopen; i++)
		circuit->open[i] = c->open[i];
	weir_circuit_prepare(circuit, c->within);
}

static void breaker_evicted(struct weir_table *t, unsigned int n, bool for_room)
{
}

static const struct weir_table_ops breaker_table_ops = {
	.idle_at = weir_breaker_idle_at,
	.evicted = breaker_evicted,
};

static struct weir_object *breaker_create(u64 user_config)
{
	struct weir_breaker_config config;
	struct weir_breaker *b;
	int err;

	err = weir_user_get(&config, sizeof(config), user_config, CONFIG_MIN_SIZE);
	if (!err)
		err = config_check(&config);
	if (err)
		return ERR_PTR(err);
	b = kzalloc(sizeof(*b), GFP_KERNEL_ACCOUNT);
	if (!b)
		return ERR_PTR(-ENOMEM);
	b->config = config;
	b->obj.quota_keys = config.max_keys;
	circuit_init(&b->circuit, &config);
	weir_key_spec_init(&b->spec, config.key_type, config.prefix4, config.prefix6);
	return &b->obj;
}

static int breaker_build(struct weir_object *o)
{
	struct weir_breaker *b = weir_breaker(o);

	b->totals = alloc_percpu_gfp(struct weir_breaker_totals,
				     GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!b->totals)
		return -ENOMEM;
	return weir_table_init(&b->table, o->quota_keys, &breaker_table_ops);
}

static void breaker_release(struct weir_object *o)
{
	struct weir_breaker *b = weir_breaker(o);

	weir_table_destroy(&b->table);
	free_percpu(b->totals);
}

/**
 * weir_breaker_stats_read - the totals, each by itself exact
 * @b: the breaker
 * @stats: all members except the size are filled in
 */
void weir_breaker_stats_read(struct weir_breaker *b, struct weir_breaker_stats *stats)
{
	u32 size = stats->size;
	int cpu;

	*stats = (struct weir_breaker_stats){
		.size = size,
		.keys = weir_table_keys(&b->table),
		.max_keys = READ_ONCE(b->table.max_keys),
	};
	for_each_possible_cpu(cpu) {
		struct weir_breaker_totals *t = per_cpu_ptr(b->totals, cpu);

		stats->allowed += READ_ONCE(t->allowed);
		stats->rejected += READ_ONCE(t->rejected);
		stats->succeeded += READ_ONCE(t->succeeded);
		stats->failed += READ_ONCE(t->failed);
		stats->late += READ_ONCE(t->late);
		stats->lost += READ_ONCE(t->lost);
		stats->opened += READ_ONCE(t->opened);
		stats->full += READ_ONCE(t->full);
	}
}

static void config_read(struct weir_object *o, void *to)
{
	*(struct weir_breaker_config *)to = weir_breaker(o)->config;
}

static void stats_read(struct weir_object *o, void *to)
{
	weir_breaker_stats_read(weir_breaker(o), to);
}

static int breaker_get(struct weir_object *o, u64 user_config, u64 user_stats)
{
	static const struct weir_view config = {
		sizeof(struct weir_breaker_config), CONFIG_MIN_SIZE, config_read
	};
	static const struct weir_view stats = {
		sizeof(struct weir_breaker_stats), STATS_MIN_SIZE, stats_read
	};

	return weir_view_get(o, &config, user_config, &stats, user_stats);
}

static u64 breaker_keys(struct weir_object *o)
{
	return weir_table_keys(&weir_breaker(o)->table);
}

/* ------------------------------------------------------------ /sys/kernel/weir/breakers */

enum breaker_stat {
	ALLOWED,
	REJECTED,
	SUCCESSES,
	FAILURES,
	LATE,
	LOST,
	OPENED,
	KEYS,
	MAX_KEYS,
	FULL,
};

static ssize_t stat_show(struct weir_object *o, unsigned int index, char *buffer)
{
	struct weir_breaker_stats s = {};
	const u64 *values[] = {
		[ALLOWED] = &s.allowed, [REJECTED] = &s.rejected,
		[SUCCESSES] = &s.succeeded, [FAILURES] = &s.failed, [LATE] = &s.late,
		[LOST] = &s.lost, [OPENED] = &s.opened, [KEYS] = &s.keys,
		[MAX_KEYS] = &s.max_keys, [FULL] = &s.full,
	};

	weir_breaker_stats_read(weir_breaker(o), &s);
	return sysfs_emit(buffer, "%llu\n", *values[index]);
}

static ssize_t state_show(struct weir_object *o, unsigned int index, char *buffer)
{
	static const char *const names[] = {
		[WEIR_CIRCUIT_CLOSED] = "closed",
		[WEIR_CIRCUIT_OPEN] = "open",
		[WEIR_CIRCUIT_HALF_OPEN] = "half-open",
	};

	return sysfs_emit(buffer, "%s\n", names[weir_breaker_state(weir_breaker(o))]);
}

static WEIR_ATTRIBUTE(allowed, stat_show, ALLOWED);
static WEIR_ATTRIBUTE(rejected, stat_show, REJECTED);
static WEIR_ATTRIBUTE(successes, stat_show, SUCCESSES);
static WEIR_ATTRIBUTE(failures, stat_show, FAILURES);
static WEIR_ATTRIBUTE(late, stat_show, LATE);
static WEIR_ATTRIBUTE(lost, stat_show, LOST);
static WEIR_ATTRIBUTE(opened, stat_show, OPENED);
static WEIR_ATTRIBUTE(keys, stat_show, KEYS);
static WEIR_ATTRIBUTE(max_keys, stat_show, MAX_KEYS);
static WEIR_ATTRIBUTE(full, stat_show, FULL);
static WEIR_ATTRIBUTE(state, state_show, 0);

/* The first file exists for plain breakers only: otherwise each key has a state of its own. */
static struct attribute *breaker_attrs[] = {
	&weir_attr_state.attr,
	&weir_attr_allowed.attr,
	&weir_attr_rejected.attr,
	&weir_attr_successes.attr,
	&weir_attr_failures.attr,
	&weir_attr_late.attr,
	&weir_attr_lost.attr,
	&weir_attr_opened.attr,
	&weir_attr_keys.attr,
	&weir_attr_max_keys.attr,
	&weir_attr_full.attr,
	NULL,
};

static int breaker_sysfs_add(struct weir_object *o)
{
	bool plain = weir_breaker(o)->spec.type == WEIR_KEY_NONE;

	o->node->group.attrs = breaker_attrs + (plain ? 0 : 1);
	return 0;
}

const struct weir_kind_ops weir_breaker_ops = {
	.kind		= WEIR_KIND_BREAKER,
	.dir		= "breakers",
	.create		= breaker_create,
	.build		= breaker_build,
	.release	= breaker_release,
	.get		= breaker_get,
	.give_back	= weir_breaker_give_back,
	.keys		= breaker_keys,
	.sysfs_add	= breaker_sysfs_add,
	.opcodes	= weir_breaker_opcodes,
	.check		= weir_op_check_key,
	.try		= weir_breaker_op_try,
	.run		= weir_breaker_op_run,
};
