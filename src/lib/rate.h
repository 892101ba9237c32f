/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The common interface of the rate algorithms. A key's rate state is one 64-bit word whose bit
 * 0 is clear, and only these functions interpret it. A new algorithm is a new case here and a
 * new header beside gcra.h and window.h.
 *
 * All times are ns since the limiter's epoch.
 */
#ifndef _WEIR_RATE_H
#define _WEIR_RATE_H

#include "lib/window.h"

/**
 * struct weir_rate - a limiter's algorithm and numbers, prepared
 * @algorithm: enum weir_algorithm
 * @limit: tokens of a fresh key
 * @gcra: prepared for WEIR_ALGORITHM_BUCKET
 * @window: prepared for WEIR_ALGORITHM_WINDOW and WEIR_ALGORITHM_SLIDING
 */
struct weir_rate {
	u32 algorithm;
	u64 limit;
	union {
		struct weir_gcra gcra;
		struct weir_window window;
	};
};

/*
 * @old: the configuration that is replaced, of the same algorithm, or NULL. Return: 0 or -ERANGE.
 */
static inline int weir_rate_prepare(struct weir_rate *r, u32 algorithm,
				    u64 tokens, u64 period, u64 burst,
				    const struct weir_rate *old, u64 now)
{
	r->algorithm = algorithm;
	r->limit = algorithm == WEIR_ALGORITHM_BUCKET ? burst : tokens;
	if (algorithm == WEIR_ALGORITHM_BUCKET)
		return weir_gcra_prepare(&r->gcra, tokens, period, burst);
	return weir_window_prepare(&r->window, algorithm == WEIR_ALGORITHM_SLIDING, tokens,
				   period, old ? &old->window : NULL, now);
}

/* The word of a key without an entry. */
static inline u64 weir_rate_fresh(const struct weir_rate *r, u64 now)
{
	return r->algorithm == WEIR_ALGORITHM_BUCKET ? weir_gcra_fresh(now) : 0;
}

static inline void weir_rate_decide_windows(const struct weir_rate *r, u64 word,
					    u64 now, u64 cost, struct weir_decision *d)
{
	if (r->algorithm == WEIR_ALGORITHM_WINDOW)
		weir_window_decide(&r->window, r->limit, word, now, cost, d);
	else
		weir_sliding_decide(&r->window, r->limit, word, now, cost, d);
}

/* Inline for the bucket, which needs few registers. */
static __always_inline void weir_rate_decide(const struct weir_rate *r, u64 word,
					     u64 now, u64 cost, struct weir_decision *d)
{
	if (r->algorithm == WEIR_ALGORITHM_BUCKET)
		weir_gcra_decide(&r->gcra, r->limit, word, now, cost, d);
	else
		weir_rate_decide_windows(r, word, now, cost, d);
}

/* Like weir_rate_decide(), but without the charge: @remaining is the present number of tokens. */
static inline void weir_rate_peek(const struct weir_rate *r, u64 word, u64 now,
				  u64 cost, struct weir_decision *d)
{
	struct weir_decision uncharged;

	weir_rate_decide(r, word, now, cost, d);
	if (!d->allowed)
		return;
	weir_rate_decide(r, word, now, 0, &uncharged);
	d->word = word;
	d->remaining = uncharged.remaining;
	d->reset_after = uncharged.reset_after;
}

/*
 * ns until @cost tokens fit, even if @cost exceeds the limit. For a window, which never admits
 * more than the limit, it is the time until the limit fits.
 */
static inline u64 weir_rate_wait(const struct weir_rate *r, u64 word, u64 now,
				 u64 cost)
{
	struct weir_decision d;

	if (r->algorithm == WEIR_ALGORITHM_BUCKET)
		return weir_gcra_wait(&r->gcra, word, now, cost);
	weir_rate_decide(r, word, now, min(cost, r->limit), &d);
	return d.retry_after;
}

/*
 * The stricter of two words: it refuses every request that one of them refuses, now and later. It
 * has as few tokens now as the word with fewer tokens; in sliding windows at most one less.
 */
static inline u64 weir_rate_stricter(const struct weir_rate *r, u64 a, u64 b, u64 now)
{
	if (r->algorithm == WEIR_ALGORITHM_BUCKET)
		return weir_gcra_stricter(a, b, now);
	return weir_window_stricter(&r->window, a, b, now);
}

/*
 * The word of a key that has @remaining tokens, and all tokens in @reset_after ns. A bucket is
 * restored to the ns. In a window, spent tokens count as spent in the present window, which never
 * admits more.
 */
static inline u64 weir_rate_restore(const struct weir_rate *r, u64 now,
				    u64 remaining, u64 reset_after)
{
	u64 fresh = weir_rate_fresh(r, now);
	struct weir_decision d;

	if (!reset_after)
		return fresh;
	if (r->algorithm == WEIR_ALGORITHM_BUCKET)
		return weir_gcra_restore(fresh, now, reset_after);
	weir_rate_decide(r, fresh, now, r->limit - min(remaining, r->limit), &d);
	return d.word;
}

static inline u64 weir_rate_refund(const struct weir_rate *r, u64 word, u64 now,
				   u64 n)
{
	if (r->algorithm == WEIR_ALGORITHM_BUCKET)
		return weir_gcra_refund(&r->gcra, word, now, n);
	return weir_window_refund(&r->window, word, now, n);
}

/* The time at which the word equals a fresh one: @now if it does already. */
static inline u64 weir_rate_idle_at(const struct weir_rate *r, u64 word, u64 now)
{
	switch (r->algorithm) {
	case WEIR_ALGORITHM_WINDOW:
		return weir_window_idle_at(&r->window, word, now);
	case WEIR_ALGORITHM_SLIDING:
		return weir_sliding_idle_at(&r->window, word, now);
	default:
		return weir_gcra_idle_at(word, now);
	}
}

#endif /* _WEIR_RATE_H */
