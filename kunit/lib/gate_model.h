/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model of one key of a gate as its header describes it, without regard to cost. It keeps a list
 * of all requests in order of arrival, with their outcomes, and walks this list to answer each
 * question. Each step is made on the model and on the real queue (src/lib/gate_queue.h), in the way
 * in which gate.c uses it. All results must be equal.
 */
#ifndef _WEIR_KUNIT_GATE_MODEL_H
#define _WEIR_KUNIT_GATE_MODEL_H

#include "lib/gate_queue.h"
#include "kunit/prng.h"

#define GATE_CALLS	256	/* calls in one run */
#define GATE_HOLDERS	5

enum gate_model_fate {
	GATE_WAITS,
	GATE_GRANTED,
	GATE_REFUSED,	/* at once, or at the deadline */
	GATE_TOO_BIG,
	GATE_DEADLOCK,
	GATE_GONE,	/* the holder is gone */
};

/**
 * struct gate_model_call - a request for permits
 * @n: permits requested
 * @holder: the caller
 * @fate: outcome in the model
 * @kicked: it waits, and has not been checked since the gate changed
 * @turn: its place in the real queue
 * @queued: it waits in the real queue
 * @granted: number of grants in the real queue
 */
struct gate_model_call {
	u32 n;
	u32 holder;
	u32 fate;
	bool kicked;
	struct weir_turn turn;
	bool queued;
	u32 granted;
};

/**
 * struct gate_model - a gate with one key
 * @test: the test
 * @permits: number of permits
 * @most: maximum number of waiters; 0: no limit
 * @held: permits held, by holder
 * @calls: the requests, in order of arrival
 * @ncalls: number of calls
 * @real: the queue under test
 * @real_held: permits granted by the real queue, by holder
 */
struct gate_model {
	struct kunit *test;
	u32 permits;
	u32 most;
	u32 held[GATE_HOLDERS];
	struct gate_model_call calls[GATE_CALLS];
	u32 ncalls;
	struct weir_gate_queue real;
	u32 real_held[GATE_HOLDERS];
};

/* ------------------------------------------------------------ the model's answers */

static inline u64 gate_model_out(const struct gate_model *m)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < GATE_HOLDERS; i++)
		sum += m->held[i];
	return sum;
}

static inline u32 gate_model_waiting(const struct gate_model *m)
{
	u32 i, n = 0;

	for (i = 0; i < m->ncalls; i++)
		n += m->calls[i].fate == GATE_WAITS;
	return n;
}

/* The first call that waits, or NULL. */
static inline struct gate_model_call *gate_model_first(struct gate_model *m)
{
	u32 i;

	for (i = 0; i < m->ncalls; i++)
		if (m->calls[i].fate == GATE_WAITS)
			return &m->calls[i];
	return NULL;
}

static inline bool gate_model_fits(const struct gate_model *m, u32 n)
{
	return gate_model_out(m) + n <= m->permits;
}

static inline void gate_model_grant(struct gate_model *m, struct gate_model_call *call)
{
	call->fate = GATE_GRANTED;
	m->held[call->holder] += call->n;
}

/* Grant to the first waiter while its permits are free. */
static inline void gate_model_serve(struct gate_model *m)
{
	struct gate_model_call *first;

	while ((first = gate_model_first(m)) && gate_model_fits(m, first->n))
		gate_model_grant(m, first);
}

/* Odd holders have one thread. Such a holder must not wait for permits that it holds itself. */
static inline bool gate_model_is_alone(u32 holder)
{
	return holder & 1;
}

static inline bool gate_model_is_stuck(const struct gate_model *m,
				       const struct gate_model_call *call)
{
	return gate_model_is_alone(call->holder) &&
	       (u64)m->held[call->holder] + call->n > m->permits;
}

static inline bool gate_model_holder_waits(const struct gate_model *m, u32 holder)
{
	u32 i;

	for (i = 0; i < m->ncalls; i++)
		if (m->calls[i].fate == GATE_WAITS && m->calls[i].holder == holder)
			return true;
	return false;
}

/* ------------------------------------------------------------ the real queue */

/* Check a grant: the request had none before, and no earlier request waits. */
static inline void gate_real_granted(struct gate_model *m, struct gate_model_call *call)
{
	struct gate_model_call *other;

	KUNIT_ASSERT_EQ(m->test, 0U, call->granted);
	KUNIT_ASSERT_LE(m->test, m->real.in_use, m->permits);
	for (other = m->calls; other < call; other++)
		KUNIT_ASSERT_FALSE(m->test, other->queued);
	call->granted++;
	m->real_held[call->holder] += call->n;
}

