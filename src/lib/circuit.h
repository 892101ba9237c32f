/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The operations of a circuit breaker: allow, report, loss of a probe, trip, reset, and view.
 * circuit_state.h explains the states and the layout.
 */
#ifndef _WEIR_CIRCUIT_H
#define _WEIR_CIRCUIT_H

#include "lib/circuit_state.h"

/* ------------------------------------------------------------ counting, closed */

/* Move the buckets forward to @now. If the clock lags, nothing moves back. */
static inline void weir_circuit_shift(const struct weir_circuit_config *c,
				      struct weir_circuit *s, u64 now)
{
	u64 age = now > s->at ? now - s->at : 0, n, rem;
	u32 i;

	if (age < c->bucket.d)
		return;
	n = weir_recip_div(age, &c->bucket, &rem);
	s->at += n * c->bucket.d;
	for (i = WEIR_CIRCUIT_BUCKETS; i-- > 0;)
		s->failed_in[i] = i >= n ? s->failed_in[i - n] : 0;
}

static inline u32 weir_circuit_failures(const struct weir_circuit *s)
{
	u32 i, sum = 0;

	for (i = 0; i < WEIR_CIRCUIT_BUCKETS; i++)
		sum += s->failed_in[i];
	return sum;
}

/* Count a failure by number. Return: whether the threshold is reached. */
static inline bool weir_circuit_count(const struct weir_circuit_config *c,
				      struct weir_circuit *s, u64 now)
{
	weir_circuit_shift(c, s, now);
	if (!s->counts[0] && !s->counts[1])
		s->at = now;
	s->failed_in[0]++;
	return weir_circuit_failures(s) >= c->failures;
}

static inline struct weir_score weir_circuit_score_of(const struct weir_circuit *s,
						      u32 cur, u32 prev)
{
	return (struct weir_score){ .since = s->at, .cur = cur, .prev = prev };
}

/* By percentage: the calls and failures that count at @now. */
static inline void weir_circuit_rates(const struct weir_circuit_config *c,
				      const struct weir_circuit *s, u64 now,
				      u32 *calls, u32 *failed)
{
	*calls = weir_score_value(&c->fade, weir_circuit_score_of(s, s->calls,
								  s->calls_before), now);
	*failed = weir_score_value(&c->fade, weir_circuit_score_of(s, s->failed,
								   s->failed_before), now);
}

/*
 * Count a call by percentage. Return: whether enough calls have failed. At 2^30 calls in a window
 * all counts are halved, so that nothing overflows. A success needs no division.
 */
static inline bool weir_circuit_rate(const struct weir_circuit_config *c,
				     struct weir_circuit *s, u64 now, bool has_failed)
{
	struct weir_score calls, failed;
	u32 n, n_failed;

	calls = weir_score_roll(&c->fade,
				weir_circuit_score_of(s, s->calls, s->calls_before), now);
	failed = weir_score_roll(&c->fade,
				 weir_circuit_score_of(s, s->failed, s->failed_before), now);
	s->at = calls.cur || calls.prev ? calls.since : now;
	s->calls = calls.cur;
	s->calls_before = calls.prev;
	s->failed = failed.cur;
	s->failed_before = failed.prev;
	if (s->calls >= WEIR_CIRCUIT_CALLS) {
		s->calls /= 2;
		s->calls_before /= 2;
		s->failed /= 2;
		s->failed_before /= 2;
	}
	s->calls++;
	s->failed += has_failed;
	if (!s->failed && !s->failed_before)
		return false;
	weir_circuit_rates(c, s, now, &n, &n_failed);
	return n >= c->minimum && (u64)n_failed * 100 >= (u64)n * c->percent;
}

/* ------------------------------------------------------------ operations */

/**
 * weir_circuit_allow - decide whether a call is admitted
 * @c: the configuration
 * @s: the key's state
 * @now: ns, read after the state was locked
 * @a: the answer
 * @moves: @n is 0; out: the state changes that were made
 */
static inline void weir_circuit_allow(const struct weir_circuit_config *c,
				      struct weir_circuit *s, u64 now,
				      struct weir_circuit_answer *a,
				      struct weir_circuit_moves *moves)
{
	u64 due;

