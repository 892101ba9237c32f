// SPDX-License-Identifier: GPL-2.0-only
/*
 * The circuit breaker (src/lib/circuit.h) at its limits: which reports still count, the highest
 * numbers, the longest times, and the layout of its word.
 */

#include <kunit/test.h>

#include "circuit_bench.h"

/* ------------------------------------------------------------ counting by number */

/* The last ns of the eighth bucket counts, the ns after it does not. */
static void circuit_bucket_edges(struct kunit *test)
{
	struct weir_circuit_config c = three;
	struct bench b;

	c.failures = 2;
	b = bench_make(&c, 7 * WIDTH);
	KUNIT_EXPECT_FALSE(test, fails(&b, BEGIN));
	KUNIT_EXPECT_TRUE(test, fails(&b, BEGIN + 8 * WIDTH - 1));
	b = bench_make(&c, 7 * WIDTH);
	KUNIT_EXPECT_FALSE(test, fails(&b, BEGIN));
	KUNIT_EXPECT_FALSE(test, fails(&b, BEGIN + 8 * WIDTH));
	KUNIT_EXPECT_EQ(test, 1, look(&b).failures);
	/* a seventh of 10 ns is rounded up to 2 ns */
	b = bench_make(&c, 10);
	KUNIT_EXPECT_FALSE(test, fails(&b, BEGIN));
	KUNIT_EXPECT_TRUE(test, fails(&b, BEGIN + 15));
	b = bench_make(&c, 10);
	KUNIT_EXPECT_FALSE(test, fails(&b, BEGIN));
	KUNIT_EXPECT_FALSE(test, fails(&b, BEGIN + 16));
}

/* Three failures within the time open the circuit, wherever in a bucket the first one is. */
static void circuit_never_misses(struct kunit *test)
{
	static const u64 withins[] = { 1, 6, 7, 8, 97, 100 };
	u64 within, phase, gap;
	struct bench b;
	int i;

	for (i = 0; i < ARRAY_SIZE(withins); i++) {
		within = withins[i];
		for (phase = 0; phase <= 2 * within + 2; phase++) {
			for (gap = 0; gap <= within; gap += 1 + within / 9) {
				b = bench_make(&three, within);
				fails(&b, BEGIN);
				fails(&b, BEGIN + phase);
				if (!fails(&b, BEGIN + phase + gap) &&
				    look(&b).is == WEIR_CIRCUIT_CLOSED)
					fails(&b, BEGIN + phase + within);
				KUNIT_ASSERT_EQ(test, 1, look(&b).step);
			}
		}
	}
}

/* One failure less than the highest number, in one bucket or in all, does not open. */
static void circuit_most_failures(struct kunit *test)
{
	struct weir_circuit_config c = three;
	struct bench b;
	int spread;
	u32 i;

	c.failures = 65535;
	for (spread = 0; spread < 2; spread++) {
		b = bench_make(&c, 7 * WIDTH);
		allow(&b);
		for (i = 1; i < 65535; i++) {
			if (spread && i % 8192 == 0)
				b.now += WIDTH;
			report(&b, b.ticket, WEIR_CIRCUIT_FAILED);
		}
		KUNIT_EXPECT_EQ(test, 65534, look(&b).failures);
		KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_CLOSED, look(&b).is);
		report(&b, b.ticket, WEIR_CIRCUIT_FAILED);
		KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_OPEN, look(&b).is);
		KUNIT_EXPECT_EQ(test, 1, b.moves.n);
	}
}

/* ------------------------------------------------------------ counting by percentage */

static const struct weir_circuit_config half_fail = {
	.percent = 50, .minimum = 10, .probes = 1, .successes = 1,
	.steps = 1, .open = { 100 }, .probe_within = 50, .lapse = WEIR_NEVER,
};

static void calls(struct bench *b, u32 ok, u32 failed)
{
	u32 i;

	allow(b);
	for (i = 0; i < ok; i++)
		report(b, b->ticket, WEIR_CIRCUIT_OK);
	for (i = 0; i < failed; i++)
		report(b, b->ticket, WEIR_CIRCUIT_FAILED);
}

