/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Strikes that fade: a two-window count (the "sliding window counter" of web proxies). The
 * first strike of an idle key starts a window of length within. Strikes in the current window
 * count in full. When it ends it becomes the previous window; its strikes are weighted by the
 * part of it that is less than within old, rounded down. A run of strikes shorter than within
 * is therefore counted exactly, and nothing older than twice within counts.
 */
#ifndef _WEIR_SCORE_H
#define _WEIR_SCORE_H

#include "lib/recip.h"

/**
 * struct weir_score_config - how strikes fade, prepared
 * @within: ns
 * @shift: time is counted in units of 2^shift ns, to keep the products in 64 bits
 * @units: @within in those units, less than 2^31
 */
struct weir_score_config {
	u64 within;
	u32 shift;
	struct weir_recip units;
};

/**
 * struct weir_score - a key's strikes
 * @since: start of the current window; undefined while both counts are 0
 * @cur: strikes in the current window
 * @prev: strikes in the previous window
 */
struct weir_score {
	u64 since;
	u32 cur;
	u32 prev;
};

static inline struct weir_score_config weir_score_prepare(u64 within)
{
	struct weir_score_config c = { .within = within };

	while (within >> c.shift >= 1ULL << 31)
		c.shift++;
	c.units = weir_recip_make(within >> c.shift);
	return c;
}

/* Move the windows forward to @now. A clock that lags moves nothing back. */
static inline struct weir_score weir_score_roll(const struct weir_score_config *c,
						struct weir_score s, u64 now)
{
	u64 age = now > s.since ? now - s.since : 0;

	if (age < c->within)
		return s;
	s.prev = age - c->within < c->within ? s.cur : 0;
	s.cur = 0;
	s.since += c->within;
	return s;
}

/* The strikes that count at @now. */
static inline u32 weir_score_value(const struct weir_score_config *c,
				   struct weir_score s, u64 now)
{
	u64 age, left, rem;

	s = weir_score_roll(c, s, now);
	if (!s.prev)
		return s.cur;
	age = now > s.since ? now - s.since : 0;
	left = c->units.d - min(age >> c->shift, c->units.d);
	return s.cur + (u32)weir_recip_div(s.prev * left, &c->units, &rem);
}

/* Add @weight strikes at @now; read the result with weir_score_value(). */
static inline struct weir_score weir_score_add(const struct weir_score_config *c,
					       struct weir_score s, u64 now,
					       u32 weight)
{
	s = weir_score_roll(c, s, now);
	if (!s.cur && !s.prev)
		s.since = now;
	/* prev counts for at most itself, so the sum must fit into 32 bits too */
	s.cur += min(weight, U32_MAX - s.cur - min(s.prev, U32_MAX - s.cur));
	return s;
}

/* The time from which on no strike counts; @now if none counts. */
static inline u64 weir_score_idle_at(const struct weir_score_config *c,
				     struct weir_score s, u64 now)
{
	if (s.cur)
		return max(now, s.since + 2 * c->within);
	if (s.prev)
		return max(now, s.since + c->within);
	return now;
}

#endif /* _WEIR_SCORE_H */
