/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model of a circuit breaker as its header describes it, without regard to cost. It keeps a list
 * of all reports of the generation, advances time ns by ns, counts generations one by one, and
 * numbers each call. Each step is made on the model and on the real circuit (src/lib/circuit.h),
 * and all results must be equal.
 */
#ifndef _WEIR_KUNIT_CIRCUIT_MODEL_H
#define _WEIR_KUNIT_CIRCUIT_MODEL_H

#include "lib/circuit.h"
#include "kunit/prng.h"

#define MODEL_CALLS	64
#define MODEL_REPORTS	512
#define MODEL_STRIDE	1000	/* length of time that is walked through ns by ns */

/**
 * struct model_call - a call that was admitted
 * @ticket: the ticket it got
 * @generation: the generation it belongs to
 * @probe: whether it is a probe
 */
struct model_call {
	u64 ticket;
	u64 generation;
	bool probe;
};

/**
 * struct model - a breaker
 * @test: the test
 * @c: its configuration
 * @within: the time @c.within, ns
 * @real: the code under test
 * @now: current time, ns
 * @is: the state, enum weir_circuit_state
 * @generation: number of generations so far
 * @began: start of the present generation
 * @end: open: when it ends
 * @last: half-open: time of the last admission, or since when no probe is outstanding
 * @admitted: half-open: probes admitted
 * @succeeded: half-open: probes that succeeded
 * @step: step of the ladder
 * @reported: closed: times of the reports, MODEL_REPORTS at most
 * @failed: whether each report was a failure
 * @n: number of reports
 * @moved: states entered in this step
 * @nmoved: number of states in @moved
 * @calls: the last MODEL_CALLS calls that were admitted
 * @ncalls: number of calls admitted so far
 */
struct model {
	struct kunit *test;
	struct weir_circuit_config c;
	u64 within;
	struct weir_circuit real;
	u64 now;
	u32 is;
	u64 generation;
	u64 began;
	u64 end;
	u64 last;
	u32 admitted;
	u32 succeeded;
	u32 step;
	u64 reported[MODEL_REPORTS];
	bool failed[MODEL_REPORTS];
	int n;
	u32 moved[8];
	u32 nmoved;
	struct model_call calls[MODEL_CALLS];
	u32 ncalls;
};

/* ------------------------------------------------------------ the model's moves */

static inline void model_begin(struct model *m, u32 is, u64 at)
{
	m->generation++;
	m->began = at > m->began ? at : m->began + 1;
	m->is = is;
	m->last = m->began;
	m->admitted = 0;
	m->succeeded = 0;
	m->n = 0;
}

static inline void model_note(struct model *m)
{
	m->moved[m->nmoved++] = m->is;
}

static inline u64 model_length(const struct model *m)
{
	return m->c.open[m->step < m->c.steps ? m->step : m->c.steps - 1];
}

static inline void model_fail(struct model *m, u64 at)
{
	model_begin(m, WEIR_CIRCUIT_OPEN, at);
	m->end = m->began + model_length(m);
	if (m->step < WEIR_CIRCUIT_STEPS)
		m->step++;
	model_note(m);
}

static inline void model_heal(struct model *m, u64 at)
{
	model_begin(m, WEIR_CIRCUIT_CLOSED, at);
	if (!m->c.forget_after)
		m->step = 0;
	model_note(m);
}

/* Make the changes that are due at @t. */
static inline void model_tick(struct model *m, u64 t)
{
	bool waits = m->admitted != m->succeeded;

	if (m->is == WEIR_CIRCUIT_HALF_OPEN && waits &&
	    m->c.probe_within != WEIR_NEVER && t == m->last + m->c.probe_within)
		model_fail(m, t);
	else if (m->is == WEIR_CIRCUIT_HALF_OPEN && !waits &&
		 m->c.lapse != WEIR_NEVER && t == m->last + m->c.lapse)
		model_heal(m, t);
	else if (m->is == WEIR_CIRCUIT_OPEN && t == m->end) {
		model_begin(m, WEIR_CIRCUIT_HALF_OPEN, t);
		model_note(m);
	}
	if (m->is == WEIR_CIRCUIT_CLOSED && m->step &&
	    t == m->began + m->c.forget_after)
		m->step = 0;
}

