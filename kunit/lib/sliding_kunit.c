// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sliding window (src/lib/window.h), compared with a list of all charges: the documented
 * formula with plain division, and the documented guarantees.
 */

#include <kunit/test.h>

#include "lib/window.h"
#include "kunit/prng.h"

#define STEPS	400
#define CHARGES	400

/**
 * struct charges - charges and their times
 * @at: ns
 * @cost: tokens
 * @n: number of charges so far
 */
struct charges {
	u64 at[CHARGES];
	u64 cost[CHARGES];
	int n;
};

/* Tokens spent at @from or later, and before @to. */
static u64 spent(const struct charges *c, u64 from, u64 to)
{
	u64 sum = 0;
	int i;

	for (i = 0; i < c->n; i++)
		if (c->at[i] >= from && c->at[i] < to)
			sum += c->cost[i];
	return sum;
}

/* The count at @now, by the formula of the header. */
static u64 used_at(const struct weir_window *s, const struct charges *c, u64 now)
{
	u64 period = s->period.d, begin = now - now % period;
	u64 units = (period + (1ULL << s->shift) - 1) >> s->shift;
	u64 left = units - ((now - begin) >> s->shift);
	u64 prev = begin ? spent(c, begin - period, begin) : 0;

	return spent(c, begin, begin + period) + (prev * left + units - 1) / units;
}

/* @a * @b >= @c * @d, in 128 bits. */
static bool product_reaches(u64 a, u64 b, u64 c, u64 d)
{
	u64 left = mul_u64_u64_shr(a, b, 64), right = mul_u64_u64_shr(c, d, 64);

	return left == right ? a * b >= c * d : left > right;
}

/**
 * struct sliding_row - a configuration
 * @name: name of the row
 * @limit: tokens
 * @period: ns
 */
struct sliding_row {
	const char *name;
	u64 limit;
	u64 period;
};

static const struct sliding_row sliding_rows[] = {
	{ "one", 1, NSEC_PER_SEC },
	{ "ten a second", 10, NSEC_PER_SEC },
	{ "most in 10 ms", (1 << 13) - 1, 10 * NSEC_PER_MSEC },
	{ "most in a second", (1 << 16) - 1, NSEC_PER_SEC },
	{ "most in a minute", (1 << 19) - 1, 60 * NSEC_PER_SEC },
	{ "a prime a minute", 7919, 60 * NSEC_PER_SEC - 1 },
	{ "most in an hour", (1 << 22) - 1, 3600 * NSEC_PER_SEC },
	{ "most in a day", (1 << 24) - 1, WEIR_NSEC_PER_DAY },
	{ "most of all", WEIR_WINDOW_LIMIT_MAX, 100 * WEIR_NSEC_PER_DAY },
	{ "few in long", 3, 100 * WEIR_NSEC_PER_DAY },
};

static void sliding_describe(const struct sliding_row *row, char *desc)
{
	strscpy(desc, row->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(sliding, sliding_rows, sliding_describe);

/* Make a decision, compare it with the formula, and record the charge. */
static u64 request(struct kunit *test, const struct weir_window *s, u64 limit,
		   struct charges *c, u64 word, u64 now, u64 cost)
{
	u64 used = used_at(s, c, now);
	bool fits = used <= limit && cost <= limit - used;
	struct weir_decision d;

	weir_sliding_decide(s, limit, word, now, cost, &d);
	KUNIT_EXPECT_EQ(test, fits, d.allowed);
	KUNIT_EXPECT_EQ(test, limit - min(limit, used) - (fits ? cost : 0),
			d.remaining);
	KUNIT_EXPECT_EQ(test, 0, d.word & 1);
	KUNIT_EXPECT_EQ(test, fits, !d.retry_after);
	if (!fits)
		KUNIT_EXPECT_EQ(test, word, d.word);
	if (fits && cost) {
		c->at[c->n] = now;
		c->cost[c->n++] = cost;
	}
	return d.word;
}

static void sliding_is_the_formula(struct kunit *test)
{
	const struct sliding_row *row = test->param_value;
	struct charges *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);
	struct prng p = prng_seed(test, 0x5eed0601);
	struct weir_window s;
	u64 now = 0, word = 0;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, c);
	KUNIT_ASSERT_EQ(test, 0,
			weir_window_prepare(&s, true, row->limit, row->period, NULL, 0));
	for (i = 0; i < STEPS; i++) {
		now += prng_magnitude(&p, row->period) - 1;
		word = request(test, &s, row->limit, c, word, now,
			       prng_magnitude(&p, row->limit + 1));
	}
	KUNIT_EXPECT_GT(test, c->n, 0);
}