/* Like weir_gate_grant_waiters(). */
static inline void gate_real_serve(struct gate_model *m)
{
	struct gate_model_call *call;
	struct weir_turn *turn;

	while ((turn = weir_gate_queue_next(&m->real, m->permits))) {
		call = container_of(turn, struct gate_model_call, turn);
		call->queued = false;
		gate_real_granted(m, call);
	}
}

static inline bool gate_real_is_stuck(const struct gate_model *m,
				      const struct gate_model_call *call)
{
	return weir_gate_queue_holds_up(m->permits, m->real_held[call->holder], call->n) &&
	       gate_model_is_alone(call->holder);
}

/* Like decide() and weir_gate_enqueue(). */
static inline u32 gate_real_ask(struct gate_model *m, struct gate_model_call *call,
				bool may_wait)
{
	if (call->n > m->permits)
		return GATE_TOO_BIG;
	if (weir_gate_queue_take(&m->real, m->permits, call->n)) {
		gate_real_granted(m, call);
		return GATE_GRANTED;
	}
	if (!may_wait)
		return GATE_REFUSED;
	if (gate_real_is_stuck(m, call))
		return GATE_DEADLOCK;
	if (weir_gate_queue_is_full(&m->real, m->most))
		return GATE_REFUSED;
	weir_gate_queue_join(&m->real, &call->turn, call->n);
	call->queued = true;
	gate_real_serve(m);
	return call->granted ? GATE_GRANTED : GATE_WAITS;
}

/* Like serve_and_check() of gate_grant.c. @why: the reason to leave, or GATE_WAITS. */
static inline u32 gate_real_look(struct gate_model *m, struct gate_model_call *call,
				 u32 why)
{
	gate_real_serve(m);
	if (call->granted)
		return GATE_GRANTED;
	if (call->n > m->permits)
		why = GATE_TOO_BIG;
	else if (gate_real_is_stuck(m, call))
		why = GATE_DEADLOCK;
	if (why == GATE_WAITS)
		return why;
	weir_gate_queue_leave(&m->real, &call->turn);
	call->queued = false;
	gate_real_serve(m);
	return why;
}

/* ------------------------------------------------------------ comparisons */

static inline bool gate_model_is_kicked(const struct gate_model *m)
{
	u32 i;

	for (i = 0; i < m->ncalls; i++)
		if (m->calls[i].fate == GATE_WAITS && m->calls[i].kicked)
			return true;
	return false;
}

/* Both queues have the same waiters in the same order. */
static inline void gate_model_compare_queue(struct gate_model *m)
{
	struct gate_model_call *call = m->calls;
	struct kunit *test = m->test;
	struct weir_turn *turn;

	list_for_each_entry(turn, &m->real.waiters, node) {
		while (call < m->calls + m->ncalls && call->fate != GATE_WAITS)
			call++;
		KUNIT_ASSERT_TRUE(test, call < m->calls + m->ncalls);
		KUNIT_ASSERT_TRUE(test, turn == &call->turn);
		KUNIT_ASSERT_EQ(test, call->n, turn->n);
		call++;
	}
	while (call < m->calls + m->ncalls && call->fate != GATE_WAITS)
		call++;
	KUNIT_ASSERT_TRUE(test, call == m->calls + m->ncalls);
}

static inline void gate_model_compare(struct gate_model *m)
{
	struct gate_model_call *first = gate_model_first(m);
	u64 out = gate_model_out(m);
	struct kunit *test = m->test;
	u32 i;

	KUNIT_ASSERT_EQ(test, out, (u64)m->real.in_use);
	KUNIT_ASSERT_EQ(test, gate_model_waiting(m), m->real.nwaiters);
	for (i = 0; i < GATE_HOLDERS; i++)
		KUNIT_ASSERT_EQ(test, m->held[i], m->real_held[i]);
	for (i = 0; i < m->ncalls; i++)
		KUNIT_ASSERT_EQ(test, m->calls[i].fate == GATE_GRANTED ? 1U : 0U,
				m->calls[i].granted);
	KUNIT_ASSERT_EQ(test, out < m->permits ? m->permits - out : 0,
			(u64)weir_gate_queue_free(&m->real, m->permits));
	KUNIT_ASSERT_EQ(test, !out && !first, weir_gate_queue_is_idle(&m->real));
	KUNIT_ASSERT_EQ(test, m->most && gate_model_waiting(m) >= m->most,
			weir_gate_queue_is_full(&m->real, m->most));
	gate_model_compare_queue(m);
	/*
	 * the first waiter may wait while its permits are free only until all kicked waiters have
	 * been checked
	 */
	if (first && !gate_model_is_kicked(m))
		KUNIT_ASSERT_FALSE(test, gate_model_fits(m, first->n));
}

