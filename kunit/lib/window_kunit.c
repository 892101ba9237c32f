// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fixed window (src/lib/window.h), compared with a list of windows, their starts and charges.
 * The model walks the list and computes nothing.
 */

#include <kunit/test.h>

#include "lib/window.h"
#include "kunit/prng.h"

#define STEPS		200
#define WINDOWS		1024
#define NUMBER_MAX	((1ULL << 36) - 1)	/* of a window */

static u64 number_of(u64 word)
{
	return word >> (WEIR_WINDOW_BITS + 1);
}

static u64 count_of(u64 word)
{
	return (word >> 1) & WEIR_WINDOW_LIMIT_MAX;
}

/**
 * struct windows - the model
 * @begin: start of each window
 * @count: tokens charged in each
 * @n: number of windows so far
 * @floor: first window since the last change of @period
 * @period: length of the last window and of later ones, ns
 * @top: the last window with a charge
 */
struct windows {
	u64 begin[WINDOWS];
	u64 count[WINDOWS];
	int n;
	int floor;
	u64 period;
	int top;
};

/**
 * struct spender - one key in the code and in the model
 * @m: the model
 * @w: the configuration, prepared
 * @limit: tokens per window
 * @word: state of the key
 * @now: current time, ns
 */
struct spender {
	struct windows *m;
	struct weir_window w;
	u64 limit;
	u64 word;
	u64 now;
};

static void windows_start(struct windows *m, u64 period)
{
	memset(m, 0, sizeof(*m));
	m->n = 1;
	m->period = period;
}

/* The number of the window that contains @now; -1: the list is full. */
static int windows_at(struct windows *m, u64 now)
{
	int i;

	while (m->n < WINDOWS && m->begin[m->n - 1] + m->period <= now) {
		m->begin[m->n] = m->begin[m->n - 1] + m->period;
		m->n++;
	}
	if (m->n == WINDOWS)
		return -1;
	for (i = m->n - 1; i > m->floor && m->begin[i] > now; i--)
		;
	return i;
}

/* The end of window @i, at which the next one begins. */
static u64 windows_end(struct windows *m, int i)
{
	return i + 1 < m->n ? m->begin[i + 1] : m->begin[m->n - 1] +
	       (u64)(i + 1 - (m->n - 1)) * m->period;
}

static void windows_change(struct windows *m, u64 now, u64 period)
{
	windows_at(m, now);
	m->begin[m->n] = now;
	m->floor = m->n++;
	m->period = period;
}

static void spender_start(struct kunit *test, struct spender *k,
			  struct windows *m, u64 period, u64 limit)
{
	*k = (struct spender){ .m = m, .limit = limit };
	windows_start(m, period);
	KUNIT_ASSERT_EQ(test, 0, weir_window_prepare(&k->w, false, limit, period, NULL, 0));
}

/* Check decision @d about @cost tokens at @now, in window @i. Return: a message, or NULL. */
static const char *flaw_of(const struct spender *k, const struct weir_decision *d,
			   u64 now, u64 cost, int i, bool fits)
{
	u64 count = k->m->count[i], end = windows_end(k->m, i);

	if (d->allowed != fits)
		return fits ? "denied what fits" : "admitted what does not fit";
	if (!fits && d->word != k->word)
		return "changed the state though denied";
	if (d->word & 1)
		return "set bit 0 of the word";
	if (d->remaining != (k->limit > count ? k->limit - count : 0))
		return "remaining is wrong";
	if (d->reset_after != (count ? end - now : 0))
		return "reset_after is wrong";
	if (fits)
		return d->retry_after ? "has a retry_after though allowed" : NULL;
	if (d->retry_after != (cost > k->limit ? WEIR_NEVER : end - now))
		return "retry_after is wrong";
	return NULL;
}

/* Return: false if the list of windows is full. */
static bool spender_request(struct kunit *test, struct spender *k, u64 now, u64 cost)
{
	struct windows *m = k->m;
	struct weir_decision d;
	const char *flaw;
	bool fits;
	int i = windows_at(m, now);

	if (i < 0)
		return false;
	if (i < m->top)
		i = m->top;
	fits = cost <= k->limit && m->count[i] <= k->limit - cost;
	weir_window_decide(&k->w, k->limit, k->word, now, cost, &d);
	if (fits) {
		m->count[i] += cost;
		m->top = i;
	}
	flaw = flaw_of(k, &d, now, cost, i, fits);
	if (flaw) {
		kunit_info(test, "period %llu, limit %llu, word %llu, now %llu",
			   (unsigned long long)m->period,
			   (unsigned long long)k->limit,
			   (unsigned long long)k->word, (unsigned long long)now);
		KUNIT_ASSERT_TRUE_MSG(test, !flaw, "cost %llu: %s",
				      (unsigned long long)cost, flaw);
	}
	k->word = d.word;
	return true;
}