/*
 * No window has more than the limit, and no period more than twice the limit. The weight of the
 * previous window is never below the exact one, in any unit of time.
 */
static void sliding_promises(struct kunit *test)
{
	const struct sliding_row *row = test->param_value;
	struct charges *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);
	struct prng p = prng_seed(test, 0x5eed0602);
	u64 now = 0, word = 0, at, cost;
	struct weir_window s;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, c);
	KUNIT_ASSERT_EQ(test, 0,
			weir_window_prepare(&s, true, row->limit, row->period, NULL, 0));
	for (i = 0; i < STEPS; i++) {
		struct weir_window_state slide;

		/* all that fits, after a random time */
		now += prng_magnitude(&p, row->period / 2) - 1;
		slide = weir_window_at(&s, word, now);
		cost = weir_sliding_used(&s, &slide);
		at = now % row->period;
		KUNIT_EXPECT_TRUE(test, product_reaches(cost - slide.cur, row->period,
							slide.prev, row->period - at));
		cost = row->limit - min(row->limit, cost);
		word = request(test, &s, row->limit, c, word, now, cost);
	}
	for (i = 0; i < c->n; i++) {
		at = c->at[i] - c->at[i] % row->period;
		KUNIT_EXPECT_LE(test, spent(c, at, at + row->period), row->limit);
		KUNIT_EXPECT_LT(test, spent(c, c->at[i], c->at[i] + row->period),
				2 * row->limit + (row->limit == 1));
	}
}

/* The next window begins with the count that the previous one had at its end. */
static void sliding_edge(struct kunit *test)
{
	struct weir_decision d;
	struct weir_window s;
	u64 second = NSEC_PER_SEC;

	KUNIT_ASSERT_EQ(test, 0, weir_window_prepare(&s, true, 10, second, NULL, 0));
	weir_sliding_decide(&s, 10, 0, second - 1, 10, &d);
	KUNIT_EXPECT_TRUE(test, d.allowed);
	KUNIT_EXPECT_EQ(test, second + 1, d.reset_after);
	/* a fixed window would admit ten more here */
	weir_sliding_decide(&s, 10, d.word, second, 1, &d);
	KUNIT_EXPECT_FALSE(test, d.allowed);
	KUNIT_EXPECT_EQ(test, second / 10, d.retry_after);
	weir_sliding_decide(&s, 10, d.word, second + second / 2, 5, &d);
	KUNIT_EXPECT_TRUE(test, d.allowed);
	weir_sliding_decide(&s, 10, d.word, second + second / 2, 1, &d);
	KUNIT_EXPECT_FALSE(test, d.allowed);
}

static void sliding_refunds(struct kunit *test)
{
	struct weir_decision d;
	struct weir_window s;
	u64 second = NSEC_PER_SEC, word;

	KUNIT_ASSERT_EQ(test, 0, weir_window_prepare(&s, true, 10, second, NULL, 0));
	weir_sliding_decide(&s, 10, 0, 0, 6, &d);
	weir_sliding_decide(&s, 10, d.word, second + second / 2, 4, &d);
	KUNIT_EXPECT_EQ(test, 3, d.remaining);
	/* four of this window, and two for the six of the window before, which weigh half */
	word = weir_window_refund(&s, d.word, second + second / 2, 6);
	weir_sliding_decide(&s, 10, word, second + second / 2, 0, &d);
	KUNIT_EXPECT_EQ(test, 8, d.remaining);
	/* never above full */
	word = weir_window_refund(&s, word, second + second / 2, U32_MAX);
	KUNIT_EXPECT_EQ(test, second + second / 2,
			weir_sliding_idle_at(&s, word, second + second / 2));
	word = weir_window_refund(&s, word, 9 * second, 1);
	weir_sliding_decide(&s, 10, word, 9 * second, 10, &d);
	KUNIT_EXPECT_TRUE(test, d.allowed);
}

