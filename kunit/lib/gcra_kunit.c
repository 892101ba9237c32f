// SPDX-License-Identifier: GPL-2.0-only
/* The token bucket (src/lib/gcra.h), compared with a plain one (bucket.h). */

#include <kunit/test.h>

#include "bucket.h"

#define STEPS	100

/* a longer sequence begins again */
#define AGE_MAX	(200 * WEIR_NSEC_PER_YEAR)

/**
 * struct run - one key in the code and in the model
 * @numbers: the configuration
 * @g: the same, prepared
 * @model: a plain bucket that got the same requests
 * @word: state of the key
 * @now: current time, ns
 * @d: the last decision
 */
struct run {
	struct bucket_numbers numbers;
	struct weir_gcra g;
	struct bucket model;
	u64 word;
	u64 now;
	struct weir_decision d;
};

static void run_start(struct kunit *test, struct run *r,
		      const struct bucket_numbers *c, u64 now)
{
	*r = (struct run){ .numbers = *c, .now = now };
	KUNIT_ASSERT_EQ(test, 0, weir_gcra_prepare(&r->g, c->tokens, c->period,
						   c->burst));
	r->model = bucket_rounded(c, now);
	r->word = weir_gcra_fresh(now);
}

static void run_decide(struct run *r, u64 cost)
{
	weir_gcra_decide(&r->g, r->numbers.burst, r->word, r->now, cost, &r->d);
}

/* Check the last decision, about @cost tokens. Return: a message, or NULL if it is right. */
static const char *verdict_flaw(const struct run *r, u64 cost, bool fits)
{
	const struct weir_decision *d = &r->d;

	if (d->allowed && !fits)
		return "admitted what does not fit";
	if (!d->allowed && fits)
		return "denied what fits";
	if (!d->allowed && d->word != r->word)
		return "changed the state though denied";
	if (d->word & 1)
		return "set bit 0 of the word";
	if (d->allowed)
		return d->retry_after ? "has a retry_after though allowed" : NULL;
	if (cost > r->numbers.burst)
		return d->retry_after == WEIR_NEVER ? NULL : "retry can never help";
	if (d->retry_after == 0 || d->retry_after == WEIR_NEVER)
		return "does not say when to retry";
	if (!bucket_holds(&r->model, r->now + d->retry_after, cost))
		return "retry_after is too early";
	if (bucket_holds(&r->model, r->now + d->retry_after - 1, cost))
		return "retry_after is too late";
	return NULL;
}

/* Check the numbers that describe the state after the last decision, in the same way. */
static const char *figures_flaw(const struct run *r)
{
	const struct bucket *b = &r->model;
	u64 n = r->d.remaining, reset = r->d.reset_after;

	if (n && !bucket_holds(b, r->now, n))
		return "remaining is too high";
	if (bucket_holds(b, r->now, n + 1))
		return "remaining is too low";
	if (!bucket_holds(b, r->now + reset, b->burst))
		return "reset_after is too early";
	if (reset && bucket_holds(b, r->now + reset - 1, b->burst))
		return "reset_after is too late";
	return NULL;
}

static void complain(struct kunit *test, const struct run *r, u64 cost,
		     const char *flaw)
{
	kunit_info(test, "%llu tokens per %llu ns, burst %llu",
		   (unsigned long long)r->numbers.tokens,
		   (unsigned long long)r->numbers.period,
		   (unsigned long long)r->numbers.burst);
	kunit_info(test, "word %llu, now %llu, cost %llu: allowed %d, retry %llu",
		   (unsigned long long)r->word, (unsigned long long)r->now,
		   (unsigned long long)cost, r->d.allowed,
		   (unsigned long long)r->d.retry_after);
	KUNIT_ASSERT_TRUE_MSG(test, !flaw, "%s", flaw);
}

static void run_request(struct kunit *test, struct run *r, u64 cost)
{
	bool fits = cost <= r->numbers.burst &&
		    bucket_holds(&r->model, r->now, cost);
	const char *flaw;

	run_decide(r, cost);
	flaw = verdict_flaw(r, cost, fits);
	if (fits)
		bucket_add(&r->model, r->now, -(s64)cost);
	if (!flaw)
		flaw = figures_flaw(r);
	if (flaw)
		complain(test, r, cost, flaw);
	r->word = r->d.word;
}

