// SPDX-License-Identifier: GPL-2.0-only
/* Breakers as objects: configuration checks, configuration and totals for readers. */

#include <linux/err.h>

#include "breaker/breaker.h"
#include "core/sysfs.h"

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

/* Check the members for when the breaker opens. */
static bool trigger_valid(const struct weir_breaker_config *c)
{
	if (!c->within || c->within > WITHIN_MAX)
		return false;
	if (c->failures)
		return c->failures <= U16_MAX && !c->percent && !c->minimum;
	return c->percent && c->percent <= 100 && c->minimum <= MINIMUM_MAX;
}

/* Check the members for how long the breaker stays open. Steps beyond @nopen must be 0. */
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

static const struct weir_table_ops breaker_table_ops = {
	.idle_at = weir_breaker_idle_at,
};

static struct weir_object *breaker_create(struct weir_client *client, void *arg)
{
	struct weir_breaker_config *config = arg;
	struct weir_breaker *b;
	int err = config_check(config);

	if (err)
		return ERR_PTR(err);
	b = weir_keyed_new(sizeof(*b), config->key_type, config->max_keys,
			   config->prefix4, config->prefix6);
	if (!b)
		return ERR_PTR(-ENOMEM);
	b->config = *config;
	circuit_init(&b->circuit, config);
	return &b->obj;
}

WEIR_KEYED_STATS_ASSERT(weir_breaker_stats, weir_breaker_totals, allowed, full);

/* &weir_kind_ops.config */
static void config_read(struct weir_object *o, void *to)
{
	*(struct weir_breaker_config *)to = weir_breaker(o)->config;
}

/* ------------------------------------------------------------ /sys/kernel/weir/breakers */

static ssize_t state_show(struct weir_object *o, unsigned int index, char *buffer)
{
	static const char *const names[] = {
		[WEIR_CIRCUIT_CLOSED] = "closed",
		[WEIR_CIRCUIT_OPEN] = "open",
		[WEIR_CIRCUIT_HALF_OPEN] = "half-open",
	};

	return sysfs_emit(buffer, "%s\n", names[weir_breaker_state(weir_breaker(o))]);
}

/* The first file exists for plain breakers only; with keys, each key has its own state. */
static struct attribute *breaker_attrs[] = {
	WEIR_ATTRIBUTE(state, state_show, 0),
	WEIR_STAT(allowed, weir_breaker_stats, allowed),
	WEIR_STAT(rejected, weir_breaker_stats, rejected),
	WEIR_STAT(successes, weir_breaker_stats, succeeded),
	WEIR_STAT(failures, weir_breaker_stats, failed),
	WEIR_STAT(late, weir_breaker_stats, late),
	WEIR_STAT(lost, weir_breaker_stats, lost),
	WEIR_STAT(opened, weir_breaker_stats, opened),
	WEIR_STAT(keys, weir_breaker_stats, keys),
	WEIR_STAT(max_keys, weir_breaker_stats, max_keys),
	WEIR_STAT(full, weir_breaker_stats, full),
	NULL,
};

static int breaker_sysfs_add(struct weir_object *o)
{
	bool plain = weir_breaker(o)->spec.type == WEIR_KEY_NONE;

	o->node->group.attrs = breaker_attrs + (plain ? 0 : 1);
	return 0;
}

static const struct weir_op_desc breaker_opcodes[] = {
	{ &weir_breaker_ops, WEIR_OP_ALLOW, WEIR_RIGHT_USE,
	  WEIR_OP_PTR | WEIR_OP_DETACHED, WEIR_OPF_TAG, 0, 0, 0, 0 },
	{ &weir_breaker_ops, WEIR_OP_REPORT, WEIR_RIGHT_USE, WEIR_OP_PTR, WEIR_OPF_TAG,
	  1, WEIR_CALL_WITHDRAWN, 0, U64_MAX },
	{ &weir_breaker_ops, WEIR_OP_TRIP, WEIR_RIGHT_ADMIN, WEIR_OP_PTR, 0,
	  0, 0, 0, U64_MAX },
	{ &weir_breaker_ops, WEIR_OP_RESET, WEIR_RIGHT_ADMIN, WEIR_OP_PTR, 0, 0, 0, 0, 0 },
	{ &weir_breaker_ops, WEIR_OP_BREAKER_STATE, WEIR_RIGHT_OBSERVE, WEIR_OP_PTR, 0,
	  0, 0, 0, 0 },
	{}
};

const struct weir_kind_ops weir_breaker_ops = {
	.kind		= WEIR_KIND_BREAKER,
	.dir		= "breakers",
	.config		= WEIR_ABI_STRUCT(weir_breaker_config, reserved, config_read),
	.stats		= WEIR_ABI_STRUCT(weir_breaker_stats, full, weir_keyed_stats_read),
	.create		= breaker_create,
	.table_ops	= &breaker_table_ops,
	.totals_size	= sizeof(struct weir_breaker_totals),
	.build		= weir_keyed_build,
	.release	= weir_keyed_release,
	.give_back	= weir_breaker_give_back,
	.sysfs_add	= breaker_sysfs_add,
	.opcodes	= breaker_opcodes,
	.check		= weir_op_check_key,
	.key		= weir_keyed_op_key,
	.try		= weir_breaker_try,
	.run		= weir_breaker_run,
};
