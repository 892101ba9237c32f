/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fixed and sliding windows: tokens spent in the current window count in full. In a fixed window
 * no others count. In a sliding window, tokens spent in the previous window are weighted by the
 * part of it that is less than a period old. (The "sliding window counter" of web proxies.)
 *
 *	used = cur + prev * (period - elapsed) / period, rounded up
 *
 * Guarantees: no window has more than limit. With sliding windows, any one period has at most limit
 * if the previous window was spent evenly; otherwise it has less than twice the limit, never more
 * than limit at once. Unlike in a fixed window, tokens spent at the end of one window still count
 * in the next.
 *
 * A key's state is the number of the window in which it last spent, and the two counts:
 *
 *	63                    p+b+1      b+1       1  0
 *	[ window: 63 - p - b  ][ prev: p ][ cur: b ][ entry lock ]
 *
 * A fixed window has p = 0 and b = 27. 36 bits of windows of at least 10 ms last 21 years without
 * wrapping. For sliding windows p = b, and the period at creation determines b, so that window
 * numbers last at least 18 years: 13 for 10 ms, 16 for a second, 19 for a minute, 22 for an hour,
 * 24 for a day. A limit has at most b bits.
 *
 * A state that is ahead of now (another CPU read a later clock) is kept, and taken at the beginning
 * of its window, which is on the strict side.
 *
 * A live change of the period starts a new window. Its number is higher than any number that
 * tasks with the old period can reach within a minute, and no task uses the old period for that
 * long. A state written with the old period is therefore never taken for a state of the present
 * or the future.
 *
 * Time is weighted in units of 2^shift ns, fewer than 2^31 a period, to keep the products in 64
 * bits. The rounding is on the strict side, by less than one part in 2^30.
 */
#ifndef _WEIR_WINDOW_H
#define _WEIR_WINDOW_H

#include "lib/gcra.h"

#define WEIR_WINDOW_BITS	27	/* of a count of a fixed window */
#define WEIR_WINDOW_LIMIT_MAX	((1ULL << WEIR_WINDOW_BITS) - 1)
#define WEIR_WINDOW_PERIOD_MIN	(10ULL * NSEC_PER_MSEC)
#define WEIR_WINDOW_GAP		(60ULL * NSEC_PER_SEC)
#define WEIR_WINDOW_SPAN_BITS	60	/* window numbers last for 2^60 ns; half of that is used */

/**
 * struct weir_window - a window length, prepared
 * @period: ns
 * @epoch: ns since the limiter's epoch at which window @base begins
 * @base: number of that window
 * @units: units in a period, rounded up
 * @shift: ns in a unit, as a power of two
 * @bits: bits of a count
 * @prev_bits: bits of the count of the previous window; 0 if windows are fixed
 */
struct weir_window {
	struct weir_recip period;
	u64 epoch;
	u64 base;
	struct weir_recip units;
	u8 shift;
	u8 bits;
	u8 prev_bits;
};

/**
 * struct weir_window_state - a key's state at a moment
 * @number: number of the window
 * @cur: tokens spent in it
 * @prev: tokens spent in the previous one that still count
 * @to_end: ns to the end of the window
 */
struct weir_window_state {
	u64 number;
	u64 cur;
	u64 prev;
	u64 to_end;
};

/* Bits of a count of a sliding window. */
static inline u32 weir_window_bits(u64 period)
{
	u32 log = 0;

	while (period >> (log + 1))
		log++;
	return (63 - (WEIR_WINDOW_SPAN_BITS - log)) / 2;
}

/* The window that contains @now, and the ns to its end. */
static inline u64 weir_window_number(const struct weir_window *w, u64 now, u64 *to_end)
{
	u64 number, elapsed;

	if (now < w->epoch) {	/* a clock read before the period was changed */
		*to_end = w->epoch - now + w->period.d;
		return w->base;
	}
	number = w->base + weir_recip_div(now - w->epoch, &w->period, &elapsed);
	*to_end = w->period.d - elapsed;
	return number;
}

