// SPDX-License-Identifier: GPL-2.0-only
/* Division by a prepared divisor (src/lib/recip.h), compared with plain division. */

#include <kunit/test.h>

#include "lib/recip.h"
#include "kunit/prng.h"

static void check_division(struct kunit *test, u64 x, u64 d)
{
	struct weir_recip r = weir_recip_make(d);
	u64 rem, q = weir_recip_div(x, &r, &rem);

	if (q == div64_u64(x, d) && rem == x - div64_u64(x, d) * d)
		return;
	kunit_info(test, "%llu / %llu gives %llu, left %llu",
		   (unsigned long long)x, (unsigned long long)d,
		   (unsigned long long)q, (unsigned long long)rem);
	KUNIT_ASSERT_EQ(test, q, div64_u64(x, d));
	KUNIT_ASSERT_EQ(test, rem, x - div64_u64(x, d) * d);
}

static void recip_small_numbers(struct kunit *test)
{
	u64 x, d;

	for (d = 1; d <= 300; d++)
		for (x = 0; x <= 1000; x++)
			check_division(test, x, d);
}

/* Powers of two and their neighbours, each divided by each. */
static void recip_powers_of_two(struct kunit *test)
{
	unsigned int i, j;
	int a, b;
	u64 x, d;

	for (i = 0; i < 64; i++) {
		for (j = 0; j < 64; j++) {
			for (a = -1; a <= 1; a++) {
				for (b = -1; b <= 1; b++) {
					x = (1ULL << i) + a;
					d = (1ULL << j) + b;
					if (d)
						check_division(test, x, d);
				}
			}
		}
	}
}

/* Multiples of the divisor and their neighbours, where the quotient changes. */
static void recip_steps(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed0001);
	u64 d, x;
	int i;

	for (i = 0; i < PRNG_ROUNDS(20000); i++) {
		d = prng_magnitude(&p, U64_MAX - 1);
		x = prng_below(&p, div64_u64(U64_MAX, d)) * d;
		check_division(test, x, d);
		check_division(test, x - 1, d);
		check_division(test, x + d - 1, d);
	}
}

static void recip_greatest_dividend(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed0002);
	u64 d;
	int i;

	for (i = 0; i < PRNG_ROUNDS(20000); i++) {
		d = prng_magnitude(&p, U64_MAX - 1);
		check_division(test, U64_MAX, d);
		check_division(test, U64_MAX - d, d);
	}
	check_division(test, U64_MAX, U64_MAX);
	check_division(test, U64_MAX - 1, U64_MAX);
}

static void recip_random(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eed0003);
	int i;

	for (i = 0; i < PRNG_ROUNDS(50000); i++)
		check_division(test, prng_next(&p) >> prng_below(&p, 64),
			       prng_magnitude(&p, U64_MAX - 1));
}

static struct kunit_case recip_cases[] = {
	KUNIT_CASE(recip_small_numbers),
	KUNIT_CASE(recip_powers_of_two),
	KUNIT_CASE(recip_steps),
	KUNIT_CASE(recip_greatest_dividend),
	KUNIT_CASE(recip_random),
	{}
};

static struct kunit_suite weir_recip_suite = {
	.name = "weir_recip",
	.test_cases = recip_cases,
};

kunit_test_suite(weir_recip_suite);
