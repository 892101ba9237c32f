// SPDX-License-Identifier: GPL-2.0-only
/*
 * The circuit breaker (src/lib/circuit.h), compared with its model after each step: in long random
 * series, and for all orders of three events in every state.
 */

#include <kunit/test.h>

#include "circuit_model.h"

#define STEPS	200
#define HOLDERS	3

static u64 draw_or_never(struct prng *p, u64 hi)
{
	return prng_chance(p, 1, 6) ? WEIR_NEVER : prng_between(p, 1, hi);
}

/* The numbers are small, so that all limits are reached often. @unit stretches them. */
static struct weir_circuit_config draw_config(struct prng *p, u64 unit)
{
	struct weir_circuit_config c = {
		.probes = prng_between(p, 1, 4),
		.steps = prng_between(p, 1, 3),
		.forget_after = prng_below(p, 3) * prng_below(p, 60 * unit),
		.probe_within = draw_or_never(p, 60 * unit),
		.lapse = draw_or_never(p, 200 * unit),
		.slow = prng_below(p, 2) * prng_between(p, 1, 30 * unit),
	};
	u32 i;

	c.successes = prng_between(p, 1, c.probes);
	for (i = 0; i < c.steps; i++)
		c.open[i] = prng_between(p, 1, 40 * unit);
	if (prng_chance(p, 1, 2)) {
		c.failures = prng_between(p, 1, 6);
	} else {
		c.percent = prng_between(p, 1, 100);
		c.minimum = prng_between(p, 1, 12);
	}
	return c;
}

/* A short time, the next ns that matters, a ns next to it, or a long time. */
static u64 draw_time(struct prng *p, const struct model *m, u64 unit)
{
	u64 at[] = { m->end, m->last + m->c.probe_within, m->last + m->c.lapse,
		     m->began + m->c.forget_after, m->began + m->within,
		     m->began + 8 * m->c.bucket.d, m->last + WEIR_CIRCUIT_KEEP };
	u64 t = at[prng_below(p, ARRAY_SIZE(at))] + prng_below(p, 3) - 1;

	switch (prng_below(p, 8)) {
	case 0:
	case 1:
	case 2:
		return m->now;
	case 3:
	case 4:
		return m->now + prng_below(p, 4 * unit);
	case 5:
		return m->now + prng_below(p, 300 * unit);
	default:
		return t > m->now && t < m->now + 2 * WEIR_CIRCUIT_KEEP ? t : m->now + 1;
	}
}

static u32 kept(const struct model *m)
{
	return m->ncalls < MODEL_CALLS ? m->ncalls : MODEL_CALLS;
}

static u32 draw_call(struct prng *p, const struct model *m)
{
	u32 back = kept(m);

	if (prng_chance(p, 2, 3))
		back = min(back, 4U);
	return m->ncalls - 1 - prng_below(p, back);
}

/* A holder goes and loses all its probes. */
static void die(struct model *m, u64 now, u32 holder)
{
	u32 i;

	for (i = m->ncalls - kept(m); i < m->ncalls; i++)
		if (i % HOLDERS == holder)
			model_died(m, now, i);
}

/*
 * The circuit is idle at the time that idle_at() returns and, if it counts failures by number, not
 * 1 ns earlier. By percentage, calls fade and are rounded down, so the last one may count as 0
 * earlier.
 */
static void check_idle(struct model *m)
{
	u64 idle = weir_circuit_idle_at(&m->c, m->real, m->now), at;
	struct weir_circuit_view v;
	struct kunit *test = m->test;
	bool good;

	KUNIT_ASSERT_GE(test, idle, m->now);
	if (idle == WEIR_NEVER)
		return;
	for (at = idle; at >= m->now && at + 2 > idle; at--) {
		weir_circuit_look(&m->c, m->real, at, &v);
		good = v.is == WEIR_CIRCUIT_CLOSED && !v.step &&
		       (!v.since || at - v.since > WEIR_CIRCUIT_KEEP);
		if (m->c.failures)
			good = good && !v.failures;
		if (at == idle) {
			KUNIT_ASSERT_TRUE(test, good);
			KUNIT_ASSERT_EQ(test, 0, v.failures + v.calls);
		} else if (m->c.failures) {
			KUNIT_ASSERT_FALSE(test, good);
		}
	}
}