/* The next ns after @t in which anything can become due, if it is before @to. */
static inline u64 model_skip(const struct model *m, u64 t, u64 to)
{
	u64 at[] = { m->end, m->last + m->c.probe_within, m->last + m->c.lapse,
		     m->began + m->c.forget_after };
	u64 next = to;
	int i;

	for (i = 0; i < ARRAY_SIZE(at); i++)
		if (at[i] > t && at[i] < next)
			next = at[i];
	return next;
}

/* Advance the time to @now. */
static inline void model_go(struct model *m, u64 now)
{
	m->nmoved = 0;
	while (m->now < now) {
		m->now = now - m->now < MODEL_STRIDE ? m->now + 1 :
						       model_skip(m, m->now, now);
		model_tick(m, m->now);
	}
}

/* ------------------------------------------------------------ the model's counts */

/* By number: failures in the present bucket and the seven before it. */
static inline u32 model_failures(const struct model *m)
{
	u64 width = m->c.bucket.d, first = 0, bucket, last = 0;
	u32 sum = 0;
	int i;

	/* the first failure after a time without any starts the first bucket */
	for (i = 0; i < m->n; i++) {
		if (!m->failed[i])
			continue;
		bucket = (m->reported[i] - first) / width;
		if (!first || bucket - last >= WEIR_CIRCUIT_BUCKETS) {
			first = m->reported[i];
			bucket = 0;
		}
		last = bucket;
	}
	for (i = 0; i < m->n; i++)
		if (first && m->failed[i] && m->reported[i] >= first &&
		    (m->now - first) / width - (m->reported[i] - first) / width <
		    WEIR_CIRCUIT_BUCKETS)
			sum++;
	return sum;
}

/* Failures of the last @span ns. The first ns of that span is included or not. */
static inline u32 model_failures_within(const struct model *m, u64 span, bool inclusive)
{
	u32 sum = 0;
	int i;

	for (i = 0; i < m->n; i++)
		if (m->failed[i] && (m->now - m->reported[i] < span ||
				     (inclusive && m->now - m->reported[i] == span)))
			sum++;
	return sum;
}

/* By percentage: the reports of two windows that count. @within must be below 2^31 ns. */
static inline u32 model_rate(const struct model *m, bool failed_only)
{
	u64 first = 0, last = 0, window, cur = 0, before = 0, age;
	int i;

	for (i = 0; i < m->n; i++) {
		window = (m->reported[i] - first) / m->within;
		if (!first || window - last >= 2) {
			first = m->reported[i];
			window = 0;
		}
		last = window;
	}
	window = (m->now - first) / m->within;
	age = (m->now - first) % m->within;
	for (i = 0; i < m->n; i++) {
		if (!first || m->reported[i] < first || (failed_only && !m->failed[i]))
			continue;
		last = (m->reported[i] - first) / m->within;
		cur += last == window;
		before += last + 1 == window;
	}
	return cur + before * (m->within - age) / m->within;
}

/* Whether the reports are enough to open. Checks the documented guarantee too. */
static inline bool model_is_enough(struct model *m)
{
	u32 n;

	if (!m->c.failures) {
		n = model_rate(m, false);
		return n >= m->c.minimum && model_rate(m, true) * 100 >= n * m->c.percent;
	}
	n = model_failures(m);
	if (model_failures_within(m, m->within, true) >= m->c.failures)
		KUNIT_EXPECT_GE(m->test, n, m->c.failures);
	if (model_failures_within(m, 8 * m->c.bucket.d, false) < m->c.failures)
		KUNIT_EXPECT_LT(m->test, n, m->c.failures);
	return n >= m->c.failures;
}

/* ------------------------------------------------------------ one step of both */

/* The time in ns until the next move, as far as the model knows it. */
static inline u64 model_left(const struct model *m)
{
	u64 wait;

	if (m->is == WEIR_CIRCUIT_CLOSED)
		return WEIR_NEVER;
	if (m->is == WEIR_CIRCUIT_OPEN)
		return m->end == WEIR_NEVER ? WEIR_NEVER : m->end - m->now;
	wait = m->admitted != m->succeeded ? m->c.probe_within : m->c.lapse;
	return wait == WEIR_NEVER ? WEIR_NEVER : m->last + wait - m->now;
}

