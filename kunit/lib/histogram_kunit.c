// SPDX-License-Identifier: GPL-2.0-only
/* Buckets of a histogram (src/lib/histogram.h), and the percentiles computed from them. */

#include <kunit/test.h>

#include "lib/histogram.h"
#include "kunit/prng.h"

#define VALUES_MAX	500

/* A value of any order of magnitude, or 0. */
static u64 value_any(struct prng *p)
{
	return prng_next(p) >> 1 >> prng_below(p, 64);
}

/* Each bucket ends where the next one begins, from 0 to 2^63-1. */
static void histogram_buckets_leave_no_gap(struct kunit *test)
{
	u32 i;

	KUNIT_EXPECT_EQ(test, 0ULL, weir_histogram_low(0));
	for (i = 0; i < WEIR_HISTOGRAM_BUCKETS; i++) {
		KUNIT_ASSERT_LE(test, weir_histogram_low(i), weir_histogram_high(i));
		KUNIT_ASSERT_EQ(test, weir_histogram_high(i) + 1,
				weir_histogram_low(i + 1));
	}
	KUNIT_EXPECT_EQ(test, WEIR_HISTOGRAM_VALUE_MAX, weir_histogram_high(i - 1));
}

static void check_index(struct kunit *test, u64 value)
{
	u32 i = weir_histogram_index(value);

	if (i < WEIR_HISTOGRAM_BUCKETS && weir_histogram_low(i) <= value &&
	    value <= weir_histogram_high(i))
		return;
	kunit_info(test, "%llu is in bucket %u", (unsigned long long)value, i);
	KUNIT_ASSERT_LT(test, i, WEIR_HISTOGRAM_BUCKETS);
	KUNIT_ASSERT_LE(test, weir_histogram_low(i), value);
	KUNIT_ASSERT_LE(test, value, weir_histogram_high(i));
}

/* Both ends of every bucket; every power of two and its neighbours. */
static void histogram_index_at_edges(struct kunit *test)
{
	unsigned int k;
	u32 i;

	for (i = 0; i < WEIR_HISTOGRAM_BUCKETS; i++) {
		KUNIT_ASSERT_EQ(test, i, weir_histogram_index(weir_histogram_low(i)));
		KUNIT_ASSERT_EQ(test, i, weir_histogram_index(weir_histogram_high(i)));
	}
	for (k = 0; k < 63; k++) {
		check_index(test, (1ULL << k) - 1);
		check_index(test, 1ULL << k);
		check_index(test, (1ULL << k) + 1);
	}
	check_index(test, WEIR_HISTOGRAM_VALUE_MAX);
}

static void histogram_index_of_any(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed0a01);
	u64 value;

	for (value = 0; value < 70000; value++)
		check_index(test, value);
	for (value = 0; value < PRNG_ROUNDS(50000); value++)
		check_index(test, value_any(&p));
}

/* Buckets below 32 are one value wide. Others are at most 1/16 of their lowest value wide. */
static void histogram_error_is_bounded(struct kunit *test)
{
	u64 low, width, widest = 0;
	u32 i;

	for (i = 0; i < WEIR_HISTOGRAM_BUCKETS; i++) {
		low = weir_histogram_low(i);
		width = weir_histogram_high(i) - low + 1;
		if (low < 32)
			KUNIT_ASSERT_EQ(test, 1ULL, width);
		else
			KUNIT_ASSERT_LE(test, width * 16, low);
		widest += width * 16 == low;
	}
	/* the first bucket of each power of two from 16 on has that width */
	KUNIT_EXPECT_EQ(test, 59ULL, widest);
}