static void run_refund(struct kunit *test, struct run *r, u64 n)
{
	r->word = weir_gcra_refund(&r->g, r->word, r->now, n);
	bucket_add(&r->model, r->now, n);
	KUNIT_ASSERT_EQ(test, 0, r->word & 1);
	/* a request that cannot fit returns the present state */
	run_request(test, r, r->numbers.burst + 1);
}

static void run_random(struct kunit *test, struct prng *p, struct run *r)
{
	u64 end = r->now + AGE_MAX;
	int i;

	for (i = 0; i < STEPS && r->now < end; i++) {
		r->now += bucket_draw_wait(p, &r->g, &r->d);
		if (prng_chance(p, 1, 8))
			run_refund(test, r, prng_magnitude(p, r->numbers.burst));
		else
			run_request(test, r, bucket_draw_cost(p, r->numbers.burst,
							      r->d.remaining));
	}
}

/* All numbers of all decisions, at all rates. */
static void gcra_agrees_with_model(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed0101);
	struct bucket_numbers c;
	struct run r;
	int i;

	for (i = 0; i < PRNG_ROUNDS(200); i++) {
		c = bucket_draw(&p, i);
		run_start(test, &r, &c, prng_magnitude(&p, WEIR_NSEC_PER_YEAR));
		run_random(test, &p, &r);
	}
}

/* Scaled time wraps at 2^64, after 24 years. States from before the wrap must stay valid. */
static void gcra_survives_wrap(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed0102);
	u64 wrap = U64_MAX / WEIR_GCRA_SCALE;
	struct bucket_numbers c;
	struct run r;
	int i;

	for (i = 0; i < PRNG_ROUNDS(100); i++) {
		c = bucket_draw(&p, i);
		run_start(test, &r, &c, 0);
		r.now = wrap - prng_magnitude(&p, weir_gcra_ns(r.g.tau) + 1);
		r.model = bucket_rounded(&c, r.now);
		r.word = weir_gcra_fresh(r.now);
		run_random(test, &p, &r);
	}
}

/* If the interval is a multiple of 1/12 ns, exactly as much is admitted as at the true rate. */
static void gcra_exact_rates_lose_nothing(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed0103);
	struct bucket_numbers c;
	struct run r;
	int i;

	for (i = 0; i < PRNG_ROUNDS(100); i++) {
		c.tokens = prng_magnitude(&p, 1 << 20);
		c.period = c.tokens * prng_magnitude(&p, 1 << 20);
		if (c.period % 12 == 0)
			c.tokens *= prng_between(&p, 1, 12);
		if (12 * c.period % c.tokens || c.tokens > c.period)
			continue;
		c.burst = prng_magnitude(&p, 1 << 24);
		run_start(test, &r, &c, 0);
		r.model = bucket_true(&c, 0);
		run_random(test, &p, &r);
	}
}

/* Other rates are rounded down: every request admitted would be admitted at the true rate too. */
static void gcra_never_exceeds_true_rate(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed0104);
	struct bucket_numbers c;
	struct bucket b;
	struct run r;
	u64 cost;
	int i, j;

	for (i = 0; i < PRNG_ROUNDS(200); i++) {
		c = bucket_draw(&p, i);
		run_start(test, &r, &c, 0);
		b = bucket_true(&c, 0);
		for (j = 0; j < STEPS; j++) {
			r.now += bucket_draw_wait(&p, &r.g, &r.d);
			cost = bucket_draw_cost(&p, c.burst, r.d.remaining);
			run_decide(&r, cost);
			r.word = r.d.word;
			if (!r.d.allowed)
				continue;
			KUNIT_ASSERT_TRUE(test, bucket_holds(&b, r.now, cost));
			bucket_add(&b, r.now, -(s64)cost);
		}
	}
}

/**
 * struct admission - a request that was admitted
 * @at: time of the request
 * @n: tokens charged
 */
struct admission {
	u64 at;
	u64 n;
};

static void check_intervals(struct kunit *test, const struct run *r,
			    const struct admission *log, int n)
{
	const struct bucket_numbers *c = &r->numbers;
	wide sum, most;
	int i, j;

	for (i = 0; i < n; i++) {
		for (sum = 0, j = i; j < n; j++) {
			sum += log[j].n;
			most = (wide)c->burst * c->period +
			       (wide)(log[j].at - log[i].at) * c->tokens;
			if (sum * c->period > most)
				complain(test, r, log[j].n, "interval bound broken");
		}
	}
}

