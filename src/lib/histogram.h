/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later */
/*
 * Histograms: the bucket of a value, and statistics computed from buckets.
 *
 * Log-linear: 16 buckets for each power of two, and one for each value below 32.
 * uapi/linux/weir.h has the formulas and the accuracy. Pure: the module, the tests and libweir
 * compile these lines.
 */
#ifndef _WEIR_HISTOGRAM_H
#define _WEIR_HISTOGRAM_H

#ifdef __KERNEL__
#include <linux/bitops.h>
#include <linux/types.h>
#include <uapi/linux/weir.h>
#else
#include <stdbool.h>
#include "../uapi/linux/weir.h"

static inline int fls64(__u64 x)
{
	return x ? 64 - __builtin_clzll(x) : 0;
}
#endif

#define WEIR_HISTOGRAM_SUBS	16U	/* two to the power of WEIR_HISTOGRAM_SUB_BITS */
#define WEIR_HISTOGRAM_GROUPS	(WEIR_HISTOGRAM_BUCKETS / WEIR_HISTOGRAM_SUBS)
#define WEIR_PARTS_PER_MILLION	1000000U

/**
 * weir_histogram_index - the bucket of a value
 * @value: 0..WEIR_HISTOGRAM_VALUE_MAX
 *
 * The index consists of the first five bits of the value and the number of bits that follow.
 * Cost: a bit scan and two shifts.
 * Return: the bucket's index.
 */
static inline __u32 weir_histogram_index(__u64 value)
{
	/* values of five bits or fewer have their own bucket: no shift */
	int shift = fls64(value | WEIR_HISTOGRAM_SUBS) - WEIR_HISTOGRAM_SUB_BITS - 1;

	return ((__u32)shift << WEIR_HISTOGRAM_SUB_BITS) + (__u32)(value >> shift);
}

static inline unsigned int weir_histogram_shift(__u32 index)
{
	return index < WEIR_HISTOGRAM_SUBS ? 0 :
	       (index >> WEIR_HISTOGRAM_SUB_BITS) - 1;
}

/* The lowest value of a bucket; 2^63 for the index after the last bucket. */
static inline __u64 weir_histogram_low(__u32 index)
{
	unsigned int shift = weir_histogram_shift(index);

	return (__u64)(index - (shift << WEIR_HISTOGRAM_SUB_BITS)) << shift;
}

static inline __u64 weir_histogram_high(__u32 index)
{
	return weir_histogram_low(index) +
	       ((1ULL << weir_histogram_shift(index)) - 1);
}

/* Compute count, min and max from the buckets. */
static inline void weir_histogram_finish(struct weir_histogram *h)
{
	__u32 i, last = 0;

	h->count = 0;
	h->min = 0;
	h->max = 0;
	for (i = WEIR_HISTOGRAM_BUCKETS; i--;) {
		h->count += h->buckets[i];
		if (!h->buckets[i])
			continue;
		if (!h->max)
			h->max = weir_histogram_high(i);
		last = i;
	}
	h->min = weir_histogram_low(last);
}

/**
 * weir_histogram_rank - the rank of a percentile
 * @count: number of values
 * @ppm: the percentile in millionths, 0..1000000
 *
 * Return: the nearest rank: @ppm of @count, rounded up, at least 1; 0 if there are no
 *	values.
 */
static inline __u64 weir_histogram_rank(__u64 count, __u32 ppm)
{
	const __u64 million = WEIR_PARTS_PER_MILLION;
	__u64 whole = count / million, rest = count % million, rank;

	/* each product is below 2^64, and the parts add up to the whole */
	rank = whole * ppm + (rest * ppm + million - 1) / million;
	return rank || !count ? rank : 1;
}

/**
 * weir_histogram_value - the value at a rank
 * @h: the histogram
 * @rank: 1 is the least value
 *
 * Return: the highest value of the bucket that has this rank; 0 if there are fewer values.
 */
static inline __u64 weir_histogram_value(const struct weir_histogram *h, __u64 rank)
{
	__u64 seen = 0;
	__u32 i;

	if (!rank)
		return 0;
	for (i = 0; i < WEIR_HISTOGRAM_BUCKETS; i++) {
		seen += h->buckets[i];
		if (seen >= rank)
			return weir_histogram_high(i);
	}
	return 0;
}

#ifdef __SIZEOF_INT128__
/**
 * weir_histogram_sound - whether a histogram is consistent
 * @h: a histogram from an untrusted source
 *
 * Return: true if count, min and max follow from the buckets, and values in those buckets
 *	can have this sum (modulo 2^64).
 */
static inline bool weir_histogram_sound(const struct weir_histogram *h)
{
	unsigned __int128 least = 0, most = 0;
	__u64 count = 0, min = 0, max = 0;
	__u32 i;

	for (i = 0; i < WEIR_HISTOGRAM_BUCKETS; i++) {
		if (!h->buckets[i])
			continue;
		if (!count)
			min = weir_histogram_low(i);
		if (__builtin_add_overflow(count, h->buckets[i], &count))
			return false;
		max = weir_histogram_high(i);
		least += (unsigned __int128)weir_histogram_low(i) * h->buckets[i];
		most += (unsigned __int128)max * h->buckets[i];
	}
	if (h->count != count || h->min != min || h->max != max)
		return false;
	most -= least;
	return most >> 64 || h->sum - (__u64)least <= (__u64)most;
}
#endif

#endif /* _WEIR_HISTOGRAM_H */