/* The rank is the least number of values that is at least that fraction of all. */
static void histogram_ranks(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed0a02);
	u64 count, rank;
	u32 ppm;
	int i;

	KUNIT_EXPECT_EQ(test, 0ULL, weir_histogram_rank(0, 500000));
	KUNIT_EXPECT_EQ(test, 1ULL, weir_histogram_rank(7, 0));
	KUNIT_EXPECT_EQ(test, 4ULL, weir_histogram_rank(7, 500000));
	KUNIT_EXPECT_EQ(test, 4ULL, weir_histogram_rank(8, 500000));
	KUNIT_EXPECT_EQ(test, 7ULL, weir_histogram_rank(7, 999999));
	KUNIT_EXPECT_EQ(test, U64_MAX, weir_histogram_rank(U64_MAX, 1000000));
	for (i = 0; i < PRNG_ROUNDS(20000); i++) {
		count = prng_magnitude(&p, U64_MAX);
		ppm = prng_between(&p, 1, 1000000);
		rank = weir_histogram_rank(count, ppm);
		KUNIT_ASSERT_TRUE(test, (wide)rank * 1000000 >= (wide)count * ppm);
		KUNIT_ASSERT_TRUE(test, (wide)(rank - 1) * 1000000 < (wide)count * ppm);
	}
}

/**
 * struct model - values and their histogram
 * @h: the histogram
 * @sorted: the values
 * @count: number of values
 */
struct model {
	struct weir_histogram h;
	u64 sorted[VALUES_MAX];
	unsigned int count;
};

static void model_add(struct model *m, u64 value)
{
	unsigned int i = m->count++;

	for (; i && m->sorted[i - 1] > value; i--)
		m->sorted[i] = m->sorted[i - 1];
	m->sorted[i] = value;
	m->h.buckets[weir_histogram_index(value)]++;
	m->h.sum += value;
}

/* Values as services have them: close together, or of any magnitude. */
static void model_fill(struct model *m, struct prng *p)
{
	u64 middle = value_any(p);
	unsigned int n = prng_between(p, 1, VALUES_MAX), i;

	memset(m, 0, sizeof(*m));
	for (i = 0; i < n; i++)
		model_add(m, prng_chance(p, 1, 2) ? value_any(p) :
				 prng_below(p, middle + 1));
	weir_histogram_finish(&m->h);
}

static struct model *model_new(struct kunit *test)
{
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, m);
	return m;
}

/* A percentile is never too low, and too high by less than 1/16 of the exact value. */
static void check_percentile(struct kunit *test, const struct model *m, u32 ppm)
{
	u64 rank = weir_histogram_rank(m->count, ppm);
	u64 exact = m->sorted[rank - 1], told = weir_histogram_value(&m->h, rank);

	if (told == exact || (told > exact && told - exact < exact / 16))
		return;
	kunit_info(test, "%u ppm of %u: %llu, but %llu", ppm, m->count,
		   (unsigned long long)told, (unsigned long long)exact);
	KUNIT_ASSERT_EQ(test, told, exact);
}

static void histogram_percentiles(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed0a03);
	struct model *m = model_new(test);
	int round, i;

	for (round = 0; round < PRNG_ROUNDS(60); round++) {
		model_fill(m, &p);
		check_percentile(test, m, 0);
		check_percentile(test, m, 1000000);
		for (i = 0; i < 20; i++)
			check_percentile(test, m, prng_below(&p, 1000001));
	}
}

static void histogram_says_what_it_holds(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed0a04);
	struct model *m = model_new(test);
	u64 least, most;
	int round;

	weir_histogram_finish(&m->h);
	KUNIT_EXPECT_EQ(test, 0ULL, m->h.count | m->h.min | m->h.max);
	KUNIT_EXPECT_EQ(test, 0ULL, weir_histogram_value(&m->h, 1));
	for (round = 0; round < PRNG_ROUNDS(100); round++) {
		model_fill(m, &p);
		least = m->sorted[0];
		most = m->sorted[m->count - 1];
		KUNIT_ASSERT_EQ(test, (u64)m->count, m->h.count);
		KUNIT_ASSERT_LE(test, m->h.min, least);
		KUNIT_ASSERT_LE(test, least - m->h.min, least / 16);
		KUNIT_ASSERT_GE(test, m->h.max, most);
		KUNIT_ASSERT_LE(test, m->h.max - most, most / 16);
		KUNIT_ASSERT_EQ(test, weir_histogram_index(least),
				weir_histogram_index(m->h.min));
		KUNIT_ASSERT_EQ(test, weir_histogram_index(most),
				weir_histogram_index(m->h.max));
	}
}

