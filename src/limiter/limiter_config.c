// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limiters as objects: configuration checks, prepared configuration, live changes, configuration
 * for readers.
 */

#include <linux/slab.h>
#include <linux/string.h>

#include "limiter/candidate.h"
#include "lib/jitter.h"
#include "table/key.h"
#include "limiter/limiter.h"
#include "core/client.h"
#include "core/registry.h"
#include "limiter/rules.h"
#include "limiter/reserve.h"

#define PERIOD_MAX	(100 * WEIR_NSEC_PER_DAY)
#define BAN_MIN		((u64)NSEC_PER_MSEC)
#define WITHIN_DEFAULT	(600ULL * NSEC_PER_SEC)
#define KEYS_A_BUCKET	8	/* maximum average length of chains after max_keys was raised */

static bool within_limits(u64 value, u64 least, u64 most)
{
	return value >= least && value <= most;
}

static int rate_check(struct weir_limiter_config *c)
{
	bool window = c->algorithm != WEIR_ALGORITHM_BUCKET;

	if (!c->algorithm || c->algorithm > WEIR_ALGORITHM_SLIDING)
		return -EOPNOTSUPP;
	if (!within_limits(c->tokens, 1, window ? WEIR_WINDOW_LIMIT_MAX : U32_MAX) ||
	    !within_limits(c->period, window ? WEIR_WINDOW_PERIOD_MIN : 1, PERIOD_MAX))
		return -EINVAL;
	if (!c->burst)
		c->burst = c->tokens;
	if (c->burst > U32_MAX || (window && c->burst != c->tokens))
		return -EINVAL;
	return 0;
}

static int ladder_check(struct weir_limiter_config *c)
{
	unsigned int i;

	if (!c->within)
		c->within = WITHIN_DEFAULT;
	if (!within_limits(c->within, NSEC_PER_MSEC, PERIOD_MAX))
		return -EINVAL;
	if (c->nbans > WEIR_LADDER_MAX || !c->strikes != !c->nbans)
		return -EINVAL;
	for (i = 0; i < WEIR_LADDER_MAX; i++)
		if (i < c->nbans ? !within_limits(c->ban[i], BAN_MIN, WEIR_BAN_MAX) :
				   c->ban[i] != 0)
			return -EINVAL;
	if (c->nbans && !c->forget_after)
		c->forget_after = c->ban[c->nbans - 1];
	return c->forget_after > WEIR_BAN_MAX || c->ban_jitter > WEIR_JITTER_MAX ?
	       -EINVAL : 0;
}

/* Check a configuration and fill in its defaults. */
static int config_check(struct weir_limiter_config *c)
{
	if (c->flags & ~WEIR_LIMITER_SHADOW || c->when_full > WEIR_FULL_ALLOW)
		return -EINVAL;
	return rate_check(c) ?:
	       weir_key_config(c->key_type, &c->max_keys, &c->prefix4, &c->prefix6) ?:
	       ladder_check(c);
}

static void policy_free(struct weir_policy *p)
{
	weir_candidate_put(p->candidate);
	kfree(p);
}

/*
 * Prepare a configuration. @candidate: NULL, or a limiter whose reference passes to the policy; an
 * ERR_PTR() is returned. @old: the policy that is replaced, or NULL. @now: ns since the table's
 * epoch. Return: the policy or an ERR_PTR().
 */
static struct weir_policy *policy_make(const struct weir_limiter_config *c,
				       struct weir_limiter *candidate,
				       const struct weir_policy *old, u64 now)
{
	struct weir_policy *p;
	int err;

	if (IS_ERR(candidate))
		return ERR_CAST(candidate);
	p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);
	if (!p) {
		weir_candidate_put(candidate);
		return ERR_PTR(-ENOMEM);
	}
	p->config = *c;
	memset(p->config.candidate, 0, sizeof(p->config.candidate));
	p->candidate = candidate;
	p->strikes = c->strikes;
	p->shadow = c->flags & WEIR_LIMITER_SHADOW;
	p->score = weir_score_prepare(c->within);
	err = weir_rate_prepare(&p->rate, c->algorithm, c->tokens, c->period,
				c->burst, old ? &old->rate : NULL, now);
	if (!err)
		return p;
	policy_free(p);
	return ERR_PTR(err);
}

