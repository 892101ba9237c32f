// SPDX-License-Identifier: GPL-2.0-only
/*
 * The circuit breaker (src/lib/circuit.h): every event in every state, the ladder, the probes,
 * and which tickets count.
 */

#include <kunit/test.h>

#include "circuit_bench.h"
#include "kunit/prng.h"

/* ------------------------------------------------------------ every event in every state */

enum at {
	FRESH,		/* closed, no failure, reset before */
	EDGE,		/* closed; the next failure opens it */
	OPEN,		/* for another 90 ns */
	DUE,		/* open; the time has just ended */
	HALF,		/* half-open, no call yet */
	PROBING,	/* one probe of three */
	FULL,		/* three probes of three; one succeeded, one more success is needed */
	OVERDUE,	/* one of three probes, not reported in time */
	LAPSED,		/* half-open, no call for the lapse time */
	EVER,		/* open until it is reset */
	STATES,
};

enum event {
	ALLOW,
	SUCCEEDS,
	FAILS,
	WITHDRAWS,
	COMES_LATE,	/* a failure of an earlier generation */
	DIES,
	TRIP,
	TRIP_LONG,	/* 1000 ns */
	TRIP_SHORT,	/* 1 ns */
	TRIP_EVER,
	RESET,
	EVENTS,
};

static const char *const state_names[STATES] = {
	"fresh", "edge", "open", "due", "half", "probing", "full", "overdue", "lapsed",
	"ever",
};

/*
 * The expected outcome, as describe() prints it. First the answer: + admitted, p admitted as a
 * probe, - refused, = counted, l late, ? unknown, ! done, . not done. Then the moves in brackets.
 * Then the state: C failures, O ns left, H admitted/succeeded. At last the step of the ladder.
 */
static const char *const wanted[STATES][EVENTS] = {
	[FRESH] = {
		"+[] C0 0", "=[] C0 0", "=[] C1 0", "=[] C0 0", "l[] C0 0", ".[] C0 0",
		"![O] O100 1", "![O] O1000 0", "![O] O1 0", "![O] O* 0", "![] C0 0",
	},
	[EDGE] = {
		"+[] C2 0", "=[] C2 0", "=[O] O100 1", "=[] C2 0", "l[] C2 0", ".[] C2 0",
		"![O] O100 1", "![O] O1000 0", "![O] O1 0", "![O] O* 0", "![] C0 0",
	},
	[OPEN] = {
		"-[] O90 1", "l[] O90 1", "l[] O90 1", "l[] O90 1", "l[] O90 1",
		".[] O90 1", "![O] O200 2", "![O] O1000 1", ".[] O90 1", "![O] O* 1",
		"![C] C0 0",
	},
	[DUE] = {	/* trips come 1 ns after the beginning of the half-open generation */
		"p[H] H1/0 1", "?[H] H0/0 1", "?[H] H0/0 1", "?[H] H0/0 1",
		"l[H] H0/0 1", ".[H] H0/0 1", "![HO] O201 2", "![HO] O1001 1",
		"![HO] O2 1", "![HO] O* 1", "![HC] C0 0",
	},
	[HALF] = {
		"p[] H1/0 1", "?[] H0/0 1", "?[] H0/0 1", "?[] H0/0 1", "l[] H0/0 1",
		".[] H0/0 1", "![O] O200 2", "![O] O1000 1", "![O] O1 1", "![O] O* 1",
		"![C] C0 0",
	},
	[PROBING] = {
		"p[] H2/0 1", "=[] H1/1 1", "=[O] O200 2", "=[] H0/0 1", "l[] H1/0 1",
		"![O] O200 2", "![O] O200 2", "![O] O1000 1", "![O] O1 1", "![O] O* 1",
		"![C] C0 0",
	},
	[FULL] = {
		"-[] H3/1 1", "=[C] C0 1", "=[O] O200 2", "=[] H2/1 1", "l[] H3/1 1",
		"![O] O200 2", "![O] O200 2", "![O] O1000 1", "![O] O1 1", "![O] O* 1",
		"![C] C0 0",
	},
	[OVERDUE] = {
		"-[O] O200 2", "l[O] O200 2", "l[O] O200 2", "l[O] O200 2", "l[O] O200 2",
		".[O] O200 2", "![OO] O401 3", "![OO] O1001 2", ".[O] O200 2",
		"![OO] O* 2", "![OC] C0 0",
	},
	[LAPSED] = {	/* 500 ns later the ladder begins at its first step */
		"+[C] C0 1", "l[C] C0 1", "l[C] C0 1", "l[C] C0 1", "l[C] C0 1",
		".[C] C0 1", "![CO] O201 2", "![CO] O1001 1", "![CO] O2 1", "![CO] O* 1",
		"![C] C0 0",
	},
	[EVER] = {
		"-[] O* 0", "l[] O* 0", "l[] O* 0", "l[] O* 0", "l[] O* 0", ".[] O* 0",
		".[] O* 0", ".[] O* 0", ".[] O* 0", ".[] O* 0", "![C] C0 0",
	},
};