/*
 * @old: the previous configuration of the limiter, or NULL. Return: 0; or -ERANGE: the limit
 * exceeds a count, or the period is so much shorter than the first one that window numbers would
 * run out.
 */
static inline int weir_window_prepare(struct weir_window *w, bool slides, u64 limit,
				      u64 period, const struct weir_window *old, u64 now)
{
	u32 most = slides ? weir_window_bits(period) : WEIR_WINDOW_BITS;
	u64 to_end;

	*w = (struct weir_window){
		.period = weir_recip_make(period),
		.bits = old ? old->bits : most,
	};
	w->prev_bits = slides ? w->bits : 0;
	if (old && old->period.d == period) {
		w->epoch = old->epoch;
		w->base = old->base;
	} else if (old) {
		w->epoch = now;
		w->base = weir_window_number(old, now, &to_end) + 1 +
			  div64_u64(WEIR_WINDOW_GAP, old->period.d);
	}
	if (limit >> w->bits || w->bits > most ||
	    w->base >> (62 - w->bits - w->prev_bits))
		return -ERANGE;
	while ((period + (1ULL << w->shift) - 1) >> w->shift >= 1ULL << 31)
		w->shift++;
	w->units = weir_recip_make((period + (1ULL << w->shift) - 1) >> w->shift);
	return 0;
}

static inline u64 weir_window_pack(const struct weir_window *w, u64 number,
				   u64 cur, u64 prev)
{
	return number << (w->prev_bits + w->bits + 1) | prev << (w->bits + 1) | cur << 1;
}

static __always_inline struct weir_window_state
weir_window_at(const struct weir_window *w, u64 word, u64 now)
{
	u64 stored = word >> (w->prev_bits + w->bits + 1);
	struct weir_window_state at = {
		.cur = (word >> 1) & ((1ULL << w->bits) - 1),
		.prev = (word >> (w->bits + 1)) & ((1ULL << w->prev_bits) - 1),
	};

	at.number = weir_window_number(w, now, &at.to_end);
	if (stored > at.number) {
		at.to_end += (stored - at.number) * w->period.d;
		at.number = stored;
	} else if (stored < at.number) {
		at.prev = w->prev_bits && stored + 1 == at.number && stored >= w->base ?
			  at.cur : 0;
		at.cur = 0;
	}
	return at;
}

/* Units until the tokens of the previous window no longer count, 1 or more. */
static inline u64 weir_window_left(const struct weir_window *w,
				   const struct weir_window_state *at)
{
	return w->units.d - ((w->period.d - min(at->to_end, w->period.d)) >> w->shift);
}

static inline u64 weir_sliding_used(const struct weir_window *w,
				    const struct weir_window_state *at)
{
	u64 rem;

	if (!at->prev)
		return at->cur;
	return at->cur + weir_recip_div(at->prev * weir_window_left(w, at) + w->units.d - 1,
					&w->units, &rem);
}

/*
 * Time in ns after the end of a window at which @count tokens of that window have at most the
 * weight @room.
 */
static inline u64 weir_sliding_fades(const struct weir_window *w, u64 count, u64 room)
{
	u64 left = count > room ? div64_u64(room * w->units.d, count) : w->units.d;
	u64 after = (w->units.d - left) << w->shift;

	return min(after, w->period.d);
}

/*
 * Time in ns until @cost fits, which does not fit now. It has the only division here, by a count,
 * when a request is refused.
 */
static inline u64 weir_sliding_wait(const struct weir_window *w, u64 limit,
				    const struct weir_window_state *at, u64 cost)
{
	u64 room;

	if (cost > limit)
		return WEIR_NEVER;
	room = limit - cost;
	if (at->cur > room)
		return at->to_end + weir_sliding_fades(w, at->cur, room);
	return at->to_end + weir_sliding_fades(w, at->prev, room - at->cur) - w->period.d;
}