static void step(struct prng *p, struct model *m, u64 unit)
{
	u64 now = draw_time(p, m, unit);
	u32 what = prng_below(p, 100);

	if (what < 40 || !m->ncalls)
		model_allow(m, now);
	else if (what < 60)
		model_report(m, now, draw_call(p, m), WEIR_CIRCUIT_FAILED);
	else if (what < 80)
		model_report(m, now, draw_call(p, m), WEIR_CIRCUIT_OK);
	else if (what < 85)
		model_report(m, now, draw_call(p, m), WEIR_CIRCUIT_WITHDRAWN);
	else if (what < 90)
		model_died(m, now, draw_call(p, m));
	else if (what < 92)
		die(m, now, prng_below(p, HOLDERS));
	else if (what < 94)
		model_trip(m, now, 0);
	else if (what < 96)
		model_trip(m, now, prng_between(p, 1, 50 * unit));
	else if (what < 97)
		model_trip(m, now, WEIR_NEVER);
	else
		model_reset(m, now);
	check_idle(m);
}

static void series(struct kunit *test, u64 seed, u64 unit)
{
	struct prng p = prng_seed(test, seed);
	struct weir_circuit_config c;
	struct model *m = model_alloc(test);
	int i, j, moves = 0;

	for (i = 0; i < PRNG_ROUNDS(60); i++) {
		c = draw_config(&p, unit);
		model_init(m, test, &c, prng_between(&p, 1, 100) * unit,
			   prng_magnitude(&p, 30 * WEIR_NSEC_PER_YEAR));
		for (j = 0; j < STEPS; j++) {
			step(&p, m, unit);
			moves += m->nmoved;
		}
	}
	/* the series must have left the closed state often */
	KUNIT_EXPECT_GT(test, moves, i * 10);
}

static void circuit_agrees_with_model(struct kunit *test)
{
	series(test, 0x5eed0701, 1);
}

/* The same in milliseconds. Time advances in strides. */
static void circuit_agrees_in_ms(struct kunit *test)
{
	series(test, 0x5eed0702, NSEC_PER_MSEC);
}

/* ------------------------------------------------------------ races */

/*
 * Operations on a key happen one after the other, under its entry's lock, so the result of a race
 * depends on their order only. Therefore all orders of three events, with 0 or 1 ns between them,
 * are tested in every state.
 */

enum race_event {
	RACE_ALLOW,
	RACE_OK,
	RACE_FAILED,
	RACE_WITHDRAWN,
	RACE_LATE,
	RACE_DIED,
	RACE_TRIP,
	RACE_TRIP_LONG,
	RACE_RESET,
	RACE_WAIT,	/* until the next change is due */
	RACE_NEARLY,	/* until 1 ns before that */
	RACE_EVENTS,
};

enum race_state {
	RACE_CLOSED,
	RACE_EDGE,	/* closed; the next failure opens it */
	RACE_OPEN,
	RACE_HALF,	/* half-open, no probe admitted */
	RACE_PROBING,	/* one of two probes */
	RACE_FULL,	/* two of two probes, none reported */
	RACE_LAST,	/* two of two probes, one reported */
	RACE_STATES,
};

static const struct weir_circuit_config race_config = {
	.failures = 3, .probes = 2, .successes = 2, .steps = 2, .open = { 100, 200 },
	.forget_after = 50, .probe_within = 40, .lapse = 300, .slow = 1000,
};

static void race_go(struct model *m, u64 now)
{
	struct weir_circuit_moves moves = { 0 };

	model_go(m, now);
	weir_circuit_settle(&m->c, &m->real, now, &moves);
	model_compare(m, &moves);
}

static void race_prepare(struct model *m, enum race_state state)
{
	u64 now = m->now;
	int i;

	model_allow(m, now);
	for (i = 0; i < (state == RACE_CLOSED ? 0 : state == RACE_EDGE ? 2 : 3); i++)
		model_report(m, now, m->ncalls - 1, WEIR_CIRCUIT_FAILED);
	if (state <= RACE_OPEN)
		return;
	now = m->end;
	race_go(m, now);
	for (i = 0; i < (state == RACE_HALF ? 0 : state == RACE_PROBING ? 1 : 2); i++)
		model_allow(m, now);
	if (state == RACE_LAST)
		model_report(m, now, m->ncalls - 1, WEIR_CIRCUIT_OK);
}