/* Half-open since BEGIN + 100, with this number of probes. The first one succeeds if @succeeds. */
static void bench_half(struct bench *b, int probes, bool succeeds)
{
	int i;

	b->now = BEGIN + 100;
	report(b, b->late, WEIR_CIRCUIT_FAILED);
	b->ticket = b->now + 1;
	for (i = 0; i < probes; i++)
		allow(b);
	if (succeeds)
		report(b, b->ticket, WEIR_CIRCUIT_OK);
	b->now += 10;
}

static void bench_open(struct bench *b, int failures)
{
	int i;

	b->late = b->ticket;
	for (i = 0; i < failures; i++)
		report(b, b->ticket, WEIR_CIRCUIT_FAILED);
	b->now += 10;
}

static struct bench bench_at(enum at state)
{
	struct bench b = bench_make(&three, 7 * WIDTH);

	b.now = BEGIN / 2;
	reset(&b);
	b.now = BEGIN;
	allow(&b);
	bench_open(&b, state == FRESH || state == EVER ? 0 : state == EDGE ? 2 : 3);
	if (state == FRESH || state == EDGE)
		b.late = BEGIN / 2;
	if (state == EVER)
		trip(&b, WEIR_NEVER);
	if (state == OPEN || state == EVER)
		b.ticket = weir_circuit_since(b.s.word) + 1;
	if (state == DUE) {
		b.now = BEGIN + 100;
		b.ticket = b.now + 1;
	}
	if (state >= HALF && state <= LAPSED)
		bench_half(&b, state == FULL ? 3 : state == HALF || state == LAPSED ? 0 : 1,
			   state == FULL);
	if (state == OVERDUE)
		b.now = b.ticket + 50;
	if (state == LAPSED)
		b.now = BEGIN + 100 + 10000;
	return b;
}

static char bench_do(struct bench *b, enum event event)
{
	static const char heard[] = "=l?";

	switch (event) {
	case ALLOW:
		return !allow(b) ? '-' : b->a.probe ? 'p' : '+';
	case SUCCEEDS:
		return heard[report(b, b->ticket, WEIR_CIRCUIT_OK)];
	case FAILS:
		return heard[report(b, b->ticket, WEIR_CIRCUIT_FAILED)];
	case WITHDRAWS:
		return heard[report(b, b->ticket, WEIR_CIRCUIT_WITHDRAWN)];
	case COMES_LATE:
		return heard[report(b, b->late, WEIR_CIRCUIT_FAILED)];
	case DIES:
		return died(b, b->ticket) ? '!' : '.';
	case TRIP:
		return trip(b, 0) ? '!' : '.';
	case TRIP_LONG:
		return trip(b, 1000) ? '!' : '.';
	case TRIP_SHORT:
		return trip(b, 1) ? '!' : '.';
	case TRIP_EVER:
		return trip(b, WEIR_NEVER) ? '!' : '.';
	default:
		reset(b);
		return '!';
	}
}

static void describe(const struct bench *b, char answer, char *text, size_t size)
{
	struct weir_circuit_view v = look(b);
	char moves[5] = "", state[24];
	u32 i;

	for (i = 0; i < b->moves.n && i < 4; i++)
		moves[i] = "COH"[b->moves.to[i]];
	if (v.is == WEIR_CIRCUIT_CLOSED)
		snprintf(state, sizeof(state), "C%u", v.failures);
	else if (v.is == WEIR_CIRCUIT_HALF_OPEN)
		snprintf(state, sizeof(state), "H%u/%u", v.admitted, v.succeeded);
	else if (v.left == WEIR_NEVER)
		snprintf(state, sizeof(state), "O*");
	else
		snprintf(state, sizeof(state), "O%llu", (unsigned long long)v.left);
	snprintf(text, size, "%c[%s] %s %u", answer, moves, state, v.step);
}

