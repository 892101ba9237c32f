/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A circuit breaker's decisions: closed, open, half-open.
 *
 * Closed, it admits everyone and counts failures. Open, it admits nobody, for as long
 * as the next step of a ladder says. Then it is half-open: it admits exactly so many
 * probes, whose success closes it; the first failure opens it again, one step up. Each
 * of these moves begins a new generation.
 *
 * Who is admitted gets a ticket: the time of his admission, or 1 ns after the
 * generation began if that is later. So a ticket is of the present generation if it is
 * later than its beginning, and what is reported with any other is late and counts
 * nothing; and how long a call took needs no memory and nobody's word. That is exact
 * if clock readings are ordered as what they belong to: here they are made under the
 * entry's lock, or between two readings of a word that has not changed. (Of a clock
 * that lags all the same: nothing moves back, a generation's beginning least of all.)
 *
 * Failures by number are counted in eight buckets of a seventh of within, rounded up
 * to a ns. They cover within at least, and less than eight of them. So if that number of
 * failures fell into a time of within it opens, always; if into none of 8/7 of it,
 * never. In between it may: it errs towards opening. Failures by percentage, and the calls they
 * are of, fade as strikes do (score.h), rounded down each: those of a run shorter than
 * within are counted exactly, and older ones as if they had been spread evenly.
 *
 * Moves that only time brings (an open breaker's end, probes that never tell) are made
 * by the next operation, as of the moment when they were due; nobody can tell the
 * difference, but that their events are sent then.
 *
 * The state, without a lock, lies in 34 bytes of an entry; all of it changes under
 * the entry's lock. The first word alone tells that it is closed, and since when:
 *
 *	63                                3    2  1  0
 *	[ generation's beginning, ns: 61 ][ state ][ entry lock ]
 */
#ifndef _WEIR_CIRCUIT_STATE_H
#define _WEIR_CIRCUIT_STATE_H

#include "lib/score.h"

#define WEIR_CIRCUIT_BUCKETS	8
#define WEIR_CIRCUIT_STEPS	8
#define WEIR_CIRCUIT_CALLS	1073741824U
/* ns for which a closed circuit listens to a call, and tells its generation by */
#define WEIR_CIRCUIT_KEEP	(3600ULL * NSEC_PER_SEC)
/* ns by which a ticket may be ahead of a clock: more, and it is none */
#define WEIR_CIRCUIT_AHEAD	(1ULL * NSEC_PER_SEC)

enum weir_circuit_state {
	WEIR_CIRCUIT_CLOSED	= 0,
	WEIR_CIRCUIT_OPEN	= 1,
	WEIR_CIRCUIT_HALF_OPEN	= 2,
};

/* What became of a call. */
enum weir_circuit_call {
	WEIR_CIRCUIT_OK		= 0,
	WEIR_CIRCUIT_FAILED	= 1,
	WEIR_CIRCUIT_WITHDRAWN	= 2,	/* it was not made: a probe's place is free again */
};

/* What became of a report. */
enum weir_circuit_heard {
	WEIR_CIRCUIT_COUNTED	= 0,
	WEIR_CIRCUIT_LATE	= 1,	/* of an earlier generation: nothing changed */
	WEIR_CIRCUIT_UNKNOWN	= 2,	/* such a ticket was not given: nothing changed */
};

/**
 * struct weir_circuit_config - a breaker's numbers, prepared
 *
 * A duration is at most ten years, or WEIR_NEVER where that is said.
 *
 * @failures: that open it, 1..65535; 0: @percent does
 * @percent: of calls that failed, 1..100
 * @minimum: calls there must have been, 1..2^20
 * @probes: admitted half-open, 1..2^31
 * @successes: of them that close it, 1..@probes
 * @steps: in @open, 1..WEIR_CIRCUIT_STEPS
 * @open: ns that it stays open each time in turn, 1 or more; the last repeats
 * @forget_after: ns after it closed at which the ladder begins anew; 0: at once
 * @probe_within: ns after the last probe was admitted at which those that have not
 *	reported have failed, 1 or more; WEIR_NEVER: they are waited for
 * @lapse: ns after which a half-open breaker that waits for no probe, nor was asked to
 *	admit one, closes by itself, 1 or more, or WEIR_NEVER
 * @slow: ns; a call that takes longer has failed; 0: however long
 * @bucket: a seventh of within, rounded up
 * @fade: within
 */
struct weir_circuit_config {
	u32 failures;
	u32 percent;
	u32 minimum;
	u32 probes;
	u32 successes;
	u32 steps;
	u64 open[WEIR_CIRCUIT_STEPS];
	u64 forget_after;
	u64 probe_within;
	u64 lapse;
	u64 slow;
	struct weir_recip bucket;
	struct weir_score_config fade;
};

/**
 * struct weir_circuit - a key's state; all zero when it has never been seen
 * @word: state and beginning of the generation; bit 0 is clear
 * @at: closed: when the first bucket, or the current window, began; means nothing while
 *	all counts are 0. Open: the end, or WEIR_NEVER. Half-open: the last admission;
 *	while nobody is waited for, since when.
 * @failed_in: closed, by number: failures in each bucket, the current one first
 * @calls: closed, by percentage: reported in the current window
 * @calls_before: in the one before
 * @failed: of @calls
 * @failed_before: of @calls_before
 * @admitted: half-open: probes
 * @succeeded: of them
 * @detached: of those that have not reported: taken by nobody in particular. Kept by the
 *	caller; here it is but set to 0 when they count no more
 * @step: of the ladder: the next one
 */
struct weir_circuit {
	u64 word;
	u64 at;
	union {
		u16 failed_in[WEIR_CIRCUIT_BUCKETS];
		struct {
			u32 calls;
			u32 calls_before;
			u32 failed;
			u32 failed_before;
		};
		struct {
			u32 admitted;
			u32 succeeded;
			u32 detached;
		};
		u64 counts[2];
	};
	u16 step;
};

/**
 * struct weir_circuit_moves - to which states it went, in order
 * @n: how many
 * @to: enum weir_circuit_state of each
 *
 * Time alone makes three at most (open again, half-open, lapsed), the operation one more.
 */
struct weir_circuit_moves {
	u32 n;
	u8 to[4];
};

/**
 * struct weir_circuit_answer - what is said to a caller
 * @admitted: go ahead, and report
 * @probe: as one of the probes
 * @ticket: if @admitted, else 0
 * @retry_after: if not: ns until there is another answer, if nothing else happens.
 *	WEIR_NEVER: only others can bring that about.
 */
struct weir_circuit_answer {
	bool admitted;
	bool probe;
	u64 ticket;
	u64 retry_after;
};

/**
 * struct weir_circuit_view - the state at a moment
 * @is: enum weir_circuit_state
 * @step: of the ladder: the next one
 * @since: when the generation began
 * @left: ns until time alone makes a move, or WEIR_NEVER
 * @failures: closed: that count
 * @calls: closed, by percentage: that count
 * @admitted: half-open: probes
 * @succeeded: of them
 */
struct weir_circuit_view {
	u32 is;
	u32 step;
	u64 since;
	u64 left;
	u32 failures;
	u32 calls;
	u32 admitted;
	u32 succeeded;
};

/* @c: all but @bucket and @fade are set. @within: ns, 1..100 days. */
static inline void weir_circuit_prepare(struct weir_circuit_config *c, u64 within)
{
	u64 seventh = within / (WEIR_CIRCUIT_BUCKETS - 1);

	if (seventh * (WEIR_CIRCUIT_BUCKETS - 1) < within)
		seventh++;
	c->bucket = weir_recip_make(seventh);
	c->fade = weir_score_prepare(within);
}

static inline u32 weir_circuit_is(u64 word)
{
	return (word >> 1) & 3;
}

static inline u64 weir_circuit_since(u64 word)
{
	return word >> 3;
}

/* ------------------------------------------------------------ without the lock */

/*
 * Closed, and nobody has the lock; a dead entry's word says no. Then whoever asks is
 * admitted with weir_circuit_ticket(), and nothing is written, if after the clock was
 * read the word is still the same: else his ticket could be of another generation
 * than its time. (No word comes back: each generation begins later than the last.)
 */
static inline bool weir_circuit_is_closed(u64 word)
{
	return !(word & 7);
}

static inline u64 weir_circuit_ticket(u64 word, u64 now)
{
	return max(now, weir_circuit_since(word) + 1);
}

static inline bool weir_circuit_is_slow(const struct weir_circuit_config *c, u64 now,
					u64 ticket)
{
	return c->slow && now > ticket && now - ticket > c->slow;
}

/* A call that was admitted closed, too long ago to be sure of what happened since. */
static inline bool weir_circuit_is_old(u64 now, u64 ticket)
{
	return now > ticket && now - ticket > WEIR_CIRCUIT_KEEP;
}

/* Could have been given by @now. */
static inline bool weir_circuit_is_ticket(u64 word, u64 now, u64 ticket)
{
	u64 latest = max(now, weir_circuit_since(word)) + WEIR_CIRCUIT_AHEAD;

	return ticket && ticket <= latest;
}

/*
 * Whether a report counts and yet changes nothing, because the circuit is closed and the
 * call is not one that it counts; the clock is read as above.
 */
static inline bool weir_circuit_is_moot(const struct weir_circuit_config *c, u64 word,
					u64 now, u64 ticket, enum weir_circuit_call call)
{
	if (!weir_circuit_is_closed(word) || !weir_circuit_is_ticket(word, now, ticket) ||
	    ticket <= weir_circuit_since(word) || weir_circuit_is_old(now, ticket))
		return false;
	if (call == WEIR_CIRCUIT_WITHDRAWN)
		return true;
	return call == WEIR_CIRCUIT_OK && c->failures &&
	       !weir_circuit_is_slow(c, now, ticket);
}

/* ------------------------------------------------------------ moves */

/* Begin a generation at @now, or as soon after the last one's beginning as can be. */
static inline void weir_circuit_move(struct weir_circuit *s, enum weir_circuit_state to,
				     u64 now)
{
	u64 since = max(now, weir_circuit_since(s->word) + 1);

	s->word = since << 3 | (u64)to << 1;
	s->at = since;
	s->counts[0] = 0;
	s->counts[1] = 0;
}

static inline void weir_circuit_note(const struct weir_circuit *s,
				     struct weir_circuit_moves *moves)
{
	moves->to[moves->n++] = weir_circuit_is(s->word);
}

/* The next step's length; the place on the ladder moves when it is taken. */
static inline u64 weir_circuit_step(const struct weir_circuit_config *c,
				    const struct weir_circuit *s)
{
	return c->open[min((u32)s->step, c->steps - 1)];
}

static inline void weir_circuit_climb(struct weir_circuit *s)
{
	if (s->step < WEIR_CIRCUIT_STEPS)
		s->step++;
}

static inline void weir_circuit_open(const struct weir_circuit_config *c,
				     struct weir_circuit *s, u64 now,
				     struct weir_circuit_moves *moves)
{
	weir_circuit_move(s, WEIR_CIRCUIT_OPEN, now);
	s->at += weir_circuit_step(c, s);
	weir_circuit_climb(s);
	weir_circuit_note(s, moves);
}

static inline void weir_circuit_close(const struct weir_circuit_config *c,
				      struct weir_circuit *s, u64 now,
				      struct weir_circuit_moves *moves)
{
	weir_circuit_move(s, WEIR_CIRCUIT_CLOSED, now);
	if (!c->forget_after)
		s->step = 0;
	weir_circuit_note(s, moves);
}

/* When time alone makes the next move, or WEIR_NEVER. */
static inline u64 weir_circuit_due(const struct weir_circuit_config *c,
				   const struct weir_circuit *s)
{
	u64 wait;

	switch (weir_circuit_is(s->word)) {
	case WEIR_CIRCUIT_OPEN:
		return s->at;
	case WEIR_CIRCUIT_HALF_OPEN:
		/* only if fewer are wanted than when they came */
		if (s->succeeded >= c->successes)
			return s->at;
		wait = s->admitted > s->succeeded ? c->probe_within : c->lapse;
		return wait == WEIR_NEVER ? WEIR_NEVER : s->at + wait;
	default:
		return WEIR_NEVER;
	}
}

/* Make the moves that were due by @now: every operation begins with that. */
static inline void weir_circuit_settle(const struct weir_circuit_config *c,
				       struct weir_circuit *s, u64 now,
				       struct weir_circuit_moves *moves)
{
	u64 due, since;

	while ((due = weir_circuit_due(c, s)) != WEIR_NEVER && due <= now) {
		if (weir_circuit_is(s->word) == WEIR_CIRCUIT_OPEN) {
			weir_circuit_move(s, WEIR_CIRCUIT_HALF_OPEN, due);
			weir_circuit_note(s, moves);
		} else if (s->admitted > s->succeeded && s->succeeded < c->successes) {
			weir_circuit_open(c, s, due, moves);
		} else {
			weir_circuit_close(c, s, due, moves);
		}
	}
	since = weir_circuit_since(s->word);
	if (weir_circuit_is(s->word) == WEIR_CIRCUIT_CLOSED && s->step &&
	    now >= since && now - since >= c->forget_after)
		s->step = 0;
}

#endif /* _WEIR_CIRCUIT_STATE_H */
