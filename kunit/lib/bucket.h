/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A textbook token bucket, the reference for src/lib/gcra.h. It keeps a level that rises and is
 * capped, where the code keeps one point in time. All numbers are whole parts of a token in 128
 * bits, so nothing is rounded. There is no division, because the kernel has none of that width.
 */
#ifndef _WEIR_KUNIT_BUCKET_H
#define _WEIR_KUNIT_BUCKET_H

#include "lib/gcra.h"
#include "kunit/prng.h"

/**
 * struct bucket_numbers - the rate of a limiter
 * @tokens: per @period
 * @period: ns
 * @burst: tokens
 */
struct bucket_numbers {
	u64 tokens;
	u64 period;
	u64 burst;
};

/**
 * struct bucket - a plain token bucket
 * @level: pieces in the bucket at @at; below zero only after a live change
 * @at: ns
 * @piece: pieces in one token
 * @drip: pieces that flow in per ns
 * @burst: tokens in a full bucket
 */
struct bucket {
	swide level;
	u64 at;
	u64 piece;
	u64 drip;
	u64 burst;
};

static inline swide bucket_full(const struct bucket *b)
{
	return (swide)b->burst * b->piece;
}

static inline swide bucket_level(const struct bucket *b, u64 now)
{
	swide level = b->level, full = bucket_full(b);

	if (now > b->at)
		level += (swide)(now - b->at) * b->drip;
	return level < full ? level : full;
}

static inline bool bucket_holds(const struct bucket *b, u64 now, u64 n)
{
	return bucket_level(b, now) >= (swide)n * b->piece;
}

static inline void bucket_add(struct bucket *b, u64 now, s64 n)
{
	b->level = bucket_level(b, now) + (swide)n * b->piece;
	if (b->level > bucket_full(b))
		b->level = bucket_full(b);
	if (now > b->at)
		b->at = now;
}

/* The least even number of 1/24 ns that is no shorter than the time of one token. */
static inline u64 bucket_interval(const struct bucket_numbers *c)
{
	u64 i = 2 * div64_u64(12 * c->period, c->tokens);

	while ((wide)i * c->tokens < (wide)24 * c->period)
		i += 2;
	return i;
}

/* A full bucket that drips at the true rate. */
static inline struct bucket bucket_true(const struct bucket_numbers *c, u64 now)
{
	struct bucket b = { .at = now, .piece = c->period, .drip = c->tokens,
			    .burst = c->burst };

	b.level = bucket_full(&b);
	return b;
}

/* A full bucket that drips at the rate that GCRA keeps, which is rounded down. */
static inline struct bucket bucket_rounded(const struct bucket_numbers *c, u64 now)
{
	struct bucket b = { .at = now, .piece = bucket_interval(c), .drip = 24,
			    .burst = c->burst };

	b.level = bucket_full(&b);
	return b;
}

/* The ends of the ranges, and usual rates. */
static const struct bucket_numbers bucket_edges[] = {
	{ 1, 1, 1 },				/* one a nanosecond */
	{ 1, 1, U32_MAX },
	{ 1, 100 * WEIR_NSEC_PER_DAY, 1 },	/* the slowest */
	{ 1, 100 * WEIR_NSEC_PER_DAY, 7 },	/* needs nearly two years to fill */
	{ U32_MAX, 100 * WEIR_NSEC_PER_DAY, U32_MAX },
	{ U32_MAX, U32_MAX, U32_MAX },
	{ U32_MAX, U32_MAX + 1ULL, 1 },
	{ 5, NSEC_PER_SEC, 5 },
	{ 100, 60ULL * NSEC_PER_SEC, 20 },
	{ 30, 60ULL * NSEC_PER_SEC, 1 },
	{ 3, NSEC_PER_SEC, 10 },
	{ 7, NSEC_PER_SEC, 100 },		/* not a multiple of 1/12 ns */
	{ 999999999, NSEC_PER_SEC, 1000 },
	{ 10000000, NSEC_PER_SEC, 10000000 },
};

/* The edges first, then any valid numbers. */
static inline struct bucket_numbers bucket_draw(struct prng *p, unsigned int i)
{
	struct bucket_numbers c;
	struct weir_gcra g;

	if (i < ARRAY_SIZE(bucket_edges))
		return bucket_edges[i];
	do {
		c.tokens = prng_magnitude(p, U32_MAX);
		c.period = prng_magnitude(p, 100 * WEIR_NSEC_PER_DAY);
		c.burst = prng_magnitude(p, U32_MAX);
	} while (weir_gcra_prepare(&g, c.tokens, c.period, c.burst));
	return c;
}

/* A cost near a limit of a key that has @remaining tokens, or any cost. */
static inline u64 bucket_draw_cost(struct prng *p, u64 burst, u64 remaining)
{
	switch (prng_below(p, 8)) {
	case 0:
		return remaining ? remaining : 1;
	case 1:
		return remaining < U32_MAX ? remaining + 1 : U32_MAX;
	case 2:
		return burst;
	case 3:
		return prng_magnitude(p, U32_MAX);
	case 4:
		return prng_magnitude(p, burst);
	case 5:
		return remaining > 1 ? prng_between(p, 1, remaining) : 1;
	default:
		return 1;
	}
}

/* A wait after decision @d: exactly long enough, 1 ns too short, or any. */
static inline u64 bucket_draw_wait(struct prng *p, const struct weir_gcra *g,
				   const struct weir_decision *d)
{
	u64 retry = d->retry_after == WEIR_NEVER ? 0 : d->retry_after;

	switch (prng_below(p, 8)) {
	case 0:
	case 1:
		return 0;
	case 2:
		return retry;
	case 3:
		return retry ? retry - 1 : 1;
	case 4:
		return d->reset_after;
	case 5:
		return d->reset_after ? d->reset_after - 1 : 1;
	case 6:
		return prng_magnitude(p, weir_gcra_ns(g->interval.d) * 3);
	default:
		return prng_magnitude(p, weir_gcra_ns(g->tau) * 2);
	}
}

#endif /* _WEIR_KUNIT_BUCKET_H */