static void circuit_every_event(struct kunit *test)
{
	enum event event;
	enum at state;
	struct bench b;
	char text[48];

	for (state = 0; state < STATES; state++) {
		for (event = 0; event < EVENTS; event++) {
			b = bench_at(state);
			describe(&b, bench_do(&b, event), text, sizeof(text));
			KUNIT_EXPECT_EQ_MSG(test, 0, strcmp(wanted[state][event], text),
					    "%s, event %d: wanted %s, got %s",
					    state_names[state], (int)event,
					    wanted[state][event], text);
		}
	}
}

/* ------------------------------------------------------------ the ladder, probes */

/* Wait until the open time ends, and let the probe fail. Return: length of that time in ns. */
static u64 fail_again(struct bench *b)
{
	struct weir_circuit_view v = look(b);
	u64 end = b->now + v.left;

	b->now = end - 1;
	if (allow(b) || b->a.retry_after != 1)
		return 0;
	b->now = end;
	if (!allow(b) || !b->a.probe)
		return 0;
	report(b, b->ticket, WEIR_CIRCUIT_FAILED);
	return end - v.since;
}

static void close_it(struct bench *b)
{
	b->now += look(b).left;
	allow(b);
	report(b, b->ticket, WEIR_CIRCUIT_OK);
	allow(b);
	report(b, b->ticket, WEIR_CIRCUIT_OK);
}

static void circuit_ladder(struct kunit *test)
{
	static const u64 lengths[] = { 100, 200, 400, 400, 400, 400, 400, 400, 400, 400 };
	struct bench b = bench_make(&three, 7 * WIDTH);
	u64 closed;
	int i;

	for (i = 0; i < 3; i++)
		fails(&b, BEGIN);
	for (i = 0; i < ARRAY_SIZE(lengths); i++)
		KUNIT_EXPECT_EQ(test, lengths[i], fail_again(&b));
	/* after it has closed, the ladder is remembered for 500 ns */
	for (i = 0; i < 2; i++) {
		close_it(&b);
		KUNIT_ASSERT_EQ(test, WEIR_CIRCUIT_CLOSED, look(&b).is);
		closed = look(&b).since;
		fails(&b, closed + 500 - !i);
		fails(&b, b.now);
		KUNIT_EXPECT_TRUE(test, fails(&b, b.now));
		KUNIT_EXPECT_EQ(test, i ? 100 : 400, look(&b).left);
	}
	/* with forget_after 0 it is not remembered */
	b.c.forget_after = 0;
	fail_again(&b);
	KUNIT_EXPECT_EQ(test, 2, look(&b).step);
	close_it(&b);
	KUNIT_EXPECT_EQ(test, 0, look(&b).step);
}

/* Exactly the configured number of probes is admitted. Other callers get the time to try again. */
static void circuit_exactly_so_many(struct kunit *test)
{
	struct weir_circuit_config c = three;
	u64 tickets[5];
	struct bench b;
	u32 i, n = 0;

	c.probes = 5;
	c.successes = 5;
	b = bench_make(&c, 7 * WIDTH);
	trip(&b, 0);
	b.now += 200;
	for (i = 0; i < 1000; i++) {
		if (allow(&b))
			tickets[n++ % 5] = b.ticket;
		else
			KUNIT_ASSERT_EQ(test, 50 + (b.ticket - b.now), b.a.retry_after);
	}
	KUNIT_ASSERT_EQ(test, 5, n);
	for (i = 0; i < 5; i++) {
		KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_HALF_OPEN, look(&b).is);
		KUNIT_EXPECT_FALSE(test, allow(&b));
		KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_COUNTED,
				report(&b, tickets[i], WEIR_CIRCUIT_OK));
	}
	KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_CLOSED, look(&b).is);
	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_LATE,
				report(&b, tickets[i], WEIR_CIRCUIT_FAILED));
}