static void limiter_evicted(struct weir_table *t, unsigned int n, bool for_room)
{
	struct weir_limiter *l = weir_limiter_of(t);

	if (for_room)
		this_cpu_add(l->totals->evicted, n);
	else
		this_cpu_add(l->totals->expired, n);
	weir_limiter_full_over(l, n);
}

static const struct weir_table_ops limiter_table_ops = {
	.idle_at = weir_limiter_idle_at,
	.evicted = limiter_evicted,
};

static struct weir_object *limiter_create(struct weir_client *client, void *arg)
{
	struct weir_limiter_config *config = arg;
	struct weir_policy *p;
	struct weir_limiter *l;
	int err = config_check(config);

	if (err)
		return ERR_PTR(err);
	p = policy_make(config, weir_candidate_get(client, config, NULL, config->key_type),
			NULL, 0);
	if (IS_ERR(p))
		return ERR_CAST(p);
	l = weir_keyed_new(sizeof(*l), config->key_type, config->max_keys,
			   config->prefix4, config->prefix6);
	if (!l) {
		policy_free(p);
		return ERR_PTR(-ENOMEM);
	}
	RCU_INIT_POINTER(l->policy, p);
	l->obj.type = config->algorithm;
	return &l->obj;
}

static void limiter_release(struct weir_object *o)
{
	struct weir_limiter *l = weir_limiter(o);

	weir_keyed_release(o);
	policy_free(rcu_dereference_protected(l->policy, true));
	weir_rules_free(rcu_dereference_protected(l->rules, true));
}

/* Copy the members in @mask from @new to @c. */
static void config_merge(struct weir_limiter_config *c,
			 const struct weir_limiter_config *new, u64 mask)
{
	if (mask & WEIR_SET_RATE) {
		c->tokens = new->tokens;
		c->period = new->period;
		if (c->algorithm != WEIR_ALGORITHM_BUCKET)
			c->burst = 0;
	}
	if (mask & WEIR_SET_BURST)
		c->burst = new->burst;
	if (mask & WEIR_SET_MAX_KEYS)
		c->max_keys = new->max_keys;
	if (mask & WEIR_SET_WHEN_FULL)
		c->when_full = new->when_full;
	if (mask & WEIR_SET_STRIKES) {
		c->strikes = new->strikes;
		c->nbans = new->nbans;
		memcpy(c->ban, new->ban, sizeof(c->ban));
	}
	if (mask & WEIR_SET_WITHIN)
		c->within = new->within;
	if (mask & WEIR_SET_FORGET_AFTER)
		c->forget_after = new->forget_after;
	if (mask & WEIR_SET_QUEUE_MAX)
		c->queue_max = new->queue_max;
	if (mask & WEIR_SET_BAN_JITTER)
		c->ban_jitter = new->ban_jitter;
	if (mask & WEIR_SET_FLAGS)
		c->flags = new->flags;
}

#define SET_ALL	(WEIR_SET_RATE | WEIR_SET_BURST | WEIR_SET_MAX_KEYS | \
		 WEIR_SET_WHEN_FULL | WEIR_SET_STRIKES | WEIR_SET_WITHIN | \
		 WEIR_SET_FORGET_AFTER | WEIR_SET_QUEUE_MAX | \
		 WEIR_SET_FLAGS | WEIR_SET_CANDIDATE | WEIR_SET_BAN_JITTER)

/* changes after which entries may become idle before their expiry bounds */
#define SET_SOONER	(WEIR_SET_RATE | WEIR_SET_BURST | WEIR_SET_WITHIN | WEIR_SET_FORGET_AFTER)

