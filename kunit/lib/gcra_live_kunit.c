// SPDX-License-Identifier: GPL-2.0-only
/*
 * The token bucket (src/lib/gcra.h) when its configuration changes, and on CPUs with lagging
 * clocks.
 */

#include <kunit/test.h>

#include "bucket.h"

#define STEPS	100

/**
 * struct live - a key of a limiter whose configuration changes
 * @numbers: the present configuration
 * @g: the same, prepared
 * @word: state of the key
 * @now: current time, ns
 * @d: the last decision
 */
struct live {
	struct bucket_numbers numbers;
	struct weir_gcra g;
	u64 word;
	u64 now;
	struct weir_decision d;
};

/**
 * struct charge - a request that was admitted
 * @at: time by the clock of the CPU that admitted it
 * @price: its cost as a time, 1/24 ns
 * @tau: time that a key could save up at that moment, 1/24 ns
 */
struct charge {
	u64 at;
	wide price;
	u64 tau;
};

static void live_start(struct live *l, const struct bucket_numbers *c, u64 now)
{
	*l = (struct live){ .numbers = *c, .now = now };
	weir_gcra_prepare(&l->g, c->tokens, c->period, c->burst);
	l->word = weir_gcra_fresh(now);
}

/* Change the burst or the rate, slightly or by orders of magnitude. */
static void live_change(struct live *l, struct prng *p)
{
	struct bucket_numbers c = l->numbers;
	struct weir_gcra g;

	if (prng_chance(p, 1, 2)) {
		c.burst = prng_magnitude(p, U32_MAX);
	} else {
		c.tokens = prng_magnitude(p, U32_MAX);
		if (prng_chance(p, 1, 2))
			c.period = prng_magnitude(p, 100 * WEIR_NSEC_PER_DAY);
	}
	if (weir_gcra_prepare(&g, c.tokens, c.period, c.burst))
		return;
	l->numbers = c;
	l->g = g;
}

static u64 live_request(struct live *l, struct prng *p, u64 now)
{
	u64 cost = bucket_draw_cost(p, l->numbers.burst, l->d.remaining);

	weir_gcra_decide(&l->g, l->numbers.burst, l->word, now, cost, &l->d);
	l->word = l->d.word;
	return cost;
}

static u64 live_debt(const struct live *l)
{
	return weir_gcra_debt(l->word, weir_gcra_fresh(l->now));
}

/* A new rate keeps the time that a key needs until it is full. */
static void live_rate_keeps_time_to_full(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed0201);
	struct bucket_numbers c;
	struct live l;
	u64 reset, burst;
	int i, j;

	for (i = 0; i < PRNG_ROUNDS(100); i++) {
		c = bucket_draw(&p, i);
		live_start(&l, &c, prng_magnitude(&p, WEIR_NSEC_PER_YEAR));
		for (j = 0; j < STEPS; j++) {
			l.now += bucket_draw_wait(&p, &l.g, &l.d);
			live_request(&l, &p, l.now);
			reset = l.d.reset_after;
			burst = l.numbers.burst;
			live_change(&l, &p);
			weir_gcra_decide(&l.g, l.numbers.burst, l.word, l.now,
					 l.numbers.burst + 1, &l.d);
			KUNIT_ASSERT_EQ(test, reset, l.d.reset_after);
			KUNIT_ASSERT_EQ(test, 0, l.word & 1);
			if (!reset)
				KUNIT_ASSERT_EQ(test, l.numbers.burst, l.d.remaining);
			if (live_debt(&l) >= l.g.tau)
				KUNIT_ASSERT_EQ(test, 0, l.d.remaining);
			KUNIT_ASSERT_TRUE(test, burst && l.d.remaining <= l.numbers.burst);
		}
	}
}

