/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fixed window: at most limit tokens in each window of one period. A key's state is the number
 * of the window in which it last spent, and the tokens spent there:
 *
 *	63           28 27         1  0
 *	[ window: 36 ] [ count: 27 ] [ entry lock ]
 *
 * 36 bits of windows of at least 10 ms last 21 years without wrapping; a limit has at most 27
 * bits. A state that is ahead of now (another CPU read a later clock) is kept, which is on the
 * strict side.
 *
 * A live change of the period starts a new window. Its number is higher than any number that
 * tasks with the old period can reach within a minute, and no task uses the old period for that
 * long. A state written with the old period is therefore never taken for a state of the present
 * or the future.
 */
#ifndef _WEIR_WINDOW_H
#define _WEIR_WINDOW_H

#include "lib/gcra.h"

#define WEIR_WINDOW_COUNT_BITS	27
#define WEIR_WINDOW_LIMIT_MAX	((1ULL << WEIR_WINDOW_COUNT_BITS) - 1)
#define WEIR_WINDOW_NUMBER_MAX	((1ULL << 36) - 1)
#define WEIR_WINDOW_PERIOD_MIN	(10ULL * NSEC_PER_MSEC)
#define WEIR_WINDOW_GAP		(60ULL * NSEC_PER_SEC)

/**
 * struct weir_window - a window length, prepared
 * @period: ns
 * @epoch: ns since the limiter's epoch at which window @base begins
 * @base: number of that window
 */
struct weir_window {
	struct weir_recip period;
	u64 epoch;
	u64 base;
};

static inline u64 weir_window_pack(u64 number, u64 count)
{
	return number << (WEIR_WINDOW_COUNT_BITS + 1) | count << 1;
}

static inline u64 weir_window_number(u64 word)
{
	return word >> (WEIR_WINDOW_COUNT_BITS + 1);
}

static inline u64 weir_window_count(u64 word)
{
	return (word >> 1) & WEIR_WINDOW_LIMIT_MAX;
}

/* The window that contains @now, and the ns to its end. */
static inline u64 weir_window_at(const struct weir_window *w, u64 now,
				 u64 *to_end)
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
 * @old: the previous configuration of the limiter, or NULL. Return: 0; or -ERANGE: window numbers
 * would run out.
 */
static inline int weir_window_prepare(struct weir_window *w, u64 period,
				      const struct weir_window *old, u64 now)
{
	u64 to_end;

	if (old && old->period.d == period) {
		*w = *old;
		return 0;
	}
	w->period = weir_recip_make(period);
	w->epoch = old ? now : 0;
	w->base = old ? weir_window_at(old, now, &to_end) + 1 +
			div64_u64(WEIR_WINDOW_GAP, old->period.d) : 0;
	if (w->base > WEIR_WINDOW_NUMBER_MAX / 2)
		return -ERANGE;
	return 0;
}

static inline void weir_window_decide(const struct weir_window *w, u64 limit,
				      u64 word, u64 now, u64 cost,
				      struct weir_decision *d)
{
	u64 to_end, number = weir_window_at(w, now, &to_end);
	u64 stored = weir_window_number(word), count = 0, room;

	if (stored >= number) {
		count = weir_window_count(word);
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
		d->word = weir_window_pack(number, count);
	} else {
		d->retry_after = cost > limit ? WEIR_NEVER : to_end;
	}
	d->remaining = room;
	d->reset_after = count ? to_end : 0;
}

/* Only tokens charged in the window of @now can come back. */
static inline u64 weir_window_refund(const struct weir_window *w, u64 word,
				     u64 now, u64 n)
{
	u64 to_end, number = weir_window_at(w, now, &to_end);
	u64 count = weir_window_count(word);

	if (weir_window_number(word) < number)
		return word;
	return weir_window_pack(weir_window_number(word), count - min(count, n));
}

/*
 * A word that admits only what both words admit, now and later. If one of them is ahead of @now,
 * the tokens spent in the other one count in that window too.
 */
static inline u64 weir_window_stricter(const struct weir_window *w, u64 a, u64 b,
				       u64 now)
{
	u64 to_end, number = weir_window_at(w, now, &to_end);

	if (weir_window_number(a) < number)
		return b;
	if (weir_window_number(b) < number)
		return a;
	return weir_window_pack(max(weir_window_number(a), weir_window_number(b)),
				max(weir_window_count(a), weir_window_count(b)));
}

static inline u64 weir_window_idle_at(const struct weir_window *w, u64 word,
				      u64 now)
{
	u64 number = weir_window_number(word);

	if (!weir_window_count(word) || number < w->base)
		return now;
	return max(now, w->epoch + (number + 1 - w->base) * w->period.d);
}

#endif /* _WEIR_WINDOW_H */
