/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Longest prefix match over address blocks (CIDR, RFC 4632). The blocks are cut
 * once into ranges that do not overlap, each with the action of the longest
 * prefix that covers it; then a look-up is a binary search: 15 steps for ten
 * thousand blocks, wherever in them the address lies, and no pointer to follow.
 *
 * An address is 128 bits, most significant first; of IPv4 the low 32. The two
 * families are kept apart.
 */
#ifndef _WEIR_CIDR_H
#define _WEIR_CIDR_H

#include "lib/pure.h"

/* Blocks that can be nested in each other: one for each length of a prefix. */
#define WEIR_CIDR_DEPTH		129

/**
 * struct weir_address - an address as a number
 * @hi: upper 64 bits
 * @lo: lower 64 bits
 */
struct weir_address {
	u64 hi;
	u64 lo;
};

/**
 * struct weir_block - all addresses that have a prefix
 * @first: the first of them
 * @last: the last of them
 * @action: not 0
 */
struct weir_block {
	struct weir_address first;
	struct weir_address last;
	u32 action;
};

/**
 * struct weir_range - addresses from @first to before the next range's
 * @first: the first of them
 * @action: 0 for none
 */
struct weir_range {
	struct weir_address first;
	u32 action;
};

static inline int weir_address_cmp(struct weir_address a, struct weir_address b)
{
	if (a.hi != b.hi)
		return a.hi < b.hi ? -1 : 1;
	return a.lo == b.lo ? 0 : a.lo < b.lo ? -1 : 1;
}

/* The bits of an address behind the first @bits of @width, all set. */
static inline struct weir_address weir_address_host(unsigned int bits,
						    unsigned int width)
{
	unsigned int n = width - bits;

	return (struct weir_address){
		.hi = n > 64 ? ~0ULL >> (128 - n) : 0,
		.lo = n >= 64 ? ~0ULL : n ? ~0ULL >> (64 - n) : 0,
	};
}

/* Append a range, or find that it goes on like the last or takes its place. */
static inline unsigned int weir_range_add(struct weir_range *ranges,
					  unsigned int n,
					  struct weir_address first, u32 action)
{
	if (n && !weir_address_cmp(ranges[n - 1].first, first))
		n--;
	if (n ? ranges[n - 1].action == action : !action)
		return n;
	ranges[n] = (struct weir_range){ .first = first, .action = action };
	return n + 1;
}

/* A block is over: what covers it goes on, or nothing. */
static inline unsigned int weir_block_end(struct weir_range *ranges,
					  unsigned int n,
					  struct weir_address last, u32 action)
{
	struct weir_address next = { .hi = last.hi + !~last.lo, .lo = last.lo + 1 };

	if (!next.hi && !next.lo)	/* there is no next one */
		return n;
	return weir_range_add(ranges, n, next, action);
}

/**
 * weir_cidr_cut - cut blocks into ranges
 * @blocks: of one family, by @first, then from the longest block to the shortest;
 *	no two the same
 * @nblocks: their number
 * @open: room for WEIR_CIDR_DEPTH pointers
 * @ranges: room for 2 * @nblocks
 *
 * Return: how many ranges there are.
 */
static inline unsigned int weir_cidr_cut(const struct weir_block *blocks,
					 unsigned int nblocks,
					 const struct weir_block **open,
					 struct weir_range *ranges)
{
	unsigned int i, n = 0, depth = 0;

	for (i = 0; i < nblocks; i++) {
		while (depth && weir_address_cmp(open[depth - 1]->last,
						 blocks[i].first) < 0) {
			depth--;
			n = weir_block_end(ranges, n, open[depth]->last,
					   depth ? open[depth - 1]->action : 0);
		}
		open[depth++] = &blocks[i];
		n = weir_range_add(ranges, n, blocks[i].first, blocks[i].action);
	}
	while (depth) {
		depth--;
		n = weir_block_end(ranges, n, open[depth]->last,
				   depth ? open[depth - 1]->action : 0);
	}
	return n;
}

/**
 * weir_cidr_covers - the action for all addresses from @first to @last
 * @ranges: from weir_cidr_cut()
 * @n: their number
 * @first: an address
 * @last: the same, or one behind it
 *
 * Return: the action they have in common; 0 if there is none, or they differ.
 */
static inline u32 weir_cidr_covers(const struct weir_range *ranges, unsigned int n,
				   struct weir_address first,
				   struct weir_address last)
{
	unsigned int low = 0, high = n, middle;

	/* the first range that begins behind @first */
	while (low < high) {
		middle = low + (high - low) / 2;
		if (weir_address_cmp(ranges[middle].first, first) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || (low < n && weir_address_cmp(ranges[low].first, last) <= 0))
		return 0;
	return ranges[low - 1].action;
}

#endif /* _WEIR_CIDR_H */
