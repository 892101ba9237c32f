// SPDX-License-Identifier: LGPL-2.1-or-later
/* Histograms: statistics of snapshots. */

#include <string.h>

#include "tap.h"
#include "weir.h"

static void observe(struct weir_histogram *h, uint64_t value, uint64_t times)
{
	struct weir_histogram one = { .sum = value * times };

	one.buckets[weir_histogram_bucket(value)] = times;
	weir_histogram_merge(h, &one);
}

static void edges(void)
{
	unsigned int i, wrong = 0;

	for (i = 0; i < WEIR_HISTOGRAM_BUCKETS; i++) {
		wrong += weir_histogram_bucket(weir_histogram_bucket_low(i)) != i;
		wrong += weir_histogram_bucket(weir_histogram_bucket_high(i)) != i;
		wrong += i && weir_histogram_bucket_low(i) !=
			      weir_histogram_bucket_high(i - 1) + 1;
	}
	ok(!wrong, "each bucket begins where the one before it ends");
	ok(weir_histogram_bucket_high(i - 1) == WEIR_HISTOGRAM_VALUE_MAX,
	   "the last bucket ends at the largest value");
	ok(weir_histogram_bucket(UINT64_MAX) == i - 1, "larger values are in the last bucket");
	ok(weir_histogram_bucket_high(5000) == WEIR_HISTOGRAM_VALUE_MAX,
	   "a bucket number that is too large means the last bucket");
}

static void empty(void)
{
	static const struct weir_histogram h;

	ok(weir_histogram_percentile(&h, 500000) == 0 && weir_histogram_mean(&h) == 0 &&
	   weir_histogram_up_to(&h, UINT64_MAX) == 0,
	   "mean and percentiles are 0 without values");
}

static void small_numbers(void)
{
	static struct weir_histogram h;
	int i;

	for (i = 1; i <= 10; i++)
		observe(&h, (uint64_t)i, 1);
	ok(h.count == 10 && h.sum == 55 && h.min == 1 && h.max == 10,
	   "count, sum, min and max of 1 to 10");
	ok(weir_histogram_mean(&h) == 5.5, "mean of 1 to 10");
	ok(weir_histogram_percentile(&h, 500000) == 5 &&
	   weir_histogram_percentile(&h, 500001) == 6 &&
	   weir_histogram_percentile(&h, 900000) == 9 &&
	   weir_histogram_percentile(&h, 990000) == 10, "percentiles by nearest rank");
	ok(weir_histogram_percentile(&h, 0) == 1 &&
	   weir_histogram_percentile(&h, 1000000) == 10 &&
	   weir_histogram_percentile(&h, UINT32_MAX) == 10, "percentiles 0 and 100");
	ok(weir_histogram_up_to(&h, 0) == 0 && weir_histogram_up_to(&h, 7) == 7 &&
	   weir_histogram_up_to(&h, 1000) == 10, "number of values up to a bound");
}

static void large_numbers(void)
{
	static struct weir_histogram h;

	observe(&h, 1000, 3);
	observe(&h, 1ULL << 40, 1);
	ok(weir_histogram_percentile(&h, 750000) == 1023,
	   "a percentile is the end of the bucket of 1000");
	ok(weir_histogram_percentile(&h, 750001) == (1ULL << 40) + (1ULL << 36) - 1,
	   "a percentile is the end of the bucket of 2^40");
	ok(h.min == 992 && h.max == (1ULL << 40) + (1ULL << 36) - 1,
	   "min and max are bounds of buckets");
	ok(weir_histogram_up_to(&h, 992) == 3, "a bound within a bucket has all of it");
	ok(weir_histogram_up_to(&h, 991) == 0, "a bound before a bucket has none of it");
	ok(weir_histogram_mean(&h) == ((double)(1ULL << 40) + 3000) / 4, "mean of large values");
}

/* 2^33 values of 2^62 have a sum of 2^95, which is 0 modulo 2^64. */
static void sum_beyond_64_bits(void)
{
	static struct weir_histogram h;
	double mean, exact = 0x1p62;

	observe(&h, 1ULL << 62, 1ULL << 33);
	mean = weir_histogram_mean(&h);
	ok(h.sum == 0 && mean >= exact && mean <= exact * 33 / 32,
	   "the mean is computed from the buckets");
}

int main(void)
{
	edges();
	empty();
	small_numbers();
	large_numbers();
	sum_beyond_64_bits();
	return tap_done();
}
