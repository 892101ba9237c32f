// SPDX-License-Identifier: GPL-2.0-only
/* The common interface of the algorithms (src/lib/rate.h): each call reaches the right one. */

#include <kunit/test.h>

#include "kunit/prng.h"

#include "lib/rate.h"

#define STEPS	100

/**
 * struct rate_row - a configuration for one of the algorithms
 * @name: name of the row
 * @algorithm: enum weir_algorithm
 * @tokens: per @period
 * @period: ns
 * @burst: as the limiter passes it, never 0
 * @ret: 0 or -ERANGE
 */
struct rate_row {
	const char *name;
	u32 algorithm;
	u64 tokens;
	u64 period;
	u64 burst;
	int ret;
};

static const struct rate_row rate_rows[] = {
	{ "bucket", WEIR_ALGORITHM_BUCKET, 5, NSEC_PER_SEC, 20, 0 },
	{ "bucket, fastest", WEIR_ALGORITHM_BUCKET, U32_MAX, U32_MAX, U32_MAX, 0 },
	{ "bucket, slowest", WEIR_ALGORITHM_BUCKET, 1, 100 * WEIR_NSEC_PER_DAY, 7, 0 },
	{ "bucket, too long", WEIR_ALGORITHM_BUCKET, 1, 100 * WEIR_NSEC_PER_DAY, 8,
	  -ERANGE },
	{ "bucket, too fast", WEIR_ALGORITHM_BUCKET, 2, 1, 1, -ERANGE },
	{ "window", WEIR_ALGORITHM_WINDOW, 5, NSEC_PER_SEC, 5, 0 },
	{ "window, shortest and most", WEIR_ALGORITHM_WINDOW,
	  WEIR_WINDOW_LIMIT_MAX, WEIR_WINDOW_PERIOD_MIN, WEIR_WINDOW_LIMIT_MAX, 0 },
	{ "window, longest", WEIR_ALGORITHM_WINDOW, 1, 100 * WEIR_NSEC_PER_DAY, 1, 0 },
	{ "sliding", WEIR_ALGORITHM_SLIDING, 5, NSEC_PER_SEC, 5, 0 },
	{ "sliding, shortest and most", WEIR_ALGORITHM_SLIDING, (1 << 13) - 1,
	  WEIR_WINDOW_PERIOD_MIN, (1 << 13) - 1, 0 },
	{ "sliding, a token more", WEIR_ALGORITHM_SLIDING, 1 << 13,
	  WEIR_WINDOW_PERIOD_MIN, 1 << 13, -ERANGE },
	{ "sliding, longest", WEIR_ALGORITHM_SLIDING, WEIR_WINDOW_LIMIT_MAX,
	  100 * WEIR_NSEC_PER_DAY, WEIR_WINDOW_LIMIT_MAX, 0 },
};

