// SPDX-License-Identifier: GPL-2.0-only
/*
 * The order of a dump does not reveal hashes: cursors are a permutation of positions, and
 * neighbours in a dump are no neighbours in the table.
 */

#include <kunit/test.h>

#include "lib/dump_order.h"
#include "kunit/prng.h"

#define ROUNDS	PRNG_ROUNDS(1000)

/* The mixer of splitmix64, in place of SipHash. */
static u32 mix(const void *key, u64 in)
{
	struct prng r = { .state = in ^ *(const u64 *)key };

	return prng_next(&r);
}

static void positions_are_a_permutation(struct kunit *test)
{
	struct prng r = prng_seed(test, 1);
	struct weir_dump_order o;
	unsigned int bits, i;
	u64 hash, position;

	for (bits = 6; bits <= 30; bits++) {
		o = weir_dump_order(64 - bits);
		for (i = 0; i < ROUNDS; i++) {
			hash = prng_next(&r);
			position = weir_dump_position(&o, hash);
			KUNIT_ASSERT_EQ(test, hash, weir_dump_hash(&o, position));
			KUNIT_ASSERT_EQ(test, position & ~o.mask, hash & ~o.mask);
		}
		KUNIT_EXPECT_EQ(test, 0ULL, weir_dump_position(&o, 0));
		KUNIT_EXPECT_EQ(test, U64_MAX, weir_dump_position(&o, U64_MAX));
	}
}

static void cursors_are_a_permutation(struct kunit *test)
{
	struct prng r = prng_seed(test, 2);
	u64 key, position, cursor;
	unsigned int i;

	for (i = 0; i < 20 * ROUNDS; i++) {
		key = prng_next(&r);
		position = i % 2 ? prng_next(&r) : prng_next(&r) % 16;
		if (!position || position == U64_MAX)
			continue;
		cursor = weir_cursor(position, false, mix, &key);
		KUNIT_ASSERT_NE(test, 0ULL, cursor);
		KUNIT_ASSERT_NE(test, WEIR_NEVER, cursor);
		KUNIT_ASSERT_EQ(test, position, weir_cursor(cursor, true, mix, &key));
	}
	KUNIT_EXPECT_EQ(test, U64_MAX - 1,
			weir_cursor(weir_cursor(U64_MAX, false, mix, &key), true, mix, &key));
}

/*
 * 4096 entries in 4096 buckets, 64 in each of 64 buckets. In the order of a dump, two entries of a
 * bucket are neighbours as often as in a random order: 63 of 4095 times.
 */
static void order_separates_buckets(struct kunit *test)
{
	static u64 positions[4096];
	struct weir_dump_order o = weir_dump_order(64 - 12);
	struct prng r = prng_seed(test, 3);
	unsigned int i, j, pairs = 0;
	u64 hash, next;

	for (i = 0; i < 4096; i++) {
		hash = (u64)(i % 64 * 64) << 52 | prng_next(&r) >> 12;
		hash = weir_dump_position(&o, hash);
		/* insertion sort */
		for (j = i; j && positions[j - 1] > hash; j--)
			positions[j] = positions[j - 1];
		positions[j] = hash;
	}
	for (i = 1; i < 4096; i++) {
		hash = weir_dump_hash(&o, positions[i - 1]);
		next = weir_dump_hash(&o, positions[i]);
		pairs += hash >> 52 == next >> 52;
	}
	/* 63 expected; the standard deviation is 8 */
	KUNIT_EXPECT_GT(test, pairs, 15U);
	KUNIT_EXPECT_LT(test, pairs, 111U);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(positions_are_a_permutation),
	KUNIT_CASE(cursors_are_a_permutation),
	KUNIT_CASE(order_separates_buckets),
	{}
};

static struct kunit_suite weir_dump_order_suite = {
	.name = "weir_dump_order",
	.test_cases = cases,
};

kunit_test_suite(weir_dump_order_suite);
