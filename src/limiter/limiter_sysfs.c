// SPDX-License-Identifier: GPL-2.0-only
/* /sys/kernel/weir/limiters/NAME/... */

#include "limiter/limiter.h"
#include "core/sysfs.h"

enum {
	ALLOWED, LIMITED, BANNED, STRIKES, BANS, KEYS, MAX_KEYS, EVICTED, EXPIRED,
	FULL, STRICTER, LOOSER, MISSED
};

static ssize_t stat_show(struct weir_object *o, unsigned int index, char *buffer)
{
	struct weir_limiter_stats s = {};
	const u64 *values[] = {
		[ALLOWED] = &s.allowed, [LIMITED] = &s.limited,
		[BANNED] = &s.banned, [STRIKES] = &s.strikes, [BANS] = &s.bans,
		[KEYS] = &s.keys, [MAX_KEYS] = &s.max_keys,
		[EVICTED] = &s.evicted, [EXPIRED] = &s.expired, [FULL] = &s.full,
		[STRICTER] = &s.stricter, [LOOSER] = &s.looser,
		[MISSED] = &s.missed,
	};

	weir_limiter_stats_read(weir_limiter(o), &s);
	return sysfs_emit(buffer, "%llu\n", *values[index]);
}

static ssize_t algorithm_show(struct weir_object *o, unsigned int index,
			      char *buffer)
{
	static const char *const names[] = {
		[WEIR_ALGORITHM_BUCKET] = "bucket",
		[WEIR_ALGORITHM_WINDOW] = "window",
		[WEIR_ALGORITHM_SLIDING] = "sliding",
	};

	return sysfs_emit(buffer, "%s\n", names[o->type]);
}

/* In the form that the tool accepts: 5/s, 100/m, 30/90s, 7/250ms. */
static ssize_t rate_show(struct weir_object *o, unsigned int index, char *buffer)
{
	static const struct {
		u64 ns;
		const char *name;
	} units[] = {
		{ WEIR_NSEC_PER_DAY, "d" }, { 3600ULL * NSEC_PER_SEC, "h" },
		{ 60ULL * NSEC_PER_SEC, "m" }, { NSEC_PER_SEC, "s" },
		{ NSEC_PER_MSEC, "ms" }, { NSEC_PER_USEC, "us" }, { 1, "ns" },
	};
	const struct weir_policy *p;
	unsigned int i = 0;
	u64 tokens, period;

	rcu_read_lock();
	p = rcu_dereference(weir_limiter(o)->policy);
	tokens = p->config.tokens;
	period = p->config.period;
	rcu_read_unlock();
	while (period % units[i].ns)
		i++;
	if (period == units[i].ns)
		return sysfs_emit(buffer, "%llu/%s\n", tokens, units[i].name);
	return sysfs_emit(buffer, "%llu/%llu%s\n", tokens, period / units[i].ns,
			  units[i].name);
}

static ssize_t burst_show(struct weir_object *o, unsigned int index, char *buffer)
{
	u64 burst;

	rcu_read_lock();
	burst = rcu_dereference(weir_limiter(o)->policy)->config.burst;
	rcu_read_unlock();
	return sysfs_emit(buffer, "%llu\n", burst);
}

static WEIR_ATTRIBUTE(algorithm, algorithm_show, 0);
static WEIR_ATTRIBUTE(rate, rate_show, 0);
static WEIR_ATTRIBUTE(burst, burst_show, 0);
static WEIR_ATTRIBUTE(allowed, stat_show, ALLOWED);
static WEIR_ATTRIBUTE(limited, stat_show, LIMITED);
static WEIR_ATTRIBUTE(banned, stat_show, BANNED);
static WEIR_ATTRIBUTE(strikes, stat_show, STRIKES);
static WEIR_ATTRIBUTE(bans, stat_show, BANS);
static WEIR_ATTRIBUTE(keys, stat_show, KEYS);
static WEIR_ATTRIBUTE(max_keys, stat_show, MAX_KEYS);
static WEIR_ATTRIBUTE(evicted, stat_show, EVICTED);
static WEIR_ATTRIBUTE(expired, stat_show, EXPIRED);
static WEIR_ATTRIBUTE(full, stat_show, FULL);
static WEIR_ATTRIBUTE(stricter, stat_show, STRICTER);
static WEIR_ATTRIBUTE(looser, stat_show, LOOSER);
static WEIR_ATTRIBUTE(missed, stat_show, MISSED);

static struct attribute *limiter_attrs[] = {
	&weir_attr_algorithm.attr,
	&weir_attr_rate.attr,
	&weir_attr_burst.attr,
	&weir_attr_allowed.attr,
	&weir_attr_limited.attr,
	&weir_attr_banned.attr,
	&weir_attr_strikes.attr,
	&weir_attr_bans.attr,
	&weir_attr_keys.attr,
	&weir_attr_max_keys.attr,
	&weir_attr_evicted.attr,
	&weir_attr_expired.attr,
	&weir_attr_full.attr,
	&weir_attr_stricter.attr,
	&weir_attr_looser.attr,
	&weir_attr_missed.attr,
	NULL,
};

int weir_limiter_sysfs_add(struct weir_object *o)
{
	o->node->group.attrs = limiter_attrs;
	return 0;
}
