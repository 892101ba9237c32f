/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What callers do with a circuit breaker: ask, report, die, trip it, reset it, and
 * look. circuit_state.h tells how it works, and what a key's state is.
 */
#ifndef _WEIR_CIRCUIT_H
#define _WEIR_CIRCUIT_H

#include "lib/circuit_state.h"

/* ------------------------------------------------------------ counting, closed */

/* Bring the buckets up to @now; a clock that lags moves nothing back. */
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

/* Count a failure by number: whether that is enough of them. */
static inline bool weir_circuit_count(const struct weir_circuit_config *c,
				      struct weir_circuit *s, u64 now)
{
	weir_circuit_shift(c, s, now);
	if (!s->counts[0] && !s->counts[1])
		s->at = now;
	/* to stop there is for one who has lowered the number only */
	if (s->failed_in[0] < (u16)~0)
		s->failed_in[0]++;
	return weir_circuit_failures(s) >= c->failures;
}

static inline struct weir_score weir_circuit_score_of(const struct weir_circuit *s,
						      u32 cur, u32 prev)
{
	return (struct weir_score){ .since = s->at, .cur = cur, .prev = prev };
}

/* By percentage: what counts at @now. */
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
 * Count a call by percentage: whether enough of them have failed. If there are ever
 * 2^30 in a window all are halved, so that nothing wraps. Without failures: no division.
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
 * weir_circuit_allow - a caller asks
 * @c: the numbers
 * @s: the key's state
 * @now: ns, read after the state was locked
 * @a: the answer
 * @moves: 0 in @n; which moves were made
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

/* A probe tells. The last success that is wanted closes, the first failure opens. */
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
	/* nobody is waited for: it lapses counted from here */
	if (weir_circuit_is(s->word) == WEIR_CIRCUIT_HALF_OPEN &&
	    s->admitted == s->succeeded)
		s->at = max(s->at, now);
}

/**
 * weir_circuit_report - a caller tells what became of his call
 * @c: the numbers
 * @s: the key's state
 * @now: ns, read after the state was locked
 * @ticket: of the call
 * @call: what became of it
 * @moves: 0 in @n; which moves were made
 *
 * That nobody reports twice, and of another's probe, is for the caller to see to: see
 * hold.h. Here it cannot bring a probe more than there are.
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
 * Who had the probe of @ticket has died without a word: it has failed. False if that
 * changes nothing: it was of an earlier generation, or no probe.
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
 * Open by hand: @length ns from now, WEIR_NEVER for until it is reset, 0 for the next
 * step of the ladder, which is climbed then. An open circuit stays so for longer, never for
 * less; that is a move to the same state. False if it would be for less: no change.
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

/* Close by hand: nothing is remembered, and reports of before are late. */
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

/* ------------------------------------------------------------ looking */

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

/* When a closed circuit's counts will all be 0. */
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
 * When the state will be as good as none: @now if it is, WEIR_NEVER if time alone does
 * not bring it about. Closed, nothing counts, the ladder begins anew, and nobody who was
 * admitted in an earlier generation would be listened to any more.
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