static void rate_describe(const struct rate_row *row, char *desc)
{
	strscpy(desc, row->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(rate, rate_rows, rate_describe);

static int prepare(struct weir_rate *r, const struct rate_row *row)
{
	return weir_rate_prepare(r, row->algorithm, row->tokens, row->period,
				 row->burst, NULL, 0);
}

static void rate_prepare(struct kunit *test)
{
	const struct rate_row *row = test->param_value;
	struct weir_rate r;

	KUNIT_ASSERT_EQ(test, row->ret, prepare(&r, row));
	if (row->ret)
		return;
	KUNIT_EXPECT_EQ(test, row->burst, r.limit);
	KUNIT_EXPECT_EQ(test, row->algorithm, r.algorithm);
}

/* A fresh key can spend exactly the limit at once. */
static void rate_fresh_is_full(struct kunit *test)
{
	const struct rate_row *row = test->param_value;
	/* at this time a word of 0 would be in the future */
	u64 now = 13 * WEIR_NSEC_PER_YEAR + 1, word;
	struct weir_decision d;
	struct weir_rate r;

	if (prepare(&r, row))
		return;
	word = weir_rate_fresh(&r, now);
	KUNIT_EXPECT_EQ(test, 0, word & 1);
	KUNIT_EXPECT_EQ(test, now, weir_rate_idle_at(&r, word, now));
	weir_rate_decide(&r, word, now, r.limit + 1, &d);
	KUNIT_EXPECT_FALSE(test, d.allowed);
	KUNIT_EXPECT_EQ(test, WEIR_NEVER, d.retry_after);
	KUNIT_EXPECT_EQ(test, r.limit, d.remaining);
	weir_rate_decide(&r, word, now, r.limit, &d);
	KUNIT_EXPECT_TRUE(test, d.allowed);
	KUNIT_EXPECT_EQ(test, 0, d.remaining);
	weir_rate_decide(&r, d.word, now, 1, &d);
	KUNIT_EXPECT_FALSE(test, d.allowed);
	KUNIT_EXPECT_NE(test, WEIR_NEVER, d.retry_after);
}

/* The decision of the algorithm itself, not through rate.h. */
static u64 own_decide(const struct weir_rate *r, u64 word, u64 now, u64 cost,
		      struct weir_decision *d)
{
	switch (r->algorithm) {
	case WEIR_ALGORITHM_WINDOW:
		weir_window_decide(&r->window, r->limit, word, now, cost, d);
		return weir_window_idle_at(&r->window, word, now);
	case WEIR_ALGORITHM_SLIDING:
		weir_sliding_decide(&r->window, r->limit, word, now, cost, d);
		return weir_sliding_idle_at(&r->window, word, now);
	default:
		weir_gcra_decide(&r->gcra, r->limit, word, now, cost, d);
		return weir_gcra_idle_at(word, now);
	}
}

static u64 own_refund(const struct weir_rate *r, u64 word, u64 now, u64 n)
{
	if (r->algorithm == WEIR_ALGORITHM_BUCKET)
		return weir_gcra_refund(&r->gcra, word, now, n);
	return weir_window_refund(&r->window, word, now, n);
}

/* rate.h gives the same answers as the header of the algorithm. */
static void check_same(struct kunit *test, const struct weir_rate *r, u64 word,
		       u64 now, u64 cost)
{
	struct weir_decision d = {}, own = {};
	u64 idle_at = own_decide(r, word, now, cost, &own);

	weir_rate_decide(r, word, now, cost, &d);
	KUNIT_ASSERT_EQ(test, own.word, d.word);
	KUNIT_ASSERT_EQ(test, own.allowed, d.allowed);
	KUNIT_ASSERT_EQ(test, own_refund(r, word, now, cost),
			weir_rate_refund(r, word, now, cost));
	KUNIT_ASSERT_EQ(test, idle_at, weir_rate_idle_at(r, word, now));
}

static void rate_reaches_algorithm(struct kunit *test)
{
	const struct rate_row *row = test->param_value;
	struct prng p = prng_seed(test, 0x5eed0401);
	struct weir_decision d;
	struct weir_rate r;
	u64 now = 0, word, cost;
	int i;

	if (prepare(&r, row))
		return;
	word = weir_rate_fresh(&r, now);
	for (i = 0; i < PRNG_ROUNDS(STEPS); i++) {
		now += prng_magnitude(&p, row->period) - 1;
		cost = prng_magnitude(&p, r.limit);
		check_same(test, &r, word, now, cost);
		weir_rate_decide(&r, word, now, cost, &d);
		word = prng_chance(&p, 1, 4) ?
		       weir_rate_refund(&r, d.word, now, cost) : d.word;
		KUNIT_ASSERT_EQ(test, 0, word & 1);
	}
}

/* PEEK gets the answer of the request, and numbers from before it. */
static void rate_peek_charges_nothing(struct kunit *test)
{
	const struct rate_row *row = test->param_value;
	struct prng p = prng_seed(test, 0x5eed0403);
	struct weir_decision look, none, d;
	struct weir_rate r;
	u64 now = 0, word, cost;
	int i;

	if (prepare(&r, row))
		return;
	word = weir_rate_fresh(&r, now);
	for (i = 0; i < PRNG_ROUNDS(STEPS); i++) {
		now += prng_magnitude(&p, row->period / 4 + 1) - 1;
		cost = prng_magnitude(&p, r.limit + 1);
		weir_rate_peek(&r, word, now, cost, &look);
		weir_rate_decide(&r, word, now, r.limit + 1, &none);
		weir_rate_decide(&r, word, now, cost, &d);
		KUNIT_ASSERT_EQ(test, word, look.word);
		KUNIT_ASSERT_EQ(test, d.allowed, look.allowed);
		KUNIT_ASSERT_EQ(test, d.retry_after, look.retry_after);
		KUNIT_ASSERT_EQ(test, none.remaining, look.remaining);
		KUNIT_ASSERT_EQ(test, none.reset_after, look.reset_after);
		word = d.word;
	}
}

/*
 * The promise that all algorithms make, tested without regard to the algorithm: after retry_after,
 * and not before, the same request is admitted. After reset_after, and from idle_at on, the key has
 * all its tokens.
 */
static void rate_keeps_its_word(struct kunit *test)
{
	const struct rate_row *row = test->param_value;
	struct prng p = prng_seed(test, 0x5eed0402);
	struct weir_decision d, later;
	struct weir_rate r;
	u64 now = 0, word, cost;
	int i;

	if (prepare(&r, row))
		return;
	word = weir_rate_fresh(&r, now);
	for (i = 0; i < PRNG_ROUNDS(STEPS); i++) {
		now += prng_magnitude(&p, row->period / 4 + 1) - 1;
		cost = prng_magnitude(&p, r.limit);
		weir_rate_decide(&r, word, now, cost, &d);
		word = d.word;
		if (!d.allowed) {
			weir_rate_decide(&r, word, now + d.retry_after - 1, cost, &later);
			KUNIT_ASSERT_FALSE(test, later.allowed);
			weir_rate_decide(&r, word, now + d.retry_after, cost, &later);
			KUNIT_ASSERT_TRUE(test, later.allowed);
		}
		weir_rate_decide(&r, word, now + d.reset_after, r.limit, &later);
		KUNIT_ASSERT_TRUE(test, later.allowed);
		KUNIT_ASSERT_EQ(test, now + d.reset_after,
				weir_rate_idle_at(&r, word, now));
	}
}

/* A live change keeps what rate.h says, for any algorithm. */
static void rate_change_keeps_state(struct kunit *test)
{
	struct weir_rate old, new;
	struct weir_decision d;

	weir_rate_prepare(&old, WEIR_ALGORITHM_BUCKET, 10, NSEC_PER_SEC, 10, NULL, 0);
	weir_rate_decide(&old, weir_rate_fresh(&old, 5), 5, 10, &d);
	weir_rate_prepare(&new, WEIR_ALGORITHM_BUCKET, 20, NSEC_PER_SEC, 20, &old, 5);
	weir_rate_decide(&new, d.word, 5, 21, &d);
	KUNIT_EXPECT_EQ(test, NSEC_PER_SEC, d.reset_after);

	weir_rate_prepare(&old, WEIR_ALGORITHM_WINDOW, 10, NSEC_PER_SEC, 10, NULL, 0);
	weir_rate_decide(&old, weir_rate_fresh(&old, 5), 5, 7, &d);
	weir_rate_prepare(&new, WEIR_ALGORITHM_WINDOW, 20, NSEC_PER_SEC, 20, &old, 5);
	weir_rate_decide(&new, d.word, 5, 21, &d);
	KUNIT_EXPECT_EQ(test, 13, d.remaining);
	weir_rate_prepare(&new, WEIR_ALGORITHM_WINDOW, 20, 2 * NSEC_PER_SEC, 20, &old, 5);
	weir_rate_decide(&new, d.word, 5, 21, &d);
	KUNIT_EXPECT_EQ(test, 20, d.remaining);
}

/* The word of a key after some charges, the last of them at @now or a little before. */
static u64 word_draw(struct prng *p, const struct weir_rate *r, u64 period, u64 now)
{
	u64 at = now - min(now, 3 * period), word = weir_rate_fresh(r, at);
	struct weir_decision d;
	int i;

	for (i = prng_below(p, 6); i; i--) {
		at += prng_below(p, now - at + 1);
		weir_rate_decide(r, word, at, prng_magnitude(p, r->limit), &d);
		word = d.word;
	}
	return word;
}

static u64 remaining(const struct weir_rate *r, u64 word, u64 now)
{
	struct weir_decision d;

	weir_rate_decide(r, word, now, 0, &d);
	return d.remaining;
}

/*
 * The stricter of two states: at no time does it allow more than either of them, and now it allows
 * exactly what the stricter one does.
 */
static void rate_stricter(struct kunit *test)
{
	const struct rate_row *row = test->param_value;
	struct prng p = prng_seed(test, 0x5eed0404);
	u64 now, a, b, both, least, slack, t;
	struct weir_rate r;
	bool ahead;
	int i, j;

	if (prepare(&r, row))
		return;
	slack = r.algorithm == WEIR_ALGORITHM_SLIDING;
	for (i = 0; i < PRNG_ROUNDS(STEPS); i++) {
		now = prng_magnitude(&p, 20 * row->period);
		/* written by a CPU whose clock is ahead */
		ahead = prng_chance(&p, 1, 8);
		a = word_draw(&p, &r, row->period, now + ahead * (row->period / 3 + 1));
		b = word_draw(&p, &r, row->period, now);
		both = prng_chance(&p, 1, 2) ? weir_rate_stricter(&r, a, b, now) :
					       weir_rate_stricter(&r, b, a, now);
		KUNIT_ASSERT_EQ(test, 0, both & 1);
		least = min(remaining(&r, a, now), remaining(&r, b, now));
		if (!ahead)
			KUNIT_ASSERT_LE(test, least, remaining(&r, both, now) + slack);
		for (j = 0, t = now; j < 20; j++) {
			KUNIT_ASSERT_LE(test, remaining(&r, both, t),
					min(remaining(&r, a, t), remaining(&r, b, t)));
			t += prng_magnitude(&p, row->period / 2 + 1) - 1;
		}
		/* a fresh state does not make the other one stricter */
		both = weir_rate_stricter(&r, b, weir_rate_fresh(&r, now), now);
		KUNIT_ASSERT_EQ(test, remaining(&r, b, now), remaining(&r, both, now));
		KUNIT_ASSERT_EQ(test, weir_rate_idle_at(&r, b, now),
				weir_rate_idle_at(&r, both, now));
	}
}

static struct kunit_case rate_cases[] = {
	KUNIT_CASE_PARAM(rate_prepare, rate_gen_params),
	KUNIT_CASE_PARAM(rate_fresh_is_full, rate_gen_params),
	KUNIT_CASE_PARAM(rate_reaches_algorithm, rate_gen_params),
	KUNIT_CASE_PARAM(rate_peek_charges_nothing, rate_gen_params),
	KUNIT_CASE_PARAM(rate_keeps_its_word, rate_gen_params),
	KUNIT_CASE(rate_change_keeps_state),
	KUNIT_CASE_PARAM(rate_stricter, rate_gen_params),
	{}
};

static struct kunit_suite weir_rate_suite = {
	.name = "weir_rate",
	.test_cases = rate_cases,
};

kunit_test_suite(weir_rate_suite);
