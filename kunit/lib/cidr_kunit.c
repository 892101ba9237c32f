// SPDX-License-Identifier: GPL-2.0-only
/* Longest prefix match, compared with a model that looks at every block. */

#include <kunit/test.h>

#include "lib/cidr.h"
#include "kunit/prng.h"

#define BLOCKS	60

/* One test runs at a time, so all use this memory. */
static struct weir_block blocks[BLOCKS];
static unsigned int prefixes[BLOCKS];
static struct weir_range ranges[2 * BLOCKS];

static bool within(const struct weir_block *b, struct weir_address a)
{
	return weir_address_cmp(b->first, a) <= 0 &&
	       weir_address_cmp(a, b->last) <= 0;
}

/* The action of the smallest block that contains the address. */
static u32 model(unsigned int n, struct weir_address a)
{
	const struct weir_block *best = NULL;
	unsigned int i, bits = 0;

	for (i = 0; i < n; i++) {
		if (!within(&blocks[i], a) || (best && prefixes[i] <= bits))
			continue;
		best = &blocks[i];
		bits = prefixes[i];
	}
	return best ? best->action : 0;
}

static bool comes_before(struct weir_block a, struct weir_block b)
{
	int cmp = weir_address_cmp(a.first, b.first);

	return cmp ? cmp < 0 : weir_address_cmp(a.last, b.last) > 0;
}

/* Insert a block at its place, unless it is there already. Return: the number of blocks. */
static unsigned int block_add(unsigned int n, struct weir_address a,
			      unsigned int bits, unsigned int width, u32 action)
{
	struct weir_address host = weir_address_host(bits, width);
	struct weir_block b = {
		.first = { a.hi & ~host.hi, a.lo & ~host.lo },
		.last = { a.hi | host.hi, a.lo | host.lo },
		.action = action,
	};
	unsigned int i, at = 0;

	for (i = 0; i < n; i++) {
		if (!weir_address_cmp(blocks[i].first, b.first) &&
		    prefixes[i] == bits)
			return n;
		at += comes_before(blocks[i], b);
	}
	for (i = n; i > at; i--) {
		blocks[i] = blocks[i - 1];
		prefixes[i] = prefixes[i - 1];
	}
	blocks[at] = b;
	prefixes[at] = bits;
	return n + 1;
}

/* Few bits vary, so that blocks overlap. */
static struct weir_address address_draw(struct prng *p, unsigned int width)
{
	u64 low = prng_below(p, 16) << (width == 32 ? 28 : 60) | prng_below(p, 16);

	if (width == 32)
		return (struct weir_address){ 0, low & U32_MAX };
	return (struct weir_address){ low, prng_below(p, 4) ? ~0ULL * (low & 1) :
				      prng_below(p, 256) };
}

static void around(struct kunit *test, unsigned int n, unsigned int nranges,
		   struct weir_address a, unsigned int width)
{
	static const int steps[] = { -1, 0, 1 };
	unsigned int i;

	for (i = 0; i < 3; i++) {
		struct weir_address b = a;

		b.lo += steps[i];
		if (steps[i] < 0 && !a.lo)
			b.hi--;
		if (steps[i] > 0 && !b.lo)
			b.hi++;
		if (width == 32 && (b.hi || b.lo > U32_MAX))
			continue;
		KUNIT_ASSERT_EQ(test, model(n, b),
				weir_cidr_covers(ranges, nranges, b, b));
	}
}

/* Cut the first @n blocks. Return: the number of ranges. */
static unsigned int cut(unsigned int n)
{
	static struct weir_cut c;
	unsigned int i;

	c.ranges = ranges;
	c.n = 0;
	for (i = 0; i < n; i++)
		weir_cut_add(&c, &blocks[i]);
	weir_cut_end(&c);
	return c.n;
}

static void cidr_agrees_with_model(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eedc1d2);
	unsigned int round, n, nranges, i, width;

	for (round = 0; round < PRNG_ROUNDS(400); round++) {
		width = round % 2 ? 32 : 128;
		for (n = 0, i = prng_below(&p, BLOCKS); i; i--)
			n = block_add(n, address_draw(&p, width),
				      prng_below(&p, width + 1), width,
				      1 + prng_below(&p, 2));
		nranges = cut(n);
		KUNIT_ASSERT_LE(test, nranges, 2 * n);
		for (i = 1; i < nranges; i++)
			KUNIT_ASSERT_LT(test, weir_address_cmp(ranges[i - 1].first,
							       ranges[i].first), 0);
		for (i = 0; i < n; i++) {
			around(test, n, nranges, blocks[i].first, width);
			around(test, n, nranges, blocks[i].last, width);
		}
		for (i = 0; i < 50; i++)
			around(test, n, nranges, address_draw(&p, width), width);
	}
}

/* A range of addresses has an action if each of its addresses has it. */
static void cidr_covers_a_stretch(struct kunit *test)
{
	struct prng p = prng_seed(test, 0x5eedc1d3);
	struct weir_address a, b;
	unsigned int round, n, nranges, i;
	u32 action;

	for (round = 0; round < PRNG_ROUNDS(400); round++) {
		for (n = 0, i = prng_below(&p, 8); i; i--) {
			a = (struct weir_address){ 0, prng_below(&p, 64) };
			n = block_add(n, a, 26 + prng_below(&p, 7), 32,
				      1 + prng_below(&p, 2));
		}
		nranges = cut(n);
		a = (struct weir_address){ 0, prng_below(&p, 64) };
		b = (struct weir_address){ 0, a.lo + prng_below(&p, 20) };
		action = model(n, a);
		for (i = a.lo; i <= b.lo; i++)
			if (model(n, (struct weir_address){ 0, i }) != action)
				action = 0;
		KUNIT_ASSERT_EQ(test, action,
				weir_cidr_covers(ranges, nranges, a, b));
	}
}

static unsigned int bit_count(u64 word)
{
	unsigned int n = 0;

	for (; word; word &= word - 1)
		n++;
	return n;
}

static void cidr_host_bits(struct kunit *test)
{
	unsigned int bits;

	for (bits = 0; bits <= 128; bits++) {
		struct weir_address host = weir_address_host(bits, 128);

		KUNIT_EXPECT_EQ(test, bits == 128, !host.lo);
		KUNIT_EXPECT_EQ(test, 128 - bits, bit_count(host.hi) +
						  bit_count(host.lo));
		/* all set bits are at the low end */
		KUNIT_EXPECT_EQ(test, 0ULL, host.lo & (host.lo + 1));
		KUNIT_EXPECT_EQ(test, 0ULL, host.hi & (host.hi + 1));
		KUNIT_EXPECT_TRUE(test, !host.hi || host.lo == ~0ULL);
	}
	KUNIT_EXPECT_EQ(test, 0xffffffffULL, weir_address_host(0, 32).lo);
	KUNIT_EXPECT_EQ(test, 0ULL, weir_address_host(32, 32).lo);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(cidr_agrees_with_model),
	KUNIT_CASE(cidr_covers_a_stretch),
	KUNIT_CASE(cidr_host_bits),
	{}
};

static struct kunit_suite weir_cidr_suite = {
	.name = "weir_cidr",
	.test_cases = cases,
};

kunit_test_suite(weir_cidr_suite);