static inline void weir_sliding_decide(const struct weir_window *w, u64 limit,
				       u64 word, u64 now, u64 cost,
				       struct weir_decision *d)
{
	struct weir_window_state at = weir_window_at(w, word, now);
	u64 used = weir_sliding_used(w, &at);
	u64 room = limit > used ? limit - used : 0;

	d->allowed = cost <= room;
	d->word = word;
	d->retry_after = 0;
	if (d->allowed) {
		at.cur += cost;
		room -= cost;
		d->word = weir_window_pack(w, at.number, at.cur, at.prev);
	} else {
		d->retry_after = weir_sliding_wait(w, limit, &at, cost);
	}
	d->remaining = room;
	d->reset_after = at.cur ? at.to_end + w->period.d : at.prev ? at.to_end : 0;
}

static inline u64 weir_sliding_idle_at(const struct weir_window *w, u64 word, u64 now)
{
	struct weir_window_state at = weir_window_at(w, word, now);

	if (at.cur)
		return now + at.to_end + w->period.d;
	return at.prev ? now + at.to_end : now;
}

/*
 * Fixed windows have their own forms of the two functions that every operation calls: they need
 * half as many instructions.
 */
static inline void weir_window_decide(const struct weir_window *w, u64 limit,
				      u64 word, u64 now, u64 cost,
				      struct weir_decision *d)
{
	u64 to_end, number = weir_window_number(w, now, &to_end);
	u64 stored = word >> (WEIR_WINDOW_BITS + 1), count = 0, room;

	if (stored >= number) {
		count = (word >> 1) & WEIR_WINDOW_LIMIT_MAX;
		to_end += (stored - number) * w->period.d;
		number = stored;
	}
	room = limit > count ? limit - count : 0;
	d->allowed = cost <= room;
	d->word = word;
	d->retry_after = 0;
	if (d->allowed) {
		count += cost;
		room -= cost;
		d->word = number << (WEIR_WINDOW_BITS + 1) | count << 1;
	} else {
		d->retry_after = cost > limit ? WEIR_NEVER : to_end;
	}
	d->remaining = room;
	d->reset_after = count ? to_end : 0;
}

static inline u64 weir_window_idle_at(const struct weir_window *w, u64 word, u64 now)
{
	u64 number = word >> (WEIR_WINDOW_BITS + 1);

	if (!(word & WEIR_WINDOW_LIMIT_MAX << 1) || number < w->base)
		return now;
	return max(now, w->epoch + (number + 1 - w->base) * w->period.d);
}

/* Refund tokens of this window first, then tokens of the previous one. */
static inline u64 weir_window_refund(const struct weir_window *w, u64 word,
				     u64 now, u64 n)
{
	struct weir_window_state at = weir_window_at(w, word, now);
	u64 cur = min(at.cur, n);

	if (!at.cur && !at.prev)
		return word;
	return weir_window_pack(w, at.number, at.cur - cur,
				at.prev - min(at.prev, n - cur));
}

/*
 * A word that admits only what both words admit, now and later. The word with more tokens spent in
 * this window determines the next window. If the other word is nevertheless stricter now, it has
 * more tokens in the previous window; the result gets as many tokens there as give the same sum,
 * rounded up, which may cost one token. If one word is ahead of @now, both are taken at the
 * beginning of its window.
 */
static inline u64 weir_window_stricter(const struct weir_window *w, u64 a, u64 b,
				       u64 now)
{
	struct weir_window_state less = weir_window_at(w, a, now);
	struct weir_window_state more = weir_window_at(w, b, now);
	u64 number = max(less.number, more.number);
	u64 left = max(weir_window_left(w, &less), weir_window_left(w, &more)), made_up;
	struct weir_window_state was = less;

	if (less.cur > more.cur) {
		less = more;
		more = was;
	}
	made_up = div64_u64((more.cur - less.cur) * w->units.d, left);
	return weir_window_pack(w, number, more.cur,
				max(more.prev, less.prev - min(less.prev, made_up)));
}

#endif /* _WEIR_WINDOW_H */