static int limiter_set(struct weir_client *client, struct weir_object *o, u64 mask,
		       const void *change)
{
	struct weir_limiter *l = weir_limiter(o);
	struct weir_policy *p, *old = rcu_dereference_protected(l->policy,
								lockdep_is_held(&o->set_lock));
	const struct weir_limiter_config *new = change;
	struct weir_limiter_config config = old->config;
	struct weir_limiter *candidate = old->candidate;
	int err;

	if (!mask || mask & ~SET_ALL || new->flags & ~WEIR_LIMITER_SHADOW)
		return -EINVAL;
	config_merge(&config, new, mask);
	err = config_check(&config);
	if (!err && config.max_keys > KEYS_A_BUCKET * (u64)l->table.nbuckets)
		err = -ERANGE;
	if (err)
		return err;
	if (mask & WEIR_SET_CANDIDATE)
		candidate = weir_candidate_get(client, new, l, l->spec.type);
	else if (candidate)
		kref_get(&candidate->obj.ref);
	p = policy_make(&config, candidate, old, weir_table_now(&l->table));
	if (IS_ERR(p))
		return PTR_ERR(p);
	err = weir_registry_change(o, config.max_keys, mask, weir_client_admin(client));
	if (err) {
		policy_free(p);
		return err;
	}
	rcu_assign_pointer(l->policy, p);
	WRITE_ONCE(l->table.max_keys, config.max_keys);
	WRITE_ONCE(l->full_told, 0);
	/* after this no caller uses the old policy */
	synchronize_rcu();
	policy_free(old);
	weir_reserve_kick_all(l);
	if (mask & SET_SOONER)
		weir_table_reconfigured(&l->table);
	return 0;
}

/*
 * Let TABLE_FULL be sent again once an eighth of the table is free. In a table that stays near its
 * cap, the event would otherwise displace all other events. @leaving: keys about to be dropped.
 */
void weir_limiter_full_over(struct weir_limiter *l, unsigned int leaving)
{
	u64 max_keys = READ_ONCE(l->table.max_keys);

	if (READ_ONCE(l->full_told) &&
	    weir_table_keys(&l->table) - leaving <=
	    max_keys - DIV_ROUND_UP(max_keys, 8))
		WRITE_ONCE(l->full_told, 0);
}

WEIR_KEYED_STATS_ASSERT(weir_limiter_stats, weir_limiter_totals, allowed, missed);

static void config_read(struct weir_object *o, void *to)
{
	const struct weir_policy *p = rcu_dereference(weir_limiter(o)->policy);
	struct weir_limiter_config *config = to;

	*config = p->config;
	if (p->candidate && weir_object_alive(&p->candidate->obj))
		memcpy(config->candidate, p->candidate->obj.name, sizeof(config->candidate));
}

static void limiter_on_delete(struct weir_object *o)
{
	weir_reserve_kick_all(weir_limiter(o));
}

const struct weir_kind_ops weir_limiter_ops = {
	.kind		= WEIR_KIND_LIMITER,
	.dir		= "limiters",
	.config		= WEIR_ABI_STRUCT(weir_limiter_config, ban, config_read),
	.stats		= WEIR_ABI_STRUCT(weir_limiter_stats, full, weir_keyed_stats_read),
	.create		= limiter_create,
	.table_ops	= &limiter_table_ops,
	.totals_size	= sizeof(struct weir_limiter_totals),
	.build		= weir_keyed_build,
	.release	= limiter_release,
	.set		= limiter_set,
	.dump		= &weir_limiter_dump_desc,
	.rules		= weir_limiter_rules,
	.load		= weir_limiter_load,
	.on_delete	= limiter_on_delete,
	.attrs		= weir_limiter_attrs,
	.opcodes	= weir_limiter_opcodes,
	.tx		= &weir_limiter_tx,
	.check		= weir_op_check_key,
	.key		= weir_limiter_op_key,
	.try		= weir_limiter_op_try,
	.run		= weir_limiter_op_run,
	.give_back	= weir_reserve_give_back,
};
