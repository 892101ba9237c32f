/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The decisions of a circuit breaker: closed, open, half-open.
 *
 * A closed circuit admits every call and counts failures. An open circuit admits none, for the
 * duration of the next step of a ladder. Then it is half-open and admits exactly the configured
 * number of probes. If they succeed it closes; the first failure opens it again, for the next
 * step. Each of these state changes begins a new generation.
 *
 * An admitted call gets a ticket: the time of its admission, but at least 1 ns after the generation
 * began. A ticket therefore belongs to the present generation if and only if it is later than the
 * beginning of that generation. A report with any other ticket is late and ignored. The duration of
 * a call follows from its ticket, without any stored state. This is exact if clock readings have
 * the order of the decisions they belong to: they are taken under the entry's lock, or between two
 * equal readings of the word. (If a clock lags nevertheless, no time moves back, and the beginning
 * of a generation does not either.)
 *
 * By number, failures are counted in eight buckets of within/7 each, rounded up to a ns. They
 * cover at least within, and less than 8/7 of it. The circuit always opens if the configured
 * number of failures fell into a time of within, and never if they did not fall into 8/7 of
 * within. By percentage, calls and failures fade as strikes do (score.h), each rounded down: a
 * run shorter than within is counted exactly, older calls as if they had been spread evenly.
 *
 * State changes that time causes (the end of open, probes that are not reported) are made by
 * the next operation, as of the time when they were due. The only visible difference is that
 * their events are sent then.
 *
 * The state takes 34 bytes of an entry and has no lock of its own: all of it changes under the
 * entry's lock. The first word alone says that the circuit is closed, and since when:
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
/* ns after which a ticket of a closed circuit is too old to count */
#define WEIR_CIRCUIT_KEEP	(3600ULL * NSEC_PER_SEC)
/* ns by which a ticket may be ahead of the clock; beyond that it is invalid */
#define WEIR_CIRCUIT_AHEAD	(1ULL * NSEC_PER_SEC)

enum weir_circuit_state {
	WEIR_CIRCUIT_CLOSED	= 0,
	WEIR_CIRCUIT_OPEN	= 1,
	WEIR_CIRCUIT_HALF_OPEN	= 2,
};

/* The outcome of a call. */
enum weir_circuit_call {
	WEIR_CIRCUIT_OK		= 0,
	WEIR_CIRCUIT_FAILED	= 1,
	WEIR_CIRCUIT_WITHDRAWN	= 2,	/* the call was not made: the probe's slot is free again */
};

/* The outcome of a report. */
enum weir_circuit_heard {
	WEIR_CIRCUIT_COUNTED	= 0,
	WEIR_CIRCUIT_LATE	= 1,	/* of an earlier generation: nothing changed */
	WEIR_CIRCUIT_UNKNOWN	= 2,	/* the ticket was never given out: nothing changed */
};

/**
 * struct weir_circuit_config - a breaker's configuration, prepared
 *
 * A duration is at most ten years, or WEIR_NEVER where noted.
 *
 * @failures: number of failures that opens, 1..65535; 0: @percent decides
 * @percent: percentage of failed calls that opens, 1..100
 * @minimum: calls below which @percent does not apply, 1..2^20
 * @probes: calls admitted while half-open, 1..2^31
 * @successes: successful probes that close, 1..@probes
 * @steps: number of steps in @open, 1..WEIR_CIRCUIT_STEPS
 * @open: ns of each open period in turn, 1 or more; the last step repeats
 * @forget_after: ns after closing at which the ladder is reset; 0: at once
 * @probe_within: ns after the last admission at which unreported probes have failed, 1 or
 *	more; WEIR_NEVER: no limit
 * @lapse: ns after which a half-open circuit without outstanding probes and without requests
 *	closes by itself, 1 or more, or WEIR_NEVER
 * @slow: ns; a call that takes longer has failed; 0: no limit
 * @bucket: within/7, rounded up
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
 * struct weir_circuit - a key's state; all zero for a key that was never seen
 * @word: state and beginning of the generation; bit 0 is clear
 * @at: closed: start of the first bucket, or of the current window; undefined while all
 *	counts are 0. Open: the end, or WEIR_NEVER. Half-open: the last admission; without
 *	outstanding probes, the time since when there are none.
 * @failed_in: closed, by number: failures in each bucket, the current one first
 * @calls: closed, by percentage: calls reported in the current window
 * @calls_before: calls reported in the previous window
 * @failed: failures among @calls
 * @failed_before: failures among @calls_before
 * @admitted: half-open: probes admitted
 * @succeeded: half-open: probes that succeeded
 * @detached: outstanding probes without a holder. Maintained by the caller; these functions
 *	only reset it to 0 when the probes no longer count.
 * @counts: all of these counts, to copy and to clear them
 * @step: next step of the ladder
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
 * struct weir_circuit_moves - the state changes that an operation made, in order
 * @n: their number
 * @to: enum weir_circuit_state after each
 *
 * Time alone causes at most three (open again, half-open, lapsed), the operation one more.
 */
