// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fading strikes (src/lib/score.h), compared with a list of all strikes. Within the first window
 * they are counted one by one, later they are weighted by the documented formula.
 */

#include <kunit/test.h>

#include "lib/score.h"
#include "kunit/prng.h"

#define STRIKES	100

/**
 * struct strikes - the model
 * @at: time of each strike
 * @weight: number of strikes that it stands for
 * @n: number of elements so far
 * @anchor: beginning of the window from which all others are counted
 * @within: ns
 */
struct strikes {
	u64 at[STRIKES];
	u32 weight[STRIKES];
	int n;
	u64 anchor;
	u64 within;
};

/**
 * struct sums - strikes by window
 * @cur: strikes in the window of the present time
 * @prev: strikes in the window before it
 * @begin: beginning of the window of the present time
 */
struct sums {
	u64 cur;
	u64 prev;
	u64 begin;
};

static struct sums strikes_sum(const struct strikes *m, u64 now)
{
	u64 since = now - m->anchor;
	struct sums s = { .begin = now - since % m->within };
	int i;

	for (i = 0; i < m->n; i++) {
		if (m->at[i] >= s.begin)
			s.cur += m->weight[i];
		else if (m->at[i] + m->within >= s.begin && m->at[i] >= m->anchor)
			s.prev += m->weight[i];
	}
	return s;
}

static void strikes_add(struct strikes *m, u64 now, u32 weight)
{
	struct sums s = { 0 };

	if (m->n)
		s = strikes_sum(m, now);
	if (!s.cur && !s.prev)
		m->anchor = now;
	m->at[m->n] = now;
	m->weight[m->n++] = weight;
}

/*
 * The header promises floor(prev * (within - age) / within). Times are kept in units of up to 2^22
 * ns, which are at most 2^-30 of @within. So the value may be off by that part of prev, and by one
 * for the rounding.
 */
static void check_value(struct kunit *test, const struct weir_score_config *c,
			const struct strikes *m, struct weir_score s, u64 now)
{
	struct sums sum = strikes_sum(m, now);
	u64 value = weir_score_value(c, s, now), faded, slack, left;
	wide exact;

	left = m->within - (now - sum.begin);
	exact = (wide)sum.prev * left;
	slack = c->shift ? (sum.prev >> 29) + 1 : 0;
	KUNIT_ASSERT_GE(test, value, sum.cur);
	faded = value - sum.cur;
	KUNIT_ASSERT_LE(test, faded, sum.prev);
	KUNIT_ASSERT_TRUE(test, (wide)faded * m->within <=
			  exact + (wide)slack * m->within);
	KUNIT_ASSERT_TRUE(test, ((wide)faded + 1 + slack) * m->within >
			  exact);
}

static u64 draw_within(struct prng *p, int i)
{
	switch (i) {
	case 0:
		return NSEC_PER_MSEC;
	case 1:
		return 100 * WEIR_NSEC_PER_DAY;
	case 2:
		return (1ULL << 31) - 1;
	case 3:
		return 1ULL << 31;
	default:
		return NSEC_PER_MSEC - 1 +
		       prng_magnitude(p, 100 * WEIR_NSEC_PER_DAY - NSEC_PER_MSEC + 1);
	}
}

/* Advance to an edge of the window, to a ns next to it, by a short or by a long time. */
static u64 draw_time(struct prng *p, const struct strikes *m, u64 now)
{
	u64 edge = m->anchor + ((now - m->anchor) / m->within + 1) * m->within;

	switch (prng_below(p, 6)) {
	case 0:
		return now;
	case 1:
		return edge;
	case 2:
		return edge - 1;
	case 3:
		return edge + m->within;
	case 4:
		return now + prng_magnitude(p, 3 * m->within);
	default:
		return now + prng_magnitude(p, m->within / 8);
	}
}

static void score_agrees_with_model(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed0501);
	struct strikes *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	struct weir_score_config c;
	struct weir_score s;
	u64 now;
	u32 weight;
	int i, j;

	KUNIT_ASSERT_NOT_NULL(test, m);
	for (i = 0; i < PRNG_ROUNDS(60); i++) {
		memset(m, 0, sizeof(*m));
		m->within = draw_within(&p, i);
		now = prng_magnitude(&p, WEIR_NSEC_PER_YEAR);
		m->anchor = now;
		c = weir_score_prepare(m->within);
		s = (struct weir_score){ 0 };
		for (j = 0; j < STRIKES; j++) {
			now = draw_time(&p, m, now);
			check_value(test, &c, m, s, now);
			weight = prng_magnitude(&p, 1 << 20);
			strikes_add(m, now, weight);
			s = weir_score_add(&c, s, now, weight);
			check_value(test, &c, m, s, now);
		}
	}
}