static bool spender_refund(struct kunit *test, struct spender *k, u64 now, u64 n)
{
	struct windows *m = k->m;
	int i = windows_at(m, now);

	if (i < 0)
		return false;
	k->word = weir_window_refund(&k->w, k->word, now, n);
	if (i <= m->top)
		m->count[m->top] -= min(m->count[m->top], n);
	/* a request that cannot fit returns what is left */
	return spender_request(test, k, now, k->limit + 1);
}

static u64 draw_cost(struct prng *p, const struct spender *k)
{
	u64 left = k->limit - min(count_of(k->word), k->limit);

	switch (prng_below(p, 6)) {
	case 0:
		return left ? left : 1;
	case 1:
		return left + 1;
	case 2:
		return prng_magnitude(p, U32_MAX);
	case 3:
		return k->limit;
	default:
		return prng_magnitude(p, k->limit);
	}
}

/* Advance to an edge of a window, to a ns next to it, or to any time. */
static u64 draw_time(struct prng *p, const struct spender *k)
{
	const struct windows *m = k->m;
	u64 edge = m->begin[m->n - 1] + m->period * prng_below(p, 3);

	switch (prng_below(p, 5)) {
	case 0:
		return max(edge, k->now);
	case 1:
		return max(edge + 1, k->now);
	case 2:
		return max(edge ? edge - 1 : 0, k->now);
	case 3:
		return k->now + prng_magnitude(p, 3 * m->period);
	default:
		return k->now;
	}
}

static u64 draw_period(struct prng *p)
{
	return WEIR_WINDOW_PERIOD_MIN - 1 +
	       prng_magnitude(p, 100 * WEIR_NSEC_PER_DAY - WEIR_WINDOW_PERIOD_MIN + 1);
}

/**
 * struct mix - events that may happen besides requests
 * @lag: clocks may lag by some periods
 * @limits: the limit may change
 * @periods: the period may change
 */
struct mix {
	bool lag;
	bool limits;
	bool periods;
};

static void change_period(struct kunit *test, struct prng *p, struct spender *k)
{
	struct weir_window old = k->w;
	u64 period = draw_period(p);

	if (windows_at(k->m, k->now) < 0 || k->m->n >= WINDOWS - 1 ||
	    period == k->m->period)
		return;
	windows_change(k->m, k->now, period);
	KUNIT_ASSERT_EQ(test, 0, weir_window_prepare(&k->w, false, k->limit, period, &old,
						     k->now));
}

static bool spender_step(struct kunit *test, struct prng *p, struct spender *k,
			 const struct mix *mix)
{
	u64 now;

	k->now = draw_time(p, k);
	now = k->now;
	if (mix->limits && prng_chance(p, 1, 8))
		k->limit = prng_magnitude(p, WEIR_WINDOW_LIMIT_MAX);
	if (mix->periods && prng_chance(p, 1, 8))
		change_period(test, p, k);
	if (mix->lag && prng_chance(p, 1, 2))
		now -= prng_below(p, min(now, 3 * k->m->period) + 1);
	if (prng_chance(p, 1, 8))
		return spender_refund(test, k, now, prng_magnitude(p, U32_MAX));
	return spender_request(test, k, now, draw_cost(p, k));
}

static void run_mix(struct kunit *test, u64 seed, const struct mix *mix)
{
	struct prng p = prng_seed(test, seed);
	struct windows *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	struct spender k;
	int i, j;

	KUNIT_ASSERT_NOT_NULL(test, m);
	for (i = 0; i < PRNG_ROUNDS(30); i++) {
		spender_start(test, &k, m, draw_period(&p),
			      prng_magnitude(&p, WEIR_WINDOW_LIMIT_MAX));
		for (j = 0; j < STEPS; j++)
			if (!spender_step(test, &p, &k, mix))
				break;
	}
}

static void window_agrees_with_model(struct kunit *test)
{
	run_mix(test, 0x5eed0301, &(struct mix){});
}

static void window_lag_is_charged_later(struct kunit *test)
{
	run_mix(test, 0x5eed0302, &(struct mix){ .lag = true });
}

static void window_live_limit(struct kunit *test)
{
	run_mix(test, 0x5eed0303, &(struct mix){ .limits = true });
}

static void window_live_period(struct kunit *test)
{
	run_mix(test, 0x5eed0304, &(struct mix){ .periods = true });
}

static void window_everything_at_once(struct kunit *test)
{
	run_mix(test, 0x5eed0305, &(struct mix){ true, true, true });
}