struct weir_circuit_moves {
	u32 n;
	u8 to[4];
};

/**
 * struct weir_circuit_answer - the answer to a caller that asks
 * @admitted: the call is admitted and must be reported
 * @probe: the call is a probe
 * @ticket: ticket of the call; 0 if not @admitted
 * @retry_after: if not admitted: ns until the answer can change if nothing else happens;
 *	WEIR_NEVER: only a report or a reset can change it
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
 * @step: next step of the ladder
 * @since: beginning of the generation
 * @left: ns until time alone changes the state, or WEIR_NEVER
 * @failures: closed: failures that count
 * @calls: closed, by percentage: calls that count
 * @admitted: half-open: probes admitted
 * @succeeded: half-open: probes that succeeded
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

/* All members of @c except @bucket and @fade must be set. @within: ns, 1 ns..100 days. */
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
 * Whether the circuit is closed and not locked; false for the word of a dead entry. If so, a call
 * is admitted with weir_circuit_ticket() and nothing is written, provided that the word is still
 * the same after the clock was read. Otherwise the ticket could belong to another generation than
 * its time. (A word never recurs: each generation begins later than the last.)
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

/* Whether a call was admitted too long ago for its report to count. */
static inline bool weir_circuit_is_old(u64 now, u64 ticket)
{
	return now > ticket && now - ticket > WEIR_CIRCUIT_KEEP;
}

/* Whether the ticket can have been given out by @now. */
static inline bool weir_circuit_is_ticket(u64 word, u64 now, u64 ticket)
{
	u64 latest = max(now, weir_circuit_since(word)) + WEIR_CIRCUIT_AHEAD;

	return ticket && ticket <= latest;
}

/*
 * Whether a valid report changes nothing, because the circuit is closed and does not count this
 * outcome. The clock must be read as for weir_circuit_is_closed().
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

/* ------------------------------------------------------------ state changes */

/* Begin a generation at @now, or as soon after the beginning of the last one as possible. */
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

/* Length of the next step. The position on the ladder advances when the step is used. */
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

/* The time at which time alone makes the next state change, or WEIR_NEVER. */
static inline u64 weir_circuit_due(const struct weir_circuit_config *c,
				   const struct weir_circuit *s)
{
	u64 wait;

	switch (weir_circuit_is(s->word)) {
	case WEIR_CIRCUIT_OPEN:
		return s->at;
	case WEIR_CIRCUIT_HALF_OPEN:
		wait = s->admitted > s->succeeded ? c->probe_within : c->lapse;
		return wait == WEIR_NEVER ? WEIR_NEVER : s->at + wait;
	default:
		return WEIR_NEVER;
	}
}

/* Make the state changes that were due by @now. Every operation begins with this. */
static inline void weir_circuit_settle(const struct weir_circuit_config *c,
				       struct weir_circuit *s, u64 now,
				       struct weir_circuit_moves *moves)
{
	u64 due, since;

	while ((due = weir_circuit_due(c, s)) != WEIR_NEVER && due <= now) {
		if (weir_circuit_is(s->word) == WEIR_CIRCUIT_OPEN) {
			weir_circuit_move(s, WEIR_CIRCUIT_HALF_OPEN, due);
			weir_circuit_note(s, moves);
		} else if (s->admitted > s->succeeded) {
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