/* Everything that a caller can see must be equal. */
static inline void model_compare(struct model *m, const struct weir_circuit_moves *moves)
{
	struct kunit *test = m->test;
	struct weir_circuit_view v;
	bool closed = m->is == WEIR_CIRCUIT_CLOSED;
	u32 i;

	KUNIT_ASSERT_EQ(test, m->nmoved, moves->n);
	for (i = 0; i < m->nmoved; i++)
		KUNIT_ASSERT_EQ(test, m->moved[i], (u32)moves->to[i]);
	weir_circuit_look(&m->c, m->real, m->now, &v);
	KUNIT_ASSERT_EQ(test, m->is, v.is);
	KUNIT_ASSERT_EQ(test, m->began, v.since);
	KUNIT_ASSERT_EQ(test, m->step, v.step);
	KUNIT_ASSERT_EQ(test, model_left(m), v.left);
	KUNIT_ASSERT_EQ(test, m->admitted, v.admitted);
	KUNIT_ASSERT_EQ(test, m->succeeded, v.succeeded);
	KUNIT_ASSERT_LE(test, v.admitted, m->c.probes);
	KUNIT_ASSERT_LE(test, v.succeeded, v.admitted);
	if (!m->c.failures)
		KUNIT_ASSERT_EQ(test, closed ? model_rate(m, false) : 0, v.calls);
	KUNIT_ASSERT_EQ(test, !closed ? 0 : m->c.failures ? model_failures(m) :
			model_rate(m, true), v.failures);
	KUNIT_ASSERT_EQ(test, 0, (u32)(m->real.word & 1));
}

static inline bool model_allow(struct model *m, u64 now)
{
	struct weir_circuit_moves moves = { 0 };
	struct weir_circuit_answer a;
	struct kunit *test = m->test;
	u64 ticket, word = m->real.word;
	bool probe, admitted;

	model_go(m, now);
	ticket = now > m->began ? now : m->began + 1;
	probe = m->is == WEIR_CIRCUIT_HALF_OPEN && m->admitted < m->c.probes;
	admitted = probe || m->is == WEIR_CIRCUIT_CLOSED;
	weir_circuit_allow(&m->c, &m->real, now, &a, &moves);
	KUNIT_ASSERT_EQ(test, admitted, a.admitted);
	KUNIT_ASSERT_EQ(test, probe, a.probe);
	KUNIT_ASSERT_EQ(test, admitted ? ticket : 0, a.ticket);
	KUNIT_ASSERT_EQ(test, admitted ? 0 : model_left(m), a.retry_after);
	if (weir_circuit_is_closed(word)) {
		KUNIT_ASSERT_TRUE(test, admitted);
		KUNIT_ASSERT_EQ(test, ticket, weir_circuit_ticket(word, now));
	}
	if (probe) {
		m->admitted++;
		m->last = ticket;
	}
	if (admitted)
		m->calls[m->ncalls++ % MODEL_CALLS] = (struct model_call){
			.ticket = ticket, .generation = m->generation, .probe = probe,
		};
	model_compare(m, &moves);
	return admitted;
}

/* Count a report. Return: the model's answer. */
static inline u32 model_hear(struct model *m, const struct model_call *call, u32 how)
{
	bool slow = m->c.slow && m->now > call->ticket + m->c.slow;

	if (call->generation != m->generation || m->is == WEIR_CIRCUIT_OPEN)
		return WEIR_CIRCUIT_LATE;
	if (how == WEIR_CIRCUIT_OK && slow)
		how = WEIR_CIRCUIT_FAILED;
	if (m->is == WEIR_CIRCUIT_HALF_OPEN) {
		if (m->admitted == m->succeeded)
			return WEIR_CIRCUIT_UNKNOWN;
		if (how == WEIR_CIRCUIT_WITHDRAWN)
			m->admitted--;
		else if (how == WEIR_CIRCUIT_FAILED)
			model_fail(m, m->now);
		else if (++m->succeeded == m->c.successes)
			model_heal(m, m->now);
		if (m->is == WEIR_CIRCUIT_HALF_OPEN && m->admitted == m->succeeded &&
		    m->last < m->now)
			m->last = m->now;
		return WEIR_CIRCUIT_COUNTED;
	}
	if (m->now > call->ticket + WEIR_CIRCUIT_KEEP)
		return WEIR_CIRCUIT_LATE;
	if (how == WEIR_CIRCUIT_WITHDRAWN || (m->c.failures && how == WEIR_CIRCUIT_OK))
		return WEIR_CIRCUIT_COUNTED;
	m->reported[m->n] = m->now;
	m->failed[m->n++] = how == WEIR_CIRCUIT_FAILED;
	if (model_is_enough(m))
		model_fail(m, m->now);
	return WEIR_CIRCUIT_COUNTED;
}