static void race_do(struct model *m, enum race_event event, u64 now)
{
	u64 left = model_left(m);
	u32 last = m->ncalls - 1;

	switch (event) {
	case RACE_ALLOW:
		model_allow(m, now);
		break;
	case RACE_OK:
	case RACE_FAILED:
	case RACE_WITHDRAWN:
		model_report(m, now, last, event == RACE_OK ? WEIR_CIRCUIT_OK :
			     event == RACE_FAILED ? WEIR_CIRCUIT_FAILED :
			     WEIR_CIRCUIT_WITHDRAWN);
		break;
	case RACE_LATE:
		model_report(m, now, 0, WEIR_CIRCUIT_FAILED);
		break;
	case RACE_DIED:
		model_died(m, now, last);
		break;
	case RACE_TRIP:
		model_trip(m, now, 0);
		break;
	case RACE_TRIP_LONG:
		model_trip(m, now, 1000);
		break;
	case RACE_RESET:
		model_reset(m, now);
		break;
	case RACE_WAIT:
	case RACE_NEARLY:
		if (m->is != WEIR_CIRCUIT_CLOSED && left != WEIR_NEVER)
			race_go(m, m->now + left - (event == RACE_NEARLY));
		break;
	default:
		break;
	}
}

/* Count the probes of one generation that were not withdrawn. */
static void check_probes(struct model *m)
{
	u32 i, j, n;

	for (i = 0; i < m->ncalls; i++) {
		for (j = n = 0; j < m->ncalls; j++)
			n += m->calls[j].probe &&
			     m->calls[j].generation == m->calls[i].generation;
		KUNIT_ASSERT_LE(m->test, n, m->c.probes);
	}
}

static void race(struct model *m, u32 state, const u32 *events, u64 apart)
{
	struct kunit *test = m->test;
	u32 i;

	model_init(m, test, &race_config, 7000, 5000);
	race_prepare(m, state);
	for (i = 0; i < 3; i++)
		race_do(m, events[i], m->now + apart);
	/* withdrawals free the place of a probe, so the number of admissions proves nothing then */
	for (i = 0; i < 3; i++)
		if (events[i] == RACE_WITHDRAWN)
			return;
	check_probes(m);
}

static void circuit_races(struct kunit *test)
{
	struct model *m = model_alloc(test);
	u32 events[3], state, n;
	u64 apart;

	for (n = 0; n < RACE_EVENTS * RACE_EVENTS * RACE_EVENTS; n++) {
		events[0] = n % RACE_EVENTS;
		events[1] = n / RACE_EVENTS % RACE_EVENTS;
		events[2] = n / RACE_EVENTS / RACE_EVENTS;
		for (state = 0; state < RACE_STATES; state++)
			for (apart = 0; apart < 2; apart++)
				race(m, state, events, apart);
	}
}

/*
 * A call admitted without the lock reads the word, then the clock, then the same word again.
 * Whatever happens next, even in the same ns, its report counts if and only if no generation has
 * begun since.
 */
static void circuit_races_unlocked(struct kunit *test)
{
	struct model *m = model_alloc(test);
	u32 events[3] = { RACE_EVENTS, RACE_EVENTS, RACE_EVENTS }, state, i, j, heard;
	struct weir_circuit_moves moves;
	u64 word, ticket;

	for (state = RACE_CLOSED; state <= RACE_EDGE; state++) {
		for (i = 0; i < RACE_EVENTS * RACE_EVENTS; i++) {
			race(m, state, events, 0);
			word = m->real.word;
			KUNIT_ASSERT_TRUE(test, weir_circuit_is_closed(word));
			ticket = weir_circuit_ticket(word, m->now);
			for (j = i; j; j /= RACE_EVENTS)
				race_do(m, j % RACE_EVENTS, m->now);
			moves.n = 0;
			heard = weir_circuit_report(&m->c, &m->real, m->now, ticket,
						    WEIR_CIRCUIT_OK, &moves);
			KUNIT_ASSERT_EQ(test, heard, word == m->real.word ?
					WEIR_CIRCUIT_COUNTED : WEIR_CIRCUIT_LATE);
		}
	}
}

static struct kunit_case circuit_model_cases[] = {
	KUNIT_CASE(circuit_agrees_with_model),
	KUNIT_CASE(circuit_agrees_in_ms),
	KUNIT_CASE(circuit_races),
	KUNIT_CASE(circuit_races_unlocked),
	{}
};

static struct kunit_suite weir_circuit_model_suite = {
	.name = "weir_circuit_model",
	.test_cases = circuit_model_cases,
};

kunit_test_suite(weir_circuit_model_suite);