/* The time for probes is counted from the last admission, to the ns. */
static void circuit_probe_times_out(struct kunit *test)
{
	struct bench b = bench_at(HALF);

	allow(&b);
	b.now += 40;
	allow(&b);
	b.now += 49;
	KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_HALF_OPEN, look(&b).is);
	KUNIT_EXPECT_EQ(test, 1, look(&b).left);
	b.now += 1000;
	/* it opened when it was due, became half-open later, and admits one probe of three now */
	KUNIT_EXPECT_TRUE(test, allow(&b));
	KUNIT_EXPECT_EQ(test, 2, b.moves.n);
	KUNIT_EXPECT_EQ(test, b.now - 1000 + 1 + 200, look(&b).since);
	KUNIT_EXPECT_EQ(test, 1, look(&b).admitted);
	/* without a time limit it waits for its probes */
	b = bench_at(PROBING);
	b.c.probe_within = WEIR_NEVER;
	b.now += 30 * WEIR_NSEC_PER_YEAR;
	KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_COUNTED, report(&b, b.ticket, WEIR_CIRCUIT_OK));
	KUNIT_EXPECT_EQ(test, 1, look(&b).succeeded);
}

/* ------------------------------------------------------------ tickets, calls */

static void circuit_tickets(struct kunit *test)
{
	struct bench b = bench_at(DUE), before = b;

	/*
	 * a report without a ticket, or with a future one, changes nothing; due changes are not
	 * made either
	 */
	KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_UNKNOWN, report(&b, 0, WEIR_CIRCUIT_FAILED));
	KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_UNKNOWN, report(&b, U64_MAX, WEIR_CIRCUIT_OK));
	KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_UNKNOWN,
			report(&b, b.now + WEIR_CIRCUIT_AHEAD + 1, WEIR_CIRCUIT_FAILED));
	KUNIT_EXPECT_EQ(test, 0, memcmp(&b.s, &before.s, sizeof(b.s)));
	/* the clock of the CPU that gave the ticket may be a little ahead */
	b = bench_at(FRESH);
	KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_COUNTED,
			report(&b, b.now + WEIR_CIRCUIT_AHEAD, WEIR_CIRCUIT_FAILED));
	KUNIT_EXPECT_EQ(test, 1, look(&b).failures);
	/* tickets of the first ns of the generation, and of the ns before it */
	KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_COUNTED,
			report(&b, BEGIN / 2 + 1, WEIR_CIRCUIT_FAILED));
	KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_LATE,
			report(&b, BEGIN / 2, WEIR_CIRCUIT_FAILED));
}

/* With several moves in one ns, each generation recognises its own tickets only. */
static void circuit_moves_in_one_ns(struct kunit *test)
{
	struct bench b = bench_make(&three, 7 * WIDTH);
	u64 tickets[20];
	int i, j;

	for (i = 0; i < 20; i++) {
		KUNIT_ASSERT_TRUE(test, allow(&b));
		tickets[i] = b.ticket;
		for (j = 0; j < i; j++)
			KUNIT_ASSERT_EQ(test, WEIR_CIRCUIT_LATE,
					report(&b, tickets[j], WEIR_CIRCUIT_FAILED));
		KUNIT_ASSERT_EQ(test, WEIR_CIRCUIT_COUNTED,
				report(&b, tickets[i], WEIR_CIRCUIT_FAILED));
		if (i & 1)
			trip(&b, 1);
		reset(&b);
	}
}

static void circuit_slow_calls(struct kunit *test)
{
	struct bench b = bench_make(&three, 7 * WIDTH);
	u64 ticket;

	b.c.slow = 30;
	allow(&b);
	ticket = b.ticket;
	b.now += 30;
	KUNIT_EXPECT_TRUE(test, weir_circuit_is_moot(&b.c, b.s.word, b.now, ticket,
						     WEIR_CIRCUIT_OK));
	report(&b, ticket, WEIR_CIRCUIT_OK);
	KUNIT_EXPECT_EQ(test, 0, look(&b).failures);
	b.now++;
	KUNIT_EXPECT_FALSE(test, weir_circuit_is_moot(&b.c, b.s.word, b.now, ticket,
						      WEIR_CIRCUIT_OK));
	report(&b, ticket, WEIR_CIRCUIT_OK);
	KUNIT_EXPECT_EQ(test, 1, look(&b).failures);
	report(&b, ticket, WEIR_CIRCUIT_WITHDRAWN);
	KUNIT_EXPECT_EQ(test, 1, look(&b).failures);
	/* the same for a probe */
	b = bench_at(PROBING);
	b.c.slow = 30;
	b.now = b.ticket + 31;
	report(&b, b.ticket, WEIR_CIRCUIT_OK);
	KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_OPEN, look(&b).is);
}