	weir_circuit_settle(c, s, now, moves);
	*a = (struct weir_circuit_answer){ 0 };
	switch (weir_circuit_is(s->word)) {
	case WEIR_CIRCUIT_CLOSED:
		a->admitted = true;
		break;
	case WEIR_CIRCUIT_HALF_OPEN:
		a->admitted = s->admitted < c->probes;
		a->probe = a->admitted;
		break;
	}
	if (a->admitted)
		a->ticket = weir_circuit_ticket(s->word, now);
	if (a->probe) {
		s->admitted++;
		s->at = max(s->at, a->ticket);
	}
	due = weir_circuit_due(c, s);
	if (!a->admitted)
		a->retry_after = due == WEIR_NEVER ? WEIR_NEVER : due - now;
}

/*
 * Count the outcome of a probe. The last success that is required closes; the first failure
 * opens.
 */
static inline void weir_circuit_probed(const struct weir_circuit_config *c,
				       struct weir_circuit *s, u64 now,
				       enum weir_circuit_call call,
				       struct weir_circuit_moves *moves)
{
	if (call == WEIR_CIRCUIT_WITHDRAWN) {
		s->admitted--;
	} else if (call == WEIR_CIRCUIT_FAILED) {
		weir_circuit_open(c, s, now, moves);
	} else {
		s->succeeded++;
		if (s->succeeded >= c->successes)
			weir_circuit_close(c, s, now, moves);
	}
	/* no probe is outstanding: the lapse time counts from here */
	if (weir_circuit_is(s->word) == WEIR_CIRCUIT_HALF_OPEN &&
	    s->admitted == s->succeeded)
		s->at = max(s->at, now);
}

/**
 * weir_circuit_report - report the outcome of a call
 * @c: the configuration
 * @s: the key's state
 * @now: ns, read after the state was locked
 * @ticket: ticket of the call
 * @call: the outcome
 * @moves: @n is 0; out: the state changes that were made
 *
 * The caller must ensure that a probe is reported once, and by its holder only: see grant.h. A
 * duplicate report cannot make the counts exceed the number of probes.
 *
 * Return: whether the report counts, is late, or belongs to no call.
 */
static inline enum weir_circuit_heard
weir_circuit_report(const struct weir_circuit_config *c, struct weir_circuit *s, u64 now,
		    u64 ticket, enum weir_circuit_call call,
		    struct weir_circuit_moves *moves)
{
	bool opens;

	if (!weir_circuit_is_ticket(s->word, now, ticket))
		return WEIR_CIRCUIT_UNKNOWN;
	weir_circuit_settle(c, s, now, moves);
	if (ticket <= weir_circuit_since(s->word) ||
	    weir_circuit_is(s->word) == WEIR_CIRCUIT_OPEN)
		return WEIR_CIRCUIT_LATE;
	if (call == WEIR_CIRCUIT_OK && weir_circuit_is_slow(c, now, ticket))
		call = WEIR_CIRCUIT_FAILED;
	if (weir_circuit_is(s->word) == WEIR_CIRCUIT_HALF_OPEN) {
		if (s->admitted == s->succeeded)
			return WEIR_CIRCUIT_UNKNOWN;
		weir_circuit_probed(c, s, now, call, moves);
		return WEIR_CIRCUIT_COUNTED;
	}
	if (weir_circuit_is_old(now, ticket))
		return WEIR_CIRCUIT_LATE;
	if (call == WEIR_CIRCUIT_WITHDRAWN)
		return WEIR_CIRCUIT_COUNTED;
	if (!c->failures)
		opens = weir_circuit_rate(c, s, now, call == WEIR_CIRCUIT_FAILED);
	else
		opens = call == WEIR_CIRCUIT_FAILED && weir_circuit_count(c, s, now);
	if (opens)
		weir_circuit_open(c, s, now, moves);
	return WEIR_CIRCUIT_COUNTED;
}

/*
 * The holder of the probe with @ticket is gone without a report, so the probe has failed. Return:
 * false if this changes nothing, because the ticket is of an earlier generation or not of a probe.
 */
static inline bool weir_circuit_died(const struct weir_circuit_config *c,
				     struct weir_circuit *s, u64 now, u64 ticket,
				     struct weir_circuit_moves *moves)
{
	weir_circuit_settle(c, s, now, moves);
	if (weir_circuit_is(s->word) != WEIR_CIRCUIT_HALF_OPEN ||
	    ticket <= weir_circuit_since(s->word) || s->admitted == s->succeeded)
		return false;
	weir_circuit_open(c, s, now, moves);
	return true;
}

/*
 * Open by hand for @length ns; WEIR_NEVER: until a reset; 0: for the next step of the ladder,
 * which advances. An open circuit can only be kept open for longer; that is a move to the same
 * state. Return: false if @length would shorten it; then nothing changes.
 */