static void circuit_percentage(struct kunit *test)
{
	struct bench b = bench_make(&half_fail, 1000);

	/* nine calls are too few, whatever their outcome; the tenth, a success, is enough */
	calls(&b, 0, 9);
	KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_CLOSED, look(&b).is);
	KUNIT_EXPECT_EQ(test, 9, look(&b).calls);
	calls(&b, 1, 0);
	KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_OPEN, look(&b).is);
	/* exactly half is enough; one failure less is not */
	b = bench_make(&half_fail, 1000);
	calls(&b, 10, 9);
	KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_CLOSED, look(&b).is);
	calls(&b, 0, 1);
	KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_OPEN, look(&b).is);
	/* 100 percent: a single success keeps it closed */
	b = bench_make(&half_fail, 1000);
	b.c.percent = 100;
	calls(&b, 1, 1000);
	KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_CLOSED, look(&b).is);
	/* the success is older than twice within, and a new window begins */
	b.now = BEGIN + 2000;
	calls(&b, 0, 9);
	KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_CLOSED, look(&b).is);
	calls(&b, 0, 1);
	KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_OPEN, look(&b).is);
}

/* A previous window counts by the part of it that is younger than within. */
static void circuit_percentage_fades(struct kunit *test)
{
	struct bench b = bench_make(&half_fail, 1000);

	calls(&b, 18, 2);
	b.now = BEGIN + 1500;
	KUNIT_EXPECT_EQ(test, 10, look(&b).calls);
	KUNIT_EXPECT_EQ(test, 1, look(&b).failures);
	/* 1 + 7 of 17, then 1 + 8 of 18 */
	calls(&b, 0, 7);
	KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_CLOSED, look(&b).is);
	calls(&b, 0, 1);
	KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_OPEN, look(&b).is);
}

/* At the top of the range the counts are halved: nothing wraps, and the rate stays the same. */
static void circuit_percentage_at_the_top(struct kunit *test)
{
	struct bench b = bench_make(&half_fail, 1000);

	allow(&b);
	b.s.at = BEGIN;
	b.s.calls = WEIR_CIRCUIT_CALLS;
	b.s.calls_before = WEIR_CIRCUIT_CALLS;
	b.s.failed = WEIR_CIRCUIT_CALLS / 4;
	b.s.failed_before = WEIR_CIRCUIT_CALLS / 4;
	KUNIT_EXPECT_EQ(test, 2 * WEIR_CIRCUIT_CALLS, look(&b).calls);
	calls(&b, 0, 1);
	KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_CLOSED, look(&b).is);
	KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_CALLS + 1, look(&b).calls);
	KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_CALLS / 4 + 1, look(&b).failures);
	b.s.failed = WEIR_CIRCUIT_CALLS / 4;
	b.s.failed_before = WEIR_CIRCUIT_CALLS / 4;
	calls(&b, 0, 1);
	KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_OPEN, look(&b).is);
	/* the same with the longest time, which is counted in coarser units */
	b = bench_make(&half_fail, 100 * WEIR_NSEC_PER_DAY);
	calls(&b, 9, 1);
	b.s.calls = WEIR_CIRCUIT_CALLS - 1;
	b.s.failed = 1;
	b.now += 100 * WEIR_NSEC_PER_DAY;
	KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_CALLS - 1, look(&b).calls);
}

/* ------------------------------------------------------------ times and words */