/* Setting the same period again changes nothing: the window continues. */
static void window_same_period_goes_on(struct kunit *test)
{
	struct weir_window w, again;
	struct weir_decision d;
	u64 elapsed;

	weir_window_prepare(&w, false, 10, NSEC_PER_SEC, NULL, 0);
	weir_window_decide(&w, 10, 0, NSEC_PER_SEC + 5, 10, &d);
	KUNIT_EXPECT_TRUE(test, d.allowed);
	weir_window_prepare(&again, false, 10, NSEC_PER_SEC, &w, NSEC_PER_SEC + 6);
	KUNIT_EXPECT_EQ(test, 1, weir_window_number(&again, NSEC_PER_SEC + 6, &elapsed));
	weir_window_decide(&again, 10, d.word, NSEC_PER_SEC + 6, 1, &d);
	KUNIT_EXPECT_FALSE(test, d.allowed);
	KUNIT_EXPECT_EQ(test, NSEC_PER_SEC - 6, d.retry_after);
}

/* A change of the period is refused if window numbers could run out. */
static void window_numbers_run_out(struct kunit *test)
{
	struct weir_window w, next;

	weir_window_prepare(&w, false, 10, NSEC_PER_SEC, NULL, 0);
	w.base = NUMBER_MAX / 2 - 1 - WEIR_WINDOW_GAP / NSEC_PER_SEC;
	KUNIT_EXPECT_EQ(test, 0,
			weir_window_prepare(&next, false, 10, 2 * NSEC_PER_SEC, &w, 0));
	KUNIT_EXPECT_EQ(test, NUMBER_MAX / 2, next.base);
	KUNIT_EXPECT_EQ(test, -ERANGE,
			weir_window_prepare(&w, false, 10, NSEC_PER_SEC, &next, 0));
}

/*
 * The largest number and the largest count have their own bits, apart from each other and from the
 * lock bit.
 */
static void window_word_holds_all(struct kunit *test)
{
	struct weir_window w;
	u64 word, rem;

	weir_window_prepare(&w, false, 10, WEIR_WINDOW_PERIOD_MIN, NULL, 0);
	word = weir_window_pack(&w, NUMBER_MAX, WEIR_WINDOW_LIMIT_MAX, 0);
	KUNIT_EXPECT_EQ(test, U64_MAX - 1, word);
	KUNIT_EXPECT_EQ(test, NUMBER_MAX, number_of(word));
	KUNIT_EXPECT_EQ(test, WEIR_WINDOW_LIMIT_MAX, count_of(word));
	word = weir_window_pack(&w, NUMBER_MAX, 0, 0);
	KUNIT_EXPECT_EQ(test, 0, count_of(word));
	word = weir_window_pack(&w, 0, WEIR_WINDOW_LIMIT_MAX, 0);
	KUNIT_EXPECT_EQ(test, 0, number_of(word));
	/* twenty years of the shortest windows fit */
	KUNIT_EXPECT_LT(test, weir_window_number(&w, 20 * WEIR_NSEC_PER_YEAR, &rem),
			NUMBER_MAX);
}

static bool same_as_fresh(const struct spender *k, u64 at, u64 cost)
{
	struct weir_decision a, b;

	weir_window_decide(&k->w, k->limit, k->word, at, cost, &a);
	weir_window_decide(&k->w, k->limit, 0, at, cost, &b);
	return a.allowed == b.allowed && a.remaining == b.remaining &&
	       a.retry_after == b.retry_after && a.reset_after == b.reset_after &&
	       (!a.allowed || a.word == b.word);
}

static void window_idle_at_is_exact(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed0306);
	struct windows *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	struct mix mix = { .limits = true, .periods = true };
	struct spender k;
	u64 idle;
	int i, j;

	KUNIT_ASSERT_NOT_NULL(test, m);
	for (i = 0; i < PRNG_ROUNDS(30); i++) {
		spender_start(test, &k, m, draw_period(&p),
			      prng_magnitude(&p, WEIR_WINDOW_LIMIT_MAX));
		for (j = 0; j < STEPS && spender_step(test, &p, &k, &mix); j++) {
			idle = weir_window_idle_at(&k.w, k.word, k.now);
			KUNIT_ASSERT_GE(test, idle, k.now);
			KUNIT_ASSERT_TRUE(test, same_as_fresh(&k, idle, 1));
			KUNIT_ASSERT_TRUE(test, same_as_fresh(&k, idle, k.limit));
			if (idle > k.now)
				KUNIT_ASSERT_FALSE(test, same_as_fresh(&k, idle - 1,
								       k.limit));
		}
	}
}

static struct kunit_case window_cases[] = {
	KUNIT_CASE(window_word_holds_all),
	KUNIT_CASE(window_same_period_goes_on),
	KUNIT_CASE(window_numbers_run_out),
	KUNIT_CASE(window_agrees_with_model),
	KUNIT_CASE(window_lag_is_charged_later),
	KUNIT_CASE(window_live_limit),
	KUNIT_CASE(window_live_period),
	KUNIT_CASE(window_everything_at_once),
	KUNIT_CASE(window_idle_at_is_exact),
	{}
};

static struct kunit_suite weir_window_suite = {
	.name = "weir_window",
	.test_cases = window_cases,
};

kunit_test_suite(weir_window_suite);