/* The definition of the rate: at most burst + w * rate tokens in any interval w. */
static void gcra_interval_bound(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed0105);
	struct admission *log = kunit_kcalloc(test, STEPS, sizeof(*log), GFP_KERNEL);
	struct bucket_numbers c;
	struct run r;
	int i, j, n;

	KUNIT_ASSERT_NOT_NULL(test, log);
	for (i = 0; i < PRNG_ROUNDS(60); i++) {
		c = bucket_draw(&p, i);
		run_start(test, &r, &c, 0);
		for (j = n = 0; j < STEPS; j++) {
			r.now += bucket_draw_wait(&p, &r.g, &r.d);
			log[n].at = r.now;
			log[n].n = bucket_draw_cost(&p, c.burst, r.d.remaining);
			run_decide(&r, log[n].n);
			n += r.d.allowed;
			r.word = r.d.word;
		}
		check_intervals(test, &r, log, n);
	}
}

/* retry_after and reset_after are exact, tested without the model. */
static void gcra_keeps_its_word(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed0106);
	struct bucket_numbers c;
	struct weir_decision d;
	struct run r;
	u64 cost;
	int i, j;

	for (i = 0; i < PRNG_ROUNDS(100); i++) {
		c = bucket_draw(&p, i);
		run_start(test, &r, &c, prng_magnitude(&p, WEIR_NSEC_PER_DAY));
		for (j = 0; j < STEPS; j++) {
			r.now += bucket_draw_wait(&p, &r.g, &r.d);
			cost = bucket_draw_cost(&p, c.burst, r.d.remaining);
			run_decide(&r, cost);
			r.word = r.d.word;
			if (r.d.retry_after && cost <= c.burst) {
				weir_gcra_decide(&r.g, c.burst, r.word,
						 r.now + r.d.retry_after - 1, cost, &d);
				KUNIT_ASSERT_FALSE(test, d.allowed);
				weir_gcra_decide(&r.g, c.burst, r.word,
						 r.now + r.d.retry_after, cost, &d);
				KUNIT_ASSERT_TRUE(test, d.allowed);
			}
			weir_gcra_decide(&r.g, c.burst, r.word, r.now,
					 r.d.remaining + 1, &d);
			KUNIT_ASSERT_FALSE(test, d.allowed);
			weir_gcra_decide(&r.g, c.burst, r.word, r.now,
					 r.d.remaining, &d);
			KUNIT_ASSERT_TRUE(test, d.allowed);
			KUNIT_ASSERT_EQ(test, 0, d.remaining);
		}
	}
}

/* No request distinguishes the idle word from a fresh one. */
static bool same_as_fresh(const struct run *r, u64 word, u64 at, u64 cost)
{
	struct weir_decision a, b;

	weir_gcra_decide(&r->g, r->numbers.burst, word, at, cost, &a);
	weir_gcra_decide(&r->g, r->numbers.burst, weir_gcra_fresh(at), at, cost, &b);
	return a.allowed == b.allowed && a.remaining == b.remaining &&
	       a.retry_after == b.retry_after && a.reset_after == b.reset_after &&
	       (!a.allowed || a.word == b.word);
}

static void gcra_idle_at_is_exact(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed0107);
	struct bucket_numbers c;
	struct run r;
	u64 idle;
	int i, j;

	for (i = 0; i < PRNG_ROUNDS(100); i++) {
		c = bucket_draw(&p, i);
		run_start(test, &r, &c, prng_magnitude(&p, WEIR_NSEC_PER_DAY));
		KUNIT_ASSERT_EQ(test, r.now, weir_gcra_idle_at(r.word, r.now));
		for (j = 0; j < STEPS; j++) {
			r.now += bucket_draw_wait(&p, &r.g, &r.d);
			run_decide(&r, bucket_draw_cost(&p, c.burst, r.d.remaining));
			r.word = r.d.word;
			idle = weir_gcra_idle_at(r.word, r.now);
			KUNIT_ASSERT_EQ(test, idle - r.now, r.d.reset_after);
			KUNIT_ASSERT_TRUE(test, same_as_fresh(&r, r.word, idle, 1));
			KUNIT_ASSERT_TRUE(test, same_as_fresh(&r, r.word, idle, c.burst));
			if (idle == r.now)
				continue;
			KUNIT_ASSERT_FALSE(test, same_as_fresh(&r, r.word, idle - 1,
							       c.burst));
		}
	}
}

/*
 * If a cost is within the burst, the wait is the retry_after of a refusal. If it is more, the wait
 * is the time that the tokens beyond the burst take to flow in, to the ns.
 */