static inline bool weir_circuit_trip(const struct weir_circuit_config *c,
				     struct weir_circuit *s, u64 now, u64 length,
				     struct weir_circuit_moves *moves)
{
	u64 wanted, from;

	weir_circuit_settle(c, s, now, moves);
	wanted = length ? length : weir_circuit_step(c, s);
	from = max(now, weir_circuit_since(s->word) + 1);
	if (weir_circuit_is(s->word) != WEIR_CIRCUIT_OPEN)
		weir_circuit_move(s, WEIR_CIRCUIT_OPEN, from);
	else if (s->at == WEIR_NEVER || (wanted != WEIR_NEVER && from + wanted <= s->at))
		return false;
	s->at = wanted == WEIR_NEVER ? WEIR_NEVER : from + wanted;
	if (!length)
		weir_circuit_climb(s);
	weir_circuit_note(s, moves);
	return true;
}

/* Close by hand. All counts and the ladder are reset; reports of earlier calls are late. */
static inline void weir_circuit_reset(const struct weir_circuit_config *c,
				      struct weir_circuit *s, u64 now,
				      struct weir_circuit_moves *moves)
{
	bool was_closed;

	weir_circuit_settle(c, s, now, moves);
	was_closed = weir_circuit_is(s->word) == WEIR_CIRCUIT_CLOSED;
	weir_circuit_move(s, WEIR_CIRCUIT_CLOSED, now);
	s->step = 0;
	if (!was_closed)
		weir_circuit_note(s, moves);
}

/* ------------------------------------------------------------ reading */

static inline void weir_circuit_look(const struct weir_circuit_config *c,
				     struct weir_circuit s, u64 now,
				     struct weir_circuit_view *view)
{
	struct weir_circuit_moves moves = { 0 };
	u64 due;

	weir_circuit_settle(c, &s, now, &moves);
	due = weir_circuit_due(c, &s);
	*view = (struct weir_circuit_view){
		.is = weir_circuit_is(s.word),
		.step = s.step,
		.since = weir_circuit_since(s.word),
		.left = due == WEIR_NEVER ? WEIR_NEVER : due - now,
	};
	if (view->is == WEIR_CIRCUIT_HALF_OPEN) {
		view->admitted = s.admitted;
		view->succeeded = s.succeeded;
	} else if (view->is == WEIR_CIRCUIT_CLOSED && c->failures) {
		weir_circuit_shift(c, &s, now);
		view->failures = weir_circuit_failures(&s);
	} else if (view->is == WEIR_CIRCUIT_CLOSED) {
		weir_circuit_rates(c, &s, now, &view->calls, &view->failures);
	}
}

/* The time at which all counts of a closed circuit are 0. */
static inline u64 weir_circuit_empty_at(const struct weir_circuit_config *c,
					const struct weir_circuit *s, u64 now)
{
	u32 i;

	if (!c->failures)
		return weir_score_idle_at(&c->fade, weir_circuit_score_of(s, s->calls,
									  s->calls_before),
					  now);
	for (i = 0; i < WEIR_CIRCUIT_BUCKETS; i++)
		if (s->failed_in[i])
			return max(now, s->at + (WEIR_CIRCUIT_BUCKETS - i) * c->bucket.d);
	return now;
}

/*
 * The time from which on the state equals that of a key without an entry: @now if it does already,
 * WEIR_NEVER if time alone does not lead there. From then on the circuit is closed, nothing counts,
 * the ladder is reset, and every ticket of an earlier generation is too old to count.
 */
static inline u64 weir_circuit_idle_at(const struct weir_circuit_config *c,
				       struct weir_circuit s, u64 now)
{
	struct weir_circuit_moves moves = { 0 };
	u64 due, since, idle;

	weir_circuit_settle(c, &s, now, &moves);
	while (weir_circuit_is(s.word) != WEIR_CIRCUIT_CLOSED) {
		due = weir_circuit_due(c, &s);
		if (due == WEIR_NEVER)
			return WEIR_NEVER;
		moves.n = 0;
		weir_circuit_settle(c, &s, due, &moves);
	}
	since = weir_circuit_since(s.word);
	idle = weir_circuit_empty_at(c, &s, now);
	if (since)
		idle = max(idle, since + WEIR_CIRCUIT_KEEP + 1);
	if (s.step)
		idle = max(idle, since + c->forget_after);
	return idle;
}

#endif /* _WEIR_CIRCUIT_H */