/* A new burst keeps the tokens spent. The difference is added to, or removed from, what is left. */
static void live_burst_keeps_spent(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed0202);
	struct bucket_numbers c;
	struct live l;
	u64 before, old;
	int i, j;

	for (i = 0; i < PRNG_ROUNDS(100); i++) {
		c = bucket_draw(&p, i);
		live_start(&l, &c, 0);
		for (j = 0; j < STEPS; j++) {
			l.now += bucket_draw_wait(&p, &l.g, &l.d);
			live_request(&l, &p, l.now);
			before = l.d.remaining;
			old = l.numbers.burst;
			c.burst = prng_magnitude(&p, U32_MAX);
			if (live_debt(&l) > l.g.tau ||
			    weir_gcra_prepare(&l.g, c.tokens, c.period, c.burst)) {
				weir_gcra_prepare(&l.g, c.tokens, c.period, old);
				continue;
			}
			l.numbers.burst = c.burst;
			weir_gcra_decide(&l.g, c.burst, l.word, l.now, c.burst + 1,
					 &l.d);
			KUNIT_ASSERT_EQ(test, l.d.remaining, before + c.burst > old ?
					before + c.burst - old : 0);
		}
	}
}

/* retry_after is exact even if a key owes more than the new burst. */
static void live_retry_is_exact(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed0203);
	struct bucket_numbers c;
	struct weir_decision d;
	struct live l;
	u64 cost;
	int i, j;

	for (i = 0; i < PRNG_ROUNDS(100); i++) {
		c = bucket_draw(&p, i);
		live_start(&l, &c, 0);
		for (j = 0; j < STEPS; j++) {
			l.now += bucket_draw_wait(&p, &l.g, &l.d);
			if (prng_chance(&p, 1, 4))
				live_change(&l, &p);
			cost = live_request(&l, &p, l.now);
			if (l.d.allowed || cost > l.numbers.burst)
				continue;
			weir_gcra_decide(&l.g, l.numbers.burst, l.word,
					 l.now + l.d.retry_after - 1, cost, &d);
			KUNIT_ASSERT_FALSE(test, d.allowed);
			weir_gcra_decide(&l.g, l.numbers.burst, l.word,
					 l.now + l.d.retry_after, cost, &d);
			KUNIT_ASSERT_TRUE(test, d.allowed);
		}
	}
}

/*
 * The price of an admission is the time that its tokens take at the rate of that moment. In any
 * interval the sum of the prices is at most the length of the interval plus what a key could save
 * up at the last admission. This is what "never over-admit" means when the configuration changes.
 *
 * It holds for lagging clocks too, in the order of the decisions.
 */
static void check_prices(struct kunit *test, const struct charge *log, int n)
{
	wide sum;
	swide most;
	int i, j;

	for (i = 0; i < n; i++) {
		for (sum = 0, j = i; j < n; j++) {
			sum += log[j].price;
			most = (swide)log[j].at - (swide)log[i].at;
			most = most * 24 + log[j].tau;
			KUNIT_ASSERT_TRUE(test, most >= 0);
			KUNIT_ASSERT_TRUE(test, sum <= (wide)most);
		}
	}
}

static void run_prices(struct kunit *test, struct prng *p, struct live *l,
		       struct charge *log, bool change, u64 lag_max)
{
	u64 cost, now;
	int i, n = 0;

	for (i = 0; i < STEPS; i++) {
		l->now += bucket_draw_wait(p, &l->g, &l->d);
		now = l->now;
		if (lag_max && prng_chance(p, 1, 2))
			now -= prng_below(p, min(lag_max, now) + 1);
		if (change && prng_chance(p, 1, 4))
			live_change(l, p);
		cost = live_request(l, p, now);
		if (!l->d.allowed)
			continue;
		log[n].at = now;
		log[n].tau = bucket_interval(&l->numbers) * l->numbers.burst;
		log[n++].price = (wide)cost *
				 bucket_interval(&l->numbers);
	}
	check_prices(test, log, n);
}

static void prices(struct kunit *test, u64 seed, bool change, bool lag)
{
	struct prng p = prng_seed(test, seed);
	struct bucket_numbers c;
	struct charge *log;
	struct live l;
	u64 lag_max;
	int i;

	log = kunit_kcalloc(test, STEPS, sizeof(*log), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, log);
	for (i = 0; i < PRNG_ROUNDS(60); i++) {
		c = bucket_draw(&p, i);
		live_start(&l, &c, WEIR_NSEC_PER_DAY);
		lag_max = lag ? prng_magnitude(&p, weir_gcra_ns(l.g.tau)) : 0;
		run_prices(test, &p, &l, log, change, lag_max);
	}
}