/* All durations have their maximum, one after the other, beginning after 18 years. */
static void circuit_longest_times(struct kunit *test)
{
	u64 year = WEIR_NSEC_PER_YEAR, late = 1ULL << 59;
	struct weir_circuit_config c = {
		.failures = 1, .probes = U32_MAX / 2, .successes = U32_MAX / 2,
		.steps = 8, .open = { [7] = 10 * year }, .forget_after = 10 * year,
		.probe_within = 10 * year, .lapse = 10 * year, .slow = 10 * year,
	};
	struct bench b = bench_make(&c, 100 * WEIR_NSEC_PER_DAY);

	b.s.step = 7;
	b.s.word = (late - year) << 3;
	KUNIT_EXPECT_TRUE(test, fails(&b, late));
	KUNIT_EXPECT_EQ(test, 8, look(&b).step);
	KUNIT_EXPECT_EQ(test, 10 * year, look(&b).left);
	KUNIT_EXPECT_EQ(test, late, look(&b).since);
	b.now = late + 10 * year - 1;
	KUNIT_EXPECT_FALSE(test, allow(&b));
	b.now++;
	KUNIT_EXPECT_TRUE(test, allow(&b));
	b.now += 10 * year - 1;
	KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_HALF_OPEN, look(&b).is);
	b.now++;
	trip(&b, 10 * year);
	KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_OPEN, look(&b).is);
	KUNIT_EXPECT_EQ(test, 8, look(&b).step);
	/* one maximum each for open, half-open, lapsed and forgotten */
	KUNIT_EXPECT_GE(test, weir_circuit_idle_at(&b.c, b.s, b.now), b.now + 30 * year);
	trip(&b, WEIR_NEVER);
	KUNIT_EXPECT_EQ(test, WEIR_NEVER, weir_circuit_idle_at(&b.c, b.s, b.now));
	b.now = (1ULL << 61) - year;
	KUNIT_EXPECT_FALSE(test, allow(&b));
	KUNIT_EXPECT_EQ(test, WEIR_NEVER, b.a.retry_after);
}

/* The state of a circuit fits into an entry. A locked and a dead entry have different words. */
static void circuit_fits_an_entry(struct kunit *test)
{
	struct bench b = bench_make(&three, 7 * WIDTH);
	struct weir_circuit_view v = look(&b);

	KUNIT_EXPECT_EQ(test, 16, sizeof(b.s.failed_in));
	KUNIT_EXPECT_EQ(test, sizeof(b.s.failed_in), sizeof(b.s.counts));
	KUNIT_EXPECT_EQ(test, offsetof(struct weir_circuit, failed_before) + 4,
			offsetof(struct weir_circuit, step));
	KUNIT_EXPECT_EQ(test, 34, offsetof(struct weir_circuit, step) + sizeof(b.s.step));
	/* a state of zeros is a fresh circuit, closed and idle */
	KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_CLOSED, v.is);
	KUNIT_EXPECT_EQ(test, b.now, weir_circuit_idle_at(&b.c, b.s, b.now));
	KUNIT_EXPECT_TRUE(test, weir_circuit_is_closed(0));
	KUNIT_EXPECT_FALSE(test, weir_circuit_is_closed(1));
	KUNIT_EXPECT_FALSE(test, weir_circuit_is_closed(U64_MAX));
	allow(&b);
	KUNIT_EXPECT_EQ(test, 0, b.s.word);
	trip(&b, 0);
	KUNIT_EXPECT_FALSE(test, weir_circuit_is_closed(b.s.word));
	b.now += 100;
	allow(&b);
	KUNIT_EXPECT_FALSE(test, weir_circuit_is_closed(b.s.word));
	reset(&b);
	KUNIT_EXPECT_TRUE(test, weir_circuit_is_closed(b.s.word));
	KUNIT_EXPECT_FALSE(test, weir_circuit_is_closed(b.s.word | 1));
}

static struct kunit_case circuit_edge_cases[] = {
	KUNIT_CASE(circuit_bucket_edges),
	KUNIT_CASE(circuit_never_misses),
	KUNIT_CASE(circuit_most_failures),
	KUNIT_CASE(circuit_percentage),
	KUNIT_CASE(circuit_percentage_fades),
	KUNIT_CASE(circuit_percentage_at_the_top),
	KUNIT_CASE(circuit_longest_times),
	KUNIT_CASE(circuit_fits_an_entry),
	{}
};

static struct kunit_suite weir_circuit_edge_suite = {
	.name = "weir_circuit_edge",
	.test_cases = circuit_edge_cases,
};

kunit_test_suite(weir_circuit_edge_suite);
