/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Token bucket as GCRA, the generic cell rate algorithm (ITU-T I.371, virtual scheduling form).
 * The whole state of a key is one time: the moment at which its bucket will be full again. With
 * I the interval of one token and tau = burst * I, a request of n tokens fits when
 *
 *	max(word, now) + n * I - now <= tau
 *
 * and then the left sum, max(word, now) + n * I, becomes the new word.
 *
 * Times are in units of 1/24 ns (24 = 2 * 12). Twelfths make every rate exact that divides
 * twelve times its period (5/s, 100/m, 3/s, 1500/s, 30/60s); any other interval is rounded up
 * by at most 1/12 ns, so a rate is never exceeded. The factor two keeps bit 0 of every word
 * clear: it is the entry's lock (entry.h). The distance of a word from now is a signed 64-bit
 * difference, valid for 12 years either way; configurations are limited to two.
 */
#ifndef _WEIR_GCRA_H
#define _WEIR_GCRA_H

#include "lib/recip.h"

#define WEIR_GCRA_SCALE		24ULL
#define WEIR_GCRA_TAU_MAX	(2 * WEIR_NSEC_PER_YEAR * WEIR_GCRA_SCALE)

/**
 * struct weir_gcra - a rate, prepared
 * @interval: interval of one token, 1/24 ns, even
 * @tau: burst * interval
 */
struct weir_gcra {
	struct weir_recip interval;
	u64 tau;
};

/**
 * struct weir_decision - an algorithm's answer to one request
 * @word: the key's state after the request; unchanged if not @allowed
 * @remaining: tokens that are left after the request
 * @retry_after: ns until the same request fits; 0 if @allowed, or WEIR_NEVER
 * @reset_after: ns until all tokens are back
 * @allowed: the request fits
 */
struct weir_decision {
	u64 word;
	u64 remaining;
	u64 retry_after;
	u64 reset_after;
	bool allowed;
};

/* Return: -ERANGE if the numbers are in range one by one, but not together. */
static inline int weir_gcra_prepare(struct weir_gcra *g, u64 tokens, u64 period,
				    u64 burst)
{
	u64 twelfths = period * (WEIR_GCRA_SCALE / 2);
	u64 interval = 2 * div64_u64(twelfths + tokens - 1, tokens);

	if (tokens > period)	/* more than one token per nanosecond */
		return -ERANGE;
	if (check_mul_overflow(burst, interval, &g->tau) ||
	    g->tau > WEIR_GCRA_TAU_MAX)
		return -ERANGE;
	g->interval = weir_recip_make(interval);
	return 0;
}

static inline u64 weir_gcra_ns(u64 scaled)
{
	return (scaled + WEIR_GCRA_SCALE - 1) / WEIR_GCRA_SCALE;
}

/* Time until full: how far the word is ahead of @now, both scaled. */
static inline u64 weir_gcra_debt(u64 word, u64 now)
{
	s64 ahead = (s64)(word - now);

	return ahead > 0 ? (u64)ahead : 0;
}

static inline u64 weir_gcra_fresh(u64 now)
{
	return now * WEIR_GCRA_SCALE;
}

/* Decide a request at @now, in ns since the limiter's epoch. No division: see weir_recip_div(). */
static inline void weir_gcra_decide(const struct weir_gcra *g, u64 limit,
				    u64 word, u64 now, u64 cost,
				    struct weir_decision *d)
{
	u64 scaled = now * WEIR_GCRA_SCALE, rem;
	u64 debt = weir_gcra_debt(word, scaled);
	u64 room = g->tau > debt ? g->tau - debt : 0;
	u64 need;

	d->allowed = false;
	d->word = word;
	if (cost > limit) {
		d->retry_after = WEIR_NEVER;
	} else {
		need = cost * g->interval.d;	/* at most tau: no overflow */
		if (need <= room) {
			d->allowed = true;
			d->retry_after = 0;
			debt += need;
			room -= need;
			d->word = scaled + debt;
		} else {
			d->retry_after = weir_gcra_ns(debt + need - g->tau);
		}
	}
	d->remaining = weir_recip_div(room, &g->interval, &rem);
	d->reset_after = weir_gcra_ns(debt);
}

/* Time in ns until @cost tokens have come back. @cost may exceed the burst. */
static inline u64 weir_gcra_wait(const struct weir_gcra *g, u64 word, u64 now,
				 u64 cost)
{
	u64 debt = weir_gcra_debt(word, now * WEIR_GCRA_SCALE), need;

	if (check_mul_overflow(cost, g->interval.d, &need) ||
	    check_add_overflow(debt, need, &need) ||
	    need > U64_MAX - WEIR_GCRA_SCALE)
		return WEIR_NEVER;
	return need > g->tau ? weir_gcra_ns(need - g->tau) : 0;
}

/* The word that is full later. */
static inline u64 weir_gcra_stricter(u64 a, u64 b, u64 now)
{
	u64 scaled = now * WEIR_GCRA_SCALE;

	return weir_gcra_debt(a, scaled) < weir_gcra_debt(b, scaled) ? b : a;
}

/* The word of a bucket that is full in @reset_after ns, or @word if that is full later. */
static inline u64 weir_gcra_restore(u64 word, u64 now, u64 reset_after)
{
	u64 scaled = now * WEIR_GCRA_SCALE;
	u64 debt = min(reset_after, WEIR_GCRA_TAU_MAX / WEIR_GCRA_SCALE) *
		   WEIR_GCRA_SCALE;

	return debt > weir_gcra_debt(word, scaled) ? scaled + debt : word;
}

/* Give @n tokens back, never above full. */
static inline u64 weir_gcra_refund(const struct weir_gcra *g, u64 word, u64 now,
				   u64 n)
{
	u64 scaled = now * WEIR_GCRA_SCALE;
	u64 debt = weir_gcra_debt(word, scaled);
	u64 back;

	if (check_mul_overflow(n, g->interval.d, &back))
		back = debt;
	return debt ? word - min(back, debt) : word;
}

/* The time, in ns since the epoch, from which on the word equals a fresh one. */
static inline u64 weir_gcra_idle_at(u64 word, u64 now)
{
	return now + weir_gcra_ns(weir_gcra_debt(word, now * WEIR_GCRA_SCALE));
}

#endif /* _WEIR_GCRA_H */