static void expect_unsound(struct kunit *test, struct weir_histogram *h, u64 *member,
			   u64 wrong)
{
	u64 right = *member;

	*member = wrong;
	KUNIT_EXPECT_FALSE(test, weir_histogram_sound(h));
	*member = right;
}

/* A consistent histogram is accepted. A histogram that differs from it by one is refused. */
static void histogram_is_sound(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed0a05);
	struct model *m = model_new(test);
	struct weir_histogram *h = &m->h;
	u64 least, most;
	int round;
	u32 i;

	KUNIT_EXPECT_TRUE(test, weir_histogram_sound(h));
	expect_unsound(test, h, &h->sum, 1);
	for (round = 0; round < PRNG_ROUNDS(60); round++) {
		model_fill(m, &p);
		KUNIT_ASSERT_TRUE(test, weir_histogram_sound(h));
		expect_unsound(test, h, &h->count, h->count - 1);
		expect_unsound(test, h, &h->count, h->count + 1);
		expect_unsound(test, h, &h->min, h->min + 1);
		expect_unsound(test, h, &h->max, h->max - 1);
		expect_unsound(test, h, &h->buckets[prng_below(&p, 960)], U64_MAX);
		least = 0;
		most = 0;
		for (i = 0; i < WEIR_HISTOGRAM_BUCKETS; i++) {
			least += h->buckets[i] * weir_histogram_low(i);
			most += h->buckets[i] * weir_histogram_high(i);
		}
		h->sum = least;
		KUNIT_ASSERT_TRUE(test, weir_histogram_sound(h));
		h->sum = most;
		KUNIT_ASSERT_TRUE(test, weir_histogram_sound(h));
		/* values that great make nearly every sum modulo 2^64 possible */
		if (h->max >> 50)
			continue;
		expect_unsound(test, h, &h->sum, least - 1);
		expect_unsound(test, h, &h->sum, most + 1);
	}
}

/* Zeros are counted in bucket 0 like other values in theirs. */
static void histogram_of_zeros(struct kunit *test)
{
	struct model *m = model_new(test);

	model_add(m, 0);
	weir_histogram_finish(&m->h);
	KUNIT_EXPECT_TRUE(test, weir_histogram_sound(&m->h));
	KUNIT_EXPECT_EQ(test, 1ULL, m->h.count);
	KUNIT_EXPECT_EQ(test, 0ULL, m->h.max);
	model_add(m, 1000);
	weir_histogram_finish(&m->h);
	KUNIT_EXPECT_TRUE(test, weir_histogram_sound(&m->h));
	KUNIT_EXPECT_EQ(test, 0ULL, m->h.min);
	KUNIT_EXPECT_EQ(test, 1023ULL, m->h.max);
}

static struct kunit_case histogram_cases[] = {
	KUNIT_CASE(histogram_buckets_leave_no_gap),
	KUNIT_CASE(histogram_index_at_edges),
	KUNIT_CASE(histogram_index_of_any),
	KUNIT_CASE(histogram_error_is_bounded),
	KUNIT_CASE(histogram_ranks),
	KUNIT_CASE(histogram_percentiles),
	KUNIT_CASE(histogram_says_what_it_holds),
	KUNIT_CASE(histogram_is_sound),
	KUNIT_CASE(histogram_of_zeros),
	{}
};

static struct kunit_suite weir_histogram_suite = {
	.name = "weir_histogram",
	.test_cases = histogram_cases,
};

kunit_test_suite(weir_histogram_suite);