/* A report of a call of this age counts; 1 ns later it does not. A probe's always counts. */
static void circuit_old_calls(struct kunit *test)
{
	struct bench b = bench_at(FRESH);

	b.now = b.ticket + WEIR_CIRCUIT_KEEP;
	KUNIT_EXPECT_TRUE(test, weir_circuit_is_moot(&b.c, b.s.word, b.now, b.ticket,
						     WEIR_CIRCUIT_OK));
	KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_COUNTED,
			report(&b, b.ticket, WEIR_CIRCUIT_FAILED));
	b.now++;
	KUNIT_EXPECT_FALSE(test, weir_circuit_is_moot(&b.c, b.s.word, b.now, b.ticket,
						      WEIR_CIRCUIT_OK));
	KUNIT_EXPECT_EQ(test, WEIR_CIRCUIT_LATE,
			report(&b, b.ticket, WEIR_CIRCUIT_FAILED));
	KUNIT_EXPECT_EQ(test, 1, look(&b).failures);
	/* from then on no report can be confused with a new one, so the circuit is idle */
	b = bench_at(FRESH);
	KUNIT_EXPECT_EQ(test, BEGIN / 2 + WEIR_CIRCUIT_KEEP + 1,
			weir_circuit_idle_at(&b.c, b.s, b.now));
}

/*
 * Clocks that lag by random times. No generation begins before the previous one, the end of an open
 * time is never brought forward, and there are never more probes than allowed.
 */
static void circuit_clock_lags(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed0703);
	struct weir_circuit before;
	struct bench b;
	u64 now, since;
	int i, j;

	for (i = 0; i < PRNG_ROUNDS(50); i++) {
		b = bench_make(&three, 7 * WIDTH);
		now = BEGIN * BEGIN;
		for (j = 0; j < 200; j++) {
			now += prng_below(&p, 150);
			b.now = now - prng_magnitude(&p, 2000);
			before = b.s;
			since = weir_circuit_since(before.word);
			bench_do(&b, prng_below(&p, EVENTS) * (j % 3 != 0));
			KUNIT_ASSERT_GE(test, weir_circuit_since(b.s.word), since);
			KUNIT_ASSERT_LE(test, look(&b).admitted, 3);
			KUNIT_ASSERT_LT(test, weir_circuit_is(b.s.word), 3);
			KUNIT_ASSERT_EQ(test, b.s.word == before.word,
					weir_circuit_since(b.s.word) == since);
			KUNIT_ASSERT_LE(test, look(&b).succeeded, look(&b).admitted);
			if (weir_circuit_is(b.s.word) == WEIR_CIRCUIT_OPEN &&
			    b.s.word == before.word)
				KUNIT_ASSERT_GE(test, b.s.at, before.at);
			if (b.a.admitted && b.ticket == b.a.ticket && !(j % 3))
				KUNIT_ASSERT_GT(test, b.ticket,
						weir_circuit_since(b.s.word));
		}
	}
}

static struct kunit_case circuit_cases[] = {
	KUNIT_CASE(circuit_every_event),
	KUNIT_CASE(circuit_ladder),
	KUNIT_CASE(circuit_exactly_so_many),
	KUNIT_CASE(circuit_probe_times_out),
	KUNIT_CASE(circuit_tickets),
	KUNIT_CASE(circuit_moves_in_one_ns),
	KUNIT_CASE(circuit_slow_calls),
	KUNIT_CASE(circuit_old_calls),
	KUNIT_CASE(circuit_clock_lags),
	{}
};

static struct kunit_suite weir_circuit_suite = {
	.name = "weir_circuit",
	.test_cases = circuit_cases,
};

kunit_test_suite(weir_circuit_suite);