/* A clock that lags makes the state stricter, never looser. */
static void sliding_clock_lags(struct kunit *test)
{
	struct weir_decision d, late;
	struct weir_window s;
	u64 second = NSEC_PER_SEC;

	KUNIT_ASSERT_EQ(test, 0, weir_window_prepare(&s, true, 10, second, NULL, 0));
	weir_sliding_decide(&s, 10, 0, 5 * second + 7, 8, &d);
	weir_sliding_decide(&s, 10, d.word, 5 * second - 7, 3, &late);
	KUNIT_EXPECT_FALSE(test, late.allowed);
	KUNIT_EXPECT_EQ(test, 2, late.remaining);
	KUNIT_EXPECT_EQ(test, 7 + second, late.reset_after - second);
	weir_sliding_decide(&s, 10, d.word, 5 * second - 7, 2, &late);
	KUNIT_EXPECT_TRUE(test, late.allowed);
	weir_sliding_decide(&s, 10, late.word, 5 * second + 8, 1, &late);
	KUNIT_EXPECT_FALSE(test, late.allowed);
}

/* A new limit keeps the tokens spent; a new period starts again. */
static void sliding_live_change(struct kunit *test)
{
	u64 second = NSEC_PER_SEC, now = 5 * second + second / 2;
	struct weir_window s, more, other;
	struct weir_decision d;
	u64 word;

	KUNIT_ASSERT_EQ(test, 0, weir_window_prepare(&s, true, 10, second, NULL, 0));
	weir_sliding_decide(&s, 10, 0, 4 * second, 6, &d);
	weir_sliding_decide(&s, 10, d.word, now, 4, &d);
	word = d.word;
	KUNIT_EXPECT_EQ(test, 0, weir_window_prepare(&more, true, 20, second, &s, now));
	weir_sliding_decide(&more, 20, word, now, 0, &d);
	KUNIT_EXPECT_EQ(test, 13, d.remaining);
	weir_sliding_decide(&more, 5, word, now, 0, &d);
	KUNIT_EXPECT_EQ(test, 0, d.remaining);
	KUNIT_EXPECT_EQ(test, 0, weir_window_prepare(&other, true, 10, 90 * second, &s, now));
	weir_sliding_decide(&other, 10, word, now, 10, &d);
	KUNIT_EXPECT_TRUE(test, d.allowed);
	KUNIT_EXPECT_EQ(test, now, weir_sliding_idle_at(&other, word, now));
	/* after a change to a longer period the old window is not taken for the previous one */
	KUNIT_EXPECT_EQ(test, 0, weir_window_prepare(&s, true, 10, 100 * second, &other, now));
	weir_sliding_decide(&s, 10, d.word, now, 10, &d);
	KUNIT_EXPECT_TRUE(test, d.allowed);
}

/* A configuration is refused if a count or a window number would overflow. */
static void sliding_ranges(struct kunit *test)
{
	const struct sliding_row *row = test->param_value;
	u64 most = (1ULL << weir_window_bits(row->period)) - 1;
	struct weir_window s, next;

	KUNIT_EXPECT_EQ(test, 0, weir_window_prepare(&s, true, most, row->period, NULL, 0));
	KUNIT_EXPECT_EQ(test, -ERANGE,
			weir_window_prepare(&next, true, most + 1, row->period, NULL, 0));
	KUNIT_EXPECT_EQ(test, -ERANGE,
			weir_window_prepare(&next, true, most + 1, row->period, &s, 0));
	/* a count keeps its bits, so window numbers of a far shorter period would not fit */
	KUNIT_EXPECT_EQ(test, -ERANGE,
			weir_window_prepare(&next, true, 1, row->period / 5, &s, 0));
	KUNIT_EXPECT_EQ(test, 0, weir_window_prepare(&next, true, 1, row->period * 5, &s, 0));
	s.base = 1ULL << (62 - 2 * s.bits);
	KUNIT_EXPECT_EQ(test, -ERANGE,
			weir_window_prepare(&next, true, 1, row->period, &s, 0));
	/* after 18 years the window number still fits */
	KUNIT_EXPECT_LT(test, div64_u64(18 * WEIR_NSEC_PER_YEAR, row->period),
			1ULL << (62 - 2 * s.bits));
}

static struct kunit_case sliding_cases[] = {
	KUNIT_CASE_PARAM(sliding_is_the_formula, sliding_gen_params),
	KUNIT_CASE_PARAM(sliding_promises, sliding_gen_params),
	KUNIT_CASE(sliding_edge),
	KUNIT_CASE(sliding_refunds),
	KUNIT_CASE(sliding_clock_lags),
	KUNIT_CASE(sliding_live_change),
	KUNIT_CASE_PARAM(sliding_ranges, sliding_gen_params),
	{}
};

static struct kunit_suite weir_sliding_suite = {
	.name = "weir_sliding",
	.test_cases = sliding_cases,
};

kunit_test_suite(weir_sliding_suite);