/* Of a key that was idle, all strikes within the first @within ns count in full. */
static void score_run_is_exact(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed0502);
	struct weir_score_config c;
	struct weir_score s;
	u64 within, first, now, sum;
	u32 weight;
	int i, j;

	for (i = 0; i < PRNG_ROUNDS(100); i++) {
		within = draw_within(&p, i);
		c = weir_score_prepare(within);
		first = prng_magnitude(&p, WEIR_NSEC_PER_YEAR);
		now = first;
		s = (struct weir_score){ .since = prng_next(&p) };
		for (j = sum = 0; j < STRIKES && now < first + within; j++) {
			weight = prng_magnitude(&p, 1 << 20);
			sum += weight;
			s = weir_score_add(&c, s, now, weight);
			KUNIT_ASSERT_EQ(test, sum, weir_score_value(&c, s, now));
			KUNIT_ASSERT_EQ(test, sum, weir_score_value(&c, s, first + within - 1));
			now += prng_magnitude(&p, within / 16);
		}
		/* then they fade to nothing, without a jump at the edge */
		KUNIT_ASSERT_EQ(test, sum, weir_score_value(&c, s, first + within));
		KUNIT_ASSERT_EQ(test, 0, weir_score_value(&c, s, first + 2 * within));
	}
}

/* Without a new strike the value never rises. */
static void score_only_falls(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed0503);
	struct weir_score_config c;
	struct weir_score s;
	u64 within, now, value, next;
	int i, j;

	for (i = 0; i < PRNG_ROUNDS(200); i++) {
		within = draw_within(&p, i);
		c = weir_score_prepare(within);
		now = WEIR_NSEC_PER_DAY;
		s = (struct weir_score){ .since = now,
					 .cur = prng_magnitude(&p, U32_MAX / 2),
					 .prev = prng_magnitude(&p, U32_MAX / 2) };
		value = weir_score_value(&c, s, now);
		KUNIT_ASSERT_EQ(test, (u64)s.cur + s.prev, value);
		for (j = 0; j < 50; j++) {
			now += prng_magnitude(&p, within / 4);
			next = weir_score_value(&c, s, now);
			KUNIT_ASSERT_LE(test, next, value);
			value = next;
			if (prng_chance(&p, 1, 4))
				s = weir_score_roll(&c, s, now);
			KUNIT_ASSERT_EQ(test, value, weir_score_value(&c, s, now));
		}
	}
}

/* idle_at is exact to the ns: from then on nothing is remembered. */
static void score_idle_at_is_exact(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed0504);
	struct weir_score_config c;
	struct weir_score s = { 0 }, at;
	u64 within, now, idle;
	int i, j;

	for (i = 0; i < PRNG_ROUNDS(100); i++) {
		within = draw_within(&p, i);
		c = weir_score_prepare(within);
		now = WEIR_NSEC_PER_DAY;
		s = (struct weir_score){ 0 };
		KUNIT_ASSERT_EQ(test, now, weir_score_idle_at(&c, s, now));
		for (j = 0; j < 30; j++) {
			now += prng_magnitude(&p, 2 * within) - 1;
			if (prng_chance(&p, 3, 4))
				s = weir_score_add(&c, s, now, prng_magnitude(&p, 1 << 20));
			idle = weir_score_idle_at(&c, s, now);
			at = weir_score_roll(&c, s, idle);
			KUNIT_ASSERT_EQ(test, 0, at.cur);
			KUNIT_ASSERT_EQ(test, 0, at.prev);
			if (idle == now)
				continue;
			at = weir_score_roll(&c, s, idle - 1);
			KUNIT_ASSERT_NE(test, 0, at.cur | at.prev);
		}
	}
}

