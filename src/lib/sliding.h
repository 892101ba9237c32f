/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sliding window, weighted: tokens spent in the current window count in full, tokens spent in
 * the previous one are weighted by the part of it that is less than a period old. (The "sliding
 * window counter" of web proxies.)
 *
 *	used = cur + prev * (period - elapsed) / period, rounded up
 *
 * Guarantees: no window has more than limit. Any one period has at most limit if the previous
 * window was spent evenly; otherwise it has less than twice the limit, never more than limit at
 * once. Unlike in a fixed window, tokens spent at the end of one window still count in the
 * next.
 *
 * A key's state is the number of its window and the two counts:
 *
 *	63                     2b+1      b+1       1  0
 *	[ window: 63 - 2b bits ][ prev: b ][ cur: b ][ entry lock ]
 *
 * The period at creation determines b, so that window numbers last at least 18 years: 13 for 10
 * ms, 16 for a second, 19 for a minute, 22 for an hour, 24 for a day. A limit has at most b
 * bits.
 *
 * Time is weighted in units of 2^shift ns, fewer than 2^31 a period, to keep the products in 64
 * bits. The rounding is on the strict side, by less than one part in 2^30.
 */
#ifndef _WEIR_SLIDING_H
#define _WEIR_SLIDING_H

#include "lib/window.h"

#define WEIR_SLIDING_SPAN_BITS	60	/* window numbers last for 2^60 ns; half of that is used */
#define WEIR_SLIDING_LIMIT_MAX	((1ULL << 27) - 1)

/**
 * struct weir_sliding - a window length, prepared
 * @window: start and number of windows
 * @units: units in a period, rounded up
 * @shift: ns in a unit, as a power of two
 * @bits: bits of a count
 */
struct weir_sliding {
	struct weir_window window;
	struct weir_recip units;
	u32 shift;
	u32 bits;
};

/**
 * struct weir_slide - a key's state at a moment
 * @number: number of the window
 * @cur: tokens spent in it
 * @prev: tokens spent in the previous one
 * @left: units until @prev no longer counts
 * @to_end: ns to the end of the window
 */
struct weir_slide {
	u64 number;
	u64 cur;
	u64 prev;
	u64 left;
	u64 to_end;
};

static inline u32 weir_sliding_bits(u64 period)
{
	u32 log = 0;

	while (period >> (log + 1))
		log++;
	return (63 - (WEIR_SLIDING_SPAN_BITS - log)) / 2;
}

/*
 * @old: the previous configuration of the limiter, or NULL. Return: 0; or -ERANGE: the limit
 * exceeds a count, or the period is so much shorter than the first one that window numbers would
 * run out.
 */
static inline int weir_sliding_prepare(struct weir_sliding *s, u64 limit,
				       u64 period, const struct weir_sliding *old,
				       u64 now)
{
	int err = weir_window_prepare(&s->window, period,
				      old ? &old->window : NULL, now);

	if (err)
		return err;
	s->bits = old ? old->bits : weir_sliding_bits(period);
	if (limit >> s->bits || s->bits > weir_sliding_bits(period) ||
	    s->window.base >> (62 - 2 * s->bits))
		return -ERANGE;
	s->shift = 0;
	while ((period + (1ULL << s->shift) - 1) >> s->shift >= 1ULL << 31)
		s->shift++;
	s->units = weir_recip_make((period + (1ULL << s->shift) - 1) >> s->shift);
	return 0;
}

static inline u64 weir_sliding_pack(const struct weir_sliding *s, u64 number,
				    u64 cur, u64 prev)
{
	return number << (2 * s->bits + 1) | prev << (s->bits + 1) | cur << 1;
}

/*
 * A state ahead of @now (another CPU has read a later clock) is taken at the beginning of its
 * window.
 */
static inline struct weir_slide weir_sliding_at(const struct weir_sliding *s,
						u64 word, u64 now)
{
	u64 mask = (1ULL << s->bits) - 1, period = s->window.period.d;
	u64 stored = word >> (2 * s->bits + 1), elapsed = 0;
	struct weir_slide at = { .cur = (word >> 1) & mask,
				 .prev = (word >> (s->bits + 1)) & mask };

	at.number = weir_window_at(&s->window, now, &at.to_end);
	if (stored > at.number) {
		at.to_end += (stored - at.number) * period;
		at.number = stored;
	} else {
		if (at.to_end < period)
			elapsed = period - at.to_end;
		if (stored < at.number) {
			at.prev = stored + 1 == at.number &&
				  stored >= s->window.base ? at.cur : 0;
			at.cur = 0;
		}
	}
	at.left = s->units.d - (elapsed >> s->shift);
	return at;
}

static inline u64 weir_sliding_used(const struct weir_sliding *s,
				    const struct weir_slide *at)
{
	u64 rem;

	return at->cur + weir_recip_div(at->prev * at->left + s->units.d - 1,
					&s->units, &rem);
}

/*
 * Time in ns after the start of a window at which @count tokens of the previous window have at most
 * the weight @room.
 */
static inline u64 weir_sliding_fades(const struct weir_sliding *s, u64 count,
				     u64 room)
{
	u64 left = count > room ? div64_u64(room * s->units.d, count) : s->units.d;
	u64 after = (s->units.d - left) << s->shift;

	return min(after, s->window.period.d);
}

/*
 * Time in ns until @cost fits, which does not fit now. It has the only division here, by a count,
 * when a request is refused.
 */
static inline u64 weir_sliding_wait(const struct weir_sliding *s, u64 limit,
				    const struct weir_slide *at, u64 cost)
{
	u64 room;

	if (cost > limit)
		return WEIR_NEVER;
	room = limit - cost;
	if (at->cur > room)
		return at->to_end + weir_sliding_fades(s, at->cur, room);
	return at->to_end + weir_sliding_fades(s, at->prev, room - at->cur) -
	       s->window.period.d;
}

static inline void weir_sliding_decide(const struct weir_sliding *s, u64 limit,
				       u64 word, u64 now, u64 cost,
				       struct weir_decision *d)
{
	struct weir_slide at = weir_sliding_at(s, word, now);
	u64 used = weir_sliding_used(s, &at);
	u64 room = limit > used ? limit - used : 0;

	d->allowed = cost <= room;
	d->word = word;
	d->retry_after = 0;
	if (d->allowed) {
		at.cur += cost;
		room -= cost;
		d->word = weir_sliding_pack(s, at.number, at.cur, at.prev);
	} else {
		d->retry_after = weir_sliding_wait(s, limit, &at, cost);
	}
	d->remaining = room;
	d->reset_after = at.cur ? at.to_end + s->window.period.d :
			 at.prev ? at.to_end : 0;
}

/* Refund tokens of this window first, then tokens of the previous one. */
static inline u64 weir_sliding_refund(const struct weir_sliding *s, u64 word,
				      u64 now, u64 n)
{
	struct weir_slide at = weir_sliding_at(s, word, now);
	u64 cur = min(at.cur, n);

	return weir_sliding_pack(s, at.number, at.cur - cur,
				 at.prev - min(at.prev, n - cur));
}

/*
 * A word that admits only what both words admit, now and later. The word with more tokens spent in
 * this window determines the next window. If the other word is nevertheless stricter now, it has
 * more tokens in the previous window; the result gets as many tokens there as give the same sum,
 * rounded up, which may cost one token. If one word is ahead of @now, both are taken at the
 * beginning of its window.
 */
static inline u64 weir_sliding_stricter(const struct weir_sliding *s, u64 a, u64 b,
					u64 now)
{
	struct weir_slide less = weir_sliding_at(s, a, now);
	struct weir_slide more = weir_sliding_at(s, b, now);
	u64 number = max(less.number, more.number);
	u64 left = max(less.left, more.left), made_up;
	struct weir_slide was = less;

	if (less.cur > more.cur) {
		less = more;
		more = was;
	}
	made_up = div64_u64((more.cur - less.cur) * s->units.d, left);
	return weir_sliding_pack(s, number, more.cur,
				 max(more.prev, less.prev - min(less.prev, made_up)));
}

static inline u64 weir_sliding_idle_at(const struct weir_sliding *s, u64 word,
				       u64 now)
{
	struct weir_slide at = weir_sliding_at(s, word, now);

	if (at.cur)
		return now + at.to_end + s->window.period.d;
	return at.prev ? now + at.to_end : now;
}

#endif /* _WEIR_SLIDING_H */
