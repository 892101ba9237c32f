// SPDX-License-Identifier: GPL-2.0-only
/* /sys/kernel/weir/limiters/NAME/... */

#include "limiter/limiter.h"
#include "core/sysfs.h"

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

/* In a form that the tool accepts: 5/s, 100/m, 30/90s, 7/250ms. */
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

struct attribute *weir_limiter_attrs[] = {
	WEIR_ATTRIBUTE(algorithm, algorithm_show, 0),
	WEIR_ATTRIBUTE(rate, rate_show, 0),
	WEIR_ATTRIBUTE(burst, burst_show, 0),
	WEIR_STAT(allowed, weir_limiter_stats, allowed),
	WEIR_STAT(limited, weir_limiter_stats, limited),
	WEIR_STAT(banned, weir_limiter_stats, banned),
	WEIR_STAT(strikes, weir_limiter_stats, strikes),
	WEIR_STAT(bans, weir_limiter_stats, bans),
	WEIR_STAT(keys, weir_limiter_stats, keys),
	WEIR_STAT(max_keys, weir_limiter_stats, max_keys),
	WEIR_STAT(evicted, weir_limiter_stats, evicted),
	WEIR_STAT(expired, weir_limiter_stats, expired),
	WEIR_STAT(full, weir_limiter_stats, full),
	WEIR_STAT(stricter, weir_limiter_stats, stricter),
	WEIR_STAT(looser, weir_limiter_stats, looser),
	WEIR_STAT(missed, weir_limiter_stats, missed),
	NULL,
};