/* A lagging clock neither restores nor fades strikes. */
static void score_lag_moves_nothing(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed0505);
	struct weir_score_config c;
	struct weir_score s, early;
	u64 within, now, lag;
	int i, j;

	for (i = 0; i < PRNG_ROUNDS(100); i++) {
		within = draw_within(&p, i);
		c = weir_score_prepare(within);
		now = WEIR_NSEC_PER_YEAR;
		s = (struct weir_score){ 0 };
		for (j = 0; j < 30; j++) {
			now += prng_magnitude(&p, 2 * within) - 1;
			s = weir_score_add(&c, s, now, prng_magnitude(&p, 1 << 20));
			lag = now - prng_below(&p, within);
			early = weir_score_roll(&c, s, lag);
			KUNIT_ASSERT_EQ(test, s.since, early.since);
			KUNIT_ASSERT_EQ(test, s.cur, early.cur);
			KUNIT_ASSERT_GE(test, weir_score_value(&c, s, lag),
					weir_score_value(&c, s, now));
			early = weir_score_add(&c, s, lag, 1);
			KUNIT_ASSERT_EQ(test, s.cur + 1, early.cur);
			KUNIT_ASSERT_EQ(test, s.since, early.since);
		}
	}
}

/* At its maximum the count stays. It does not wrap. */
static void score_saturates(struct kunit *test)
{
	struct weir_score_config c = weir_score_prepare(NSEC_PER_SEC);
	struct weir_score s = { .since = 100, .cur = U32_MAX - 1 };

	s = weir_score_add(&c, s, 100, 5);
	KUNIT_EXPECT_EQ(test, U32_MAX, s.cur);
	s = weir_score_add(&c, s, 100 + NSEC_PER_SEC, 1 << 20);
	KUNIT_EXPECT_EQ(test, U32_MAX, weir_score_value(&c, s, 100 + NSEC_PER_SEC));
	s = (struct weir_score){ .since = 100, .cur = 1U << 31, .prev = 1U << 30 };
	s = weir_score_add(&c, s, 100, U32_MAX);
	KUNIT_EXPECT_EQ(test, U32_MAX, weir_score_value(&c, s, 100));
}

/**
 * struct fade_row - one pattern of strikes and its value
 * @name: name of the row
 * @at: time of the second group of strikes, ms
 * @before: number of strikes at 0
 * @more: number of strikes at @at
 * @ask: time of the read, ms
 * @value: expected value, if within is 1000 ms
 */
struct fade_row {
	const char *name;
	u64 at;
	u32 before;
	u32 more;
	u64 ask;
	u32 value;
};

static const struct fade_row fade_rows[] = {
	{ "both in the first window", 999, 5, 5, 999, 10 },
	{ "the second just begins", 1000, 5, 5, 1000, 10 },
	{ "half of the previous", 1500, 10, 1, 1500, 6 },
	{ "rounded down", 1500, 5, 1, 1500, 3 },
	{ "nearly nothing of it", 1999, 10, 1, 1999, 1 },
	{ "two windows later", 2000, 10, 1, 2000, 1 },
	{ "a new run begins at its own first strike", 2500, 10, 3, 3499, 3 },
	{ "and fades from there", 2500, 10, 4, 4000, 2 },
};

static void fade_describe(const struct fade_row *row, char *desc)
{
	strscpy(desc, row->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(fade, fade_rows, fade_describe);

static void score_fades(struct kunit *test)
{
	const struct fade_row *row = test->param_value;
	struct weir_score_config c = weir_score_prepare(NSEC_PER_SEC);
	struct weir_score s = { 0 };
	u64 start = 7 * NSEC_PER_MSEC;

	s = weir_score_add(&c, s, start, row->before);
	s = weir_score_add(&c, s, start + row->at * NSEC_PER_MSEC, row->more);
	KUNIT_EXPECT_EQ(test, row->value,
			weir_score_value(&c, s, start + row->ask * NSEC_PER_MSEC));
}

static struct kunit_case score_cases[] = {
	KUNIT_CASE_PARAM(score_fades, fade_gen_params),
	KUNIT_CASE(score_agrees_with_model),
	KUNIT_CASE(score_run_is_exact),
	KUNIT_CASE(score_only_falls),
	KUNIT_CASE(score_idle_at_is_exact),
	KUNIT_CASE(score_lag_moves_nothing),
	KUNIT_CASE(score_saturates),
	{}
};

static struct kunit_suite weir_score_suite = {
	.name = "weir_score",
	.test_cases = score_cases,
};

kunit_test_suite(weir_score_suite);