static inline u32 gate_model_decide(struct gate_model *m,
				    const struct gate_model_call *call, bool may_wait)
{
	u32 waiting = gate_model_waiting(m);

	if (call->n > m->permits)
		return GATE_TOO_BIG;
	if (!waiting && gate_model_fits(m, call->n))
		return GATE_GRANTED;
	if (!may_wait)
		return GATE_REFUSED;
	if (gate_model_is_stuck(m, call))
		return GATE_DEADLOCK;
	return m->most && waiting >= m->most ? GATE_REFUSED : GATE_WAITS;
}

/* @holder requests @n permits, and waits for them if @may_wait. */
static inline void gate_model_ask(struct gate_model *m, u32 holder, u32 n, bool may_wait)
{
	struct gate_model_call *call = &m->calls[m->ncalls];
	u32 fate;

	/* the list is full, or the only thread of the holder already waits */
	if (m->ncalls == GATE_CALLS ||
	    (gate_model_is_alone(holder) && gate_model_holder_waits(m, holder)))
		return;
	*call = (struct gate_model_call){ .n = n, .holder = holder };
	fate = gate_model_decide(m, call, may_wait);
	m->ncalls++;
	call->fate = fate;
	if (fate == GATE_GRANTED)
		gate_model_grant(m, call);
	else if (fate == GATE_WAITS)
		gate_model_serve(m);
	fate = gate_real_ask(m, call, may_wait);
	KUNIT_ASSERT_EQ(m->test, call->fate, fate);
	gate_model_compare(m);
}

/* @holder releases @n of its permits. */
static inline void gate_model_back(struct gate_model *m, u32 holder, u32 n)
{
	m->held[holder] -= n;
	gate_model_serve(m);
	m->real_held[holder] -= n;
	weir_gate_queue_back(&m->real, n);
	gate_real_serve(m);
	gate_model_compare(m);
}

/* A waiter is checked, because it was kicked, or leaves because of @why. */
static inline void gate_model_look(struct gate_model *m, struct gate_model_call *call,
				   u32 why)
{
	u32 fate;

	call->kicked = false;
	gate_model_serve(m);
	if (call->fate == GATE_WAITS && call->n > m->permits)
		call->fate = GATE_TOO_BIG;
	else if (call->fate == GATE_WAITS && gate_model_is_stuck(m, call))
		call->fate = GATE_DEADLOCK;
	else if (call->fate == GATE_WAITS)
		call->fate = why;
	if (call->fate != GATE_GRANTED && call->fate != GATE_WAITS)
		gate_model_serve(m);
	fate = gate_real_look(m, call, why);
	KUNIT_ASSERT_EQ(m->test, call->fate, fate);
	gate_model_compare(m);
}

/* All threads of a holder end, the newest request first. Then its permits are released. */
static inline void gate_model_die(struct gate_model *m, u32 holder)
{
	u32 i;

	for (i = m->ncalls; i-- > 0;)
		if (m->calls[i].holder == holder && m->calls[i].fate == GATE_WAITS)
			gate_model_look(m, &m->calls[i], GATE_GONE);
	if (m->held[holder])
		gate_model_back(m, holder, m->held[holder]);
}

/* Like gate_set(): the waiters are kicked: each is checked at some later time. */
static inline void gate_model_resize(struct gate_model *m, u32 permits)
{
	u32 i;

	m->permits = permits;
	for (i = 0; i < m->ncalls; i++)
		m->calls[i].kicked = m->calls[i].fate == GATE_WAITS;
	gate_model_compare(m);
}

static inline struct gate_model *gate_model_alloc(struct kunit *test)
{
	struct gate_model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, m);
	m->test = test;
	return m;
}

/* Start with a fresh key. */
static inline void gate_model_init(struct gate_model *m, u32 permits, u32 most)
{
	m->permits = permits;
	m->most = most;
	m->ncalls = 0;
	memset(m->held, 0, sizeof(m->held));
	memset(m->real_held, 0, sizeof(m->real_held));
	memset(&m->real, 0, sizeof(m->real));
	weir_gate_queue_init(&m->real);
	gate_model_compare(m);
}

#endif /* _WEIR_KUNIT_GATE_MODEL_H */