static void gcra_wait_is_exact(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed010a);
	struct bucket_numbers c;
	u64 cost, wait, debt;
	struct run r;
	int i, j;

	for (i = 0; i < PRNG_ROUNDS(100); i++) {
		c = bucket_draw(&p, i);
		run_start(test, &r, &c, prng_magnitude(&p, WEIR_NSEC_PER_DAY));
		for (j = 0; j < STEPS; j++) {
			r.now += bucket_draw_wait(&p, &r.g, &r.d);
			cost = bucket_draw_cost(&p, c.burst, r.d.remaining);
			wait = weir_gcra_wait(&r.g, r.word, r.now, cost);
			run_decide(&r, cost);
			if (cost <= c.burst)
				KUNIT_ASSERT_EQ(test, r.d.retry_after, wait);
			r.word = r.d.word;
			cost = c.burst + 1 + prng_magnitude(&p, c.burst);
			wait = weir_gcra_wait(&r.g, r.word, r.now, cost);
			debt = weir_gcra_debt(r.word, r.now * WEIR_GCRA_SCALE);
			debt += cost * r.g.interval.d - r.g.tau;
			KUNIT_ASSERT_GE(test, wait * WEIR_GCRA_SCALE, debt);
			KUNIT_ASSERT_LT(test, (wait - 1) * WEIR_GCRA_SCALE, debt);
		}
	}
	KUNIT_EXPECT_EQ(test, WEIR_NEVER, weir_gcra_wait(&r.g, r.word, r.now,
							 U64_MAX));
}

/* A state restored from its reset_after equals the old one or is less than 1 ns stricter. */
static void gcra_restore_is_exact(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed010b);
	struct bucket_numbers c;
	u64 word, was, is, later;
	struct run r;
	int i, j;

	for (i = 0; i < PRNG_ROUNDS(100); i++) {
		c = bucket_draw(&p, i);
		run_start(test, &r, &c, prng_magnitude(&p, WEIR_NSEC_PER_DAY));
		for (j = 0; j < STEPS; j++) {
			r.now += bucket_draw_wait(&p, &r.g, &r.d);
			run_decide(&r, bucket_draw_cost(&p, c.burst, r.d.remaining));
			r.word = r.d.word;
			later = prng_magnitude(&p, WEIR_NSEC_PER_DAY);
			word = weir_gcra_restore(weir_gcra_fresh(later), later,
						 r.d.reset_after);
			was = weir_gcra_debt(r.word, r.now * WEIR_GCRA_SCALE);
			is = weir_gcra_debt(word, later * WEIR_GCRA_SCALE);
			KUNIT_ASSERT_GE(test, is, was);
			KUNIT_ASSERT_LT(test, is - was, WEIR_GCRA_SCALE);
			/* a state that is stricter already stays */
			KUNIT_ASSERT_EQ(test, r.word,
					weir_gcra_restore(r.word, r.now,
							  r.d.reset_after / 2));
		}
	}
}

/* A refund undoes a charge. No refund raises the tokens above full. */
static void gcra_refund_undoes_charge(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed0108);
	struct bucket_numbers c;
	u64 cost, before;
	struct run r;
	int i, j;

	for (i = 0; i < PRNG_ROUNDS(100); i++) {
		c = bucket_draw(&p, i);
		run_start(test, &r, &c, 0);
		for (j = 0; j < STEPS; j++) {
			r.now += bucket_draw_wait(&p, &r.g, &r.d);
			before = weir_gcra_debt(r.word, weir_gcra_fresh(r.now));
			cost = bucket_draw_cost(&p, c.burst, r.d.remaining);
			run_decide(&r, cost);
			r.word = r.d.word;
			if (r.d.allowed && prng_chance(&p, 1, 2)) {
				r.word = weir_gcra_refund(&r.g, r.word, r.now, cost);
				KUNIT_ASSERT_EQ(test, before,
						weir_gcra_debt(r.word, weir_gcra_fresh(r.now)));
			}
			before = weir_gcra_refund(&r.g, r.word, r.now, U32_MAX);
			KUNIT_ASSERT_TRUE(test, same_as_fresh(&r, before, r.now, 1));
			KUNIT_ASSERT_EQ(test, r.word,
					weir_gcra_refund(&r.g, r.word, r.now, 0));
		}
	}
}

/**
 * struct prepare_row - a configuration and the expected result
 * @name: name of the row
 * @numbers: the configuration
 * @ret: 0 or -ERANGE
 * @interval: interval of a token in 1/24 ns, if @ret is 0
 */
