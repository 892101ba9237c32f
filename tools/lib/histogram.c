// SPDX-License-Identifier: LGPL-2.1-or-later
/* Histograms: statistics of snapshots. */

#include "internal.h"

/* the same code as in the module */
#include "../../src/lib/histogram.h"

WEIR_API unsigned int weir_histogram_bucket(uint64_t value)
{
	return weir_histogram_index(value < WEIR_HISTOGRAM_VALUE_MAX ? value :
				    WEIR_HISTOGRAM_VALUE_MAX);
}

static unsigned int known(unsigned int bucket)
{
	return bucket < WEIR_HISTOGRAM_BUCKETS ? bucket : WEIR_HISTOGRAM_BUCKETS - 1;
}

WEIR_API uint64_t weir_histogram_bucket_low(unsigned int bucket)
{
	return weir_histogram_low(known(bucket));
}

WEIR_API uint64_t weir_histogram_bucket_high(unsigned int bucket)
{
	return weir_histogram_high(known(bucket));
}

WEIR_API uint64_t weir_histogram_percentile(const struct weir_histogram *histogram,
					    uint32_t ppm)
{
	if (ppm > WEIR_PARTS_PER_MILLION)
		ppm = WEIR_PARTS_PER_MILLION;
	return weir_histogram_value(histogram,
				    weir_histogram_rank(histogram->count, ppm));
}

WEIR_API double weir_histogram_mean(const struct weir_histogram *histogram)
{
	double most = 0, middle = 0;
	unsigned int i;

	if (!histogram->count)
		return 0;
	for (i = 0; i < WEIR_HISTOGRAM_BUCKETS; i++) {
		double count = (double)histogram->buckets[i];
		double low = (double)weir_histogram_low(i);
		double high = (double)weir_histogram_high(i);

		most += count * high;
		middle += count * (low + high) / 2;
	}
	/* the bound is a little below 2^64, because doubles are rounded here */
	return (most < 0x1.fffffffp63 ? (double)histogram->sum : middle) /
	       (double)histogram->count;
}

WEIR_API uint64_t weir_histogram_up_to(const struct weir_histogram *histogram,
				       uint64_t bound)
{
	unsigned int i, last = weir_histogram_bucket(bound);
	uint64_t count = 0;

	for (i = 0; i <= last; i++)
		count += histogram->buckets[i];
	return count;
}

WEIR_API void weir_histogram_merge(struct weir_histogram *to,
				   const struct weir_histogram *from)
{
	unsigned int i;

	for (i = 0; i < WEIR_HISTOGRAM_BUCKETS; i++)
		to->buckets[i] += from->buckets[i];
	to->sum += from->sum;
	weir_histogram_finish(to);
}