static inline void model_report(struct model *m, u64 now, u32 i, u32 how)
{
	const struct model_call *call = &m->calls[i % MODEL_CALLS];
	struct weir_circuit_moves moves = { 0 };
	struct weir_circuit before = m->real;
	struct kunit *test = m->test;
	u32 wanted;
	bool moot;

	model_go(m, now);
	wanted = model_hear(m, call, how);
	moot = weir_circuit_is_moot(&m->c, m->real.word, now, call->ticket, how);
	KUNIT_ASSERT_EQ(test, wanted, (u32)weir_circuit_report(&m->c, &m->real, now,
							       call->ticket, how, &moves));
	if (moot) {
		KUNIT_ASSERT_EQ(test, (u32)WEIR_CIRCUIT_COUNTED, wanted);
		KUNIT_ASSERT_EQ(test, 0, moves.n);
		KUNIT_ASSERT_EQ(test, before.word, m->real.word);
		KUNIT_ASSERT_EQ(test, before.counts[0], m->real.counts[0]);
		KUNIT_ASSERT_EQ(test, before.counts[1], m->real.counts[1]);
	}
	model_compare(m, &moves);
}

static inline void model_died(struct model *m, u64 now, u32 i)
{
	const struct model_call *call = &m->calls[i % MODEL_CALLS];
	struct weir_circuit_moves moves = { 0 };
	bool wanted;

	model_go(m, now);
	wanted = m->is == WEIR_CIRCUIT_HALF_OPEN && call->generation == m->generation &&
		 m->admitted != m->succeeded;
	if (wanted)
		model_fail(m, now);
	KUNIT_ASSERT_EQ(m->test, wanted, weir_circuit_died(&m->c, &m->real, now,
							   call->ticket, &moves));
	model_compare(m, &moves);
}

static inline void model_trip(struct model *m, u64 now, u64 length)
{
	struct weir_circuit_moves moves = { 0 };
	u64 ns, end, from;
	bool wanted;

	model_go(m, now);
	from = now > m->began ? now : m->began + 1;
	ns = length ? length : model_length(m);
	end = ns == WEIR_NEVER ? WEIR_NEVER : from + ns;
	wanted = m->is != WEIR_CIRCUIT_OPEN || end > m->end;
	if (wanted) {
		if (m->is != WEIR_CIRCUIT_OPEN)
			model_begin(m, WEIR_CIRCUIT_OPEN, now);
		m->end = end;
		if (!length && m->step < WEIR_CIRCUIT_STEPS)
			m->step++;
		model_note(m);
	}
	KUNIT_ASSERT_EQ(m->test, wanted, weir_circuit_trip(&m->c, &m->real, now, length,
							   &moves));
	model_compare(m, &moves);
}

static inline void model_reset(struct model *m, u64 now)
{
	struct weir_circuit_moves moves = { 0 };
	u32 was;

	model_go(m, now);
	was = m->is;
	model_begin(m, WEIR_CIRCUIT_CLOSED, now);
	m->step = 0;
	if (was != WEIR_CIRCUIT_CLOSED)
		model_note(m);
	weir_circuit_reset(&m->c, &m->real, now, &moves);
	model_compare(m, &moves);
}

static inline struct model *model_alloc(struct kunit *test)
{
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, m);
	m->test = test;
	return m;
}

/* A new circuit at @now. */
static inline void model_init(struct model *m, struct kunit *test,
			      const struct weir_circuit_config *c, u64 within, u64 now)
{
	memset(m, 0, sizeof(*m));
	m->test = test;
	m->c = *c;
	m->within = within;
	m->now = now;
	weir_circuit_prepare(&m->c, within);
}

#endif /* _WEIR_KUNIT_CIRCUIT_MODEL_H */