struct prepare_row {
	const char *name;
	struct bucket_numbers numbers;
	int ret;
	u64 interval;
};

static const struct prepare_row prepare_rows[] = {
	{ "one a ns", { 1, 1, 1 }, 0, 24 },
	{ "more than one a ns", { 2, 1, 1 }, -ERANGE, 0 },
	{ "5/s", { 5, NSEC_PER_SEC, 5 }, 0, 24 * 200000000ULL },
	{ "3/s", { 3, NSEC_PER_SEC, 3 }, 0, 8 * 1000000000ULL },
	{ "7/s is rounded up", { 7, NSEC_PER_SEC, 1 }, 0, 3428571430ULL },
	{ "1500/s", { 1500, NSEC_PER_SEC, 1 }, 0, 16000000 },
	{ "30/60s", { 30, 60ULL * NSEC_PER_SEC, 1 }, 0, 48000000000ULL },
	{ "two years", { 1, WEIR_NSEC_PER_DAY, 730 }, 0, 24 * WEIR_NSEC_PER_DAY },
	{ "two years and a day", { 1, WEIR_NSEC_PER_DAY, 731 }, -ERANGE, 0 },
	{ "product beyond 64 bits",
	  { 1, 100 * WEIR_NSEC_PER_DAY, U32_MAX }, -ERANGE, 0 },
	{ "as many as can be", { U32_MAX, U32_MAX, U32_MAX }, 0, 24 },
	{ "nearly one a ns", { 999999999, NSEC_PER_SEC, 1 }, 0, 26 },
};

static void prepare_describe(const struct prepare_row *row, char *desc)
{
	strscpy(desc, row->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(prepare, prepare_rows, prepare_describe);

static void gcra_prepare(struct kunit *test)
{
	const struct prepare_row *row = test->param_value;
	const struct bucket_numbers *c = &row->numbers;
	struct weir_gcra g;
	int ret = weir_gcra_prepare(&g, c->tokens, c->period, c->burst);

	KUNIT_ASSERT_EQ(test, row->ret, ret);
	if (ret)
		return;
	KUNIT_EXPECT_EQ(test, row->interval, g.interval.d);
	KUNIT_EXPECT_EQ(test, row->interval * c->burst, g.tau);
}

/*
 * A configuration is refused exactly if a burst would take more than two years, or a token less
 * time than can be kept.
 */
static void gcra_prepare_random(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed0109);
	wide tau;
	struct bucket_numbers c;
	struct weir_gcra g;
	int i, ret;

	for (i = 0; i < PRNG_ROUNDS(2000); i++) {
		c.tokens = prng_magnitude(&p, U32_MAX);
		c.period = prng_magnitude(&p, 100 * WEIR_NSEC_PER_DAY);
		c.burst = prng_magnitude(&p, U32_MAX);
		tau = (wide)bucket_interval(&c) * c.burst;
		ret = weir_gcra_prepare(&g, c.tokens, c.period, c.burst);
		if (c.tokens > c.period || tau > 24 * 2 * WEIR_NSEC_PER_YEAR) {
			KUNIT_ASSERT_EQ(test, -ERANGE, ret);
			continue;
		}
		KUNIT_ASSERT_EQ(test, 0, ret);
		KUNIT_ASSERT_EQ(test, bucket_interval(&c), g.interval.d);
		KUNIT_ASSERT_EQ(test, (u64)tau, g.tau);
	}
}

static struct kunit_case gcra_cases[] = {
	KUNIT_CASE_PARAM(gcra_prepare, prepare_gen_params),
	KUNIT_CASE(gcra_prepare_random),
	KUNIT_CASE(gcra_agrees_with_model),
	KUNIT_CASE(gcra_survives_wrap),
	KUNIT_CASE(gcra_exact_rates_lose_nothing),
	KUNIT_CASE(gcra_never_exceeds_true_rate),
	KUNIT_CASE(gcra_interval_bound),
	KUNIT_CASE(gcra_keeps_its_word),
	KUNIT_CASE(gcra_idle_at_is_exact),
	KUNIT_CASE(gcra_wait_is_exact),
	KUNIT_CASE(gcra_restore_is_exact),
	KUNIT_CASE(gcra_refund_undoes_charge),
	{}
};

static struct kunit_suite weir_gcra_suite = {
	.name = "weir_gcra",
	.test_cases = gcra_cases,
};

kunit_test_suite(weir_gcra_suite);