static void live_never_over_admits(struct kunit *test)
{
	prices(test, 0x5eed0204, true, false);
}

static void lag_never_over_admits(struct kunit *test)
{
	prices(test, 0x5eed0205, false, true);
}

static void live_and_lag_never_over_admit(struct kunit *test)
{
	prices(test, 0x5eed0206, true, true);
}

/* The later the clock, the more is admitted: a lagging clock is only stricter. */
static void lag_is_only_strict(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed0207);
	struct weir_decision early, late;
	struct bucket_numbers c;
	struct live l;
	u64 cost, now;
	int i, j;

	for (i = 0; i < PRNG_ROUNDS(100); i++) {
		c = bucket_draw(&p, i);
		live_start(&l, &c, WEIR_NSEC_PER_DAY);
		for (j = 0; j < STEPS; j++) {
			l.now += bucket_draw_wait(&p, &l.g, &l.d);
			live_request(&l, &p, l.now);
			now = l.now - prng_below(&p, WEIR_NSEC_PER_DAY);
			cost = bucket_draw_cost(&p, c.burst, l.d.remaining);
			weir_gcra_decide(&l.g, c.burst, l.word, now, cost, &early);
			weir_gcra_decide(&l.g, c.burst, l.word, l.now, cost, &late);
			KUNIT_ASSERT_LE(test, early.allowed, late.allowed);
			KUNIT_ASSERT_TRUE(test, early.remaining <= late.remaining ||
					  early.allowed != late.allowed);
			KUNIT_ASSERT_GE(test, early.retry_after, late.retry_after);
			KUNIT_ASSERT_EQ(test, 0, early.word & 1);
			if (live_debt(&l) && early.allowed)
				KUNIT_ASSERT_EQ(test, early.word, late.word);
		}
	}
}

/*
 * A refund by a lagging clock gives back no more than one by a clock that is right, and never above
 * full.
 */
static void lag_refund_is_only_strict(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed0208);
	struct bucket_numbers c;
	struct live l;
	u64 n, now, early, late;
	int i, j;

	for (i = 0; i < PRNG_ROUNDS(100); i++) {
		c = bucket_draw(&p, i);
		live_start(&l, &c, WEIR_NSEC_PER_DAY);
		for (j = 0; j < STEPS; j++) {
			l.now += bucket_draw_wait(&p, &l.g, &l.d);
			live_request(&l, &p, l.now);
			now = l.now - prng_below(&p, WEIR_NSEC_PER_DAY);
			n = prng_magnitude(&p, c.burst);
			early = weir_gcra_refund(&l.g, l.word, now, n);
			late = weir_gcra_refund(&l.g, l.word, l.now, n);
			early = weir_gcra_debt(early, weir_gcra_fresh(now));
			late = weir_gcra_debt(late, weir_gcra_fresh(l.now));
			KUNIT_ASSERT_GE(test, early, late);
			KUNIT_ASSERT_LE(test, late, live_debt(&l));
		}
	}
}

static struct kunit_case gcra_live_cases[] = {
	KUNIT_CASE(live_rate_keeps_time_to_full),
	KUNIT_CASE(live_burst_keeps_spent),
	KUNIT_CASE(live_retry_is_exact),
	KUNIT_CASE(live_never_over_admits),
	KUNIT_CASE(lag_never_over_admits),
	KUNIT_CASE(live_and_lag_never_over_admit),
	KUNIT_CASE(lag_is_only_strict),
	KUNIT_CASE(lag_refund_is_only_strict),
	{}
};

static struct kunit_suite weir_gcra_live_suite = {
	.name = "weir_gcra_live",
	.test_cases = gcra_live_cases,
};

kunit_test_suite(weir_gcra_live_suite);
