/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Longest prefix match over address blocks (CIDR, RFC 4632). The blocks are converted once into
 * ranges that do not overlap, each with the action of the longest prefix that covers it. A
 * look-up is a binary search: 15 steps for ten thousand blocks, without a pointer to follow.
 *
 * An address is 128 bits, most significant first; an IPv4 address is in the low 32. The two
 * families are kept apart.
 */
#ifndef _WEIR_CIDR_H
#define _WEIR_CIDR_H

#include "lib/pure.h"

/* Maximum nesting of blocks: one level for each prefix length. */
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
 * struct weir_block - all addresses with a common prefix
 * @first: the first address
 * @last: the last address
 * @action: not 0
 */
struct weir_block {
	struct weir_address first;
	struct weir_address last;
	u32 action;
};

/**
 * struct weir_range - the addresses from @first to before the next range's @first
 * @first: the first address
 * @action: 0: none
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

/* An address whose bits behind the first @bits of @width are all set. */
static inline struct weir_address weir_address_host(unsigned int bits,
						    unsigned int width)
{
	unsigned int n = width - bits;

	return (struct weir_address){
		.hi = n > 64 ? ~0ULL >> (128 - n) : 0,
		.lo = n >= 64 ? ~0ULL : n ? ~0ULL >> (64 - n) : 0,
	};
}

/**
 * struct weir_cut - blocks being cut into ranges
 * @open: the blocks that cover the current address, the longest prefix last
 * @depth: their number
 * @ranges: room for 2 ranges a block
 * @n: ranges so far
 *
 * The caller adds the blocks of one family one by one, so that it can reschedule in between. A cut
 * begins with @depth and @n 0.
 */
struct weir_cut {
	struct weir_block open[WEIR_CIDR_DEPTH];
	unsigned int depth;
	struct weir_range *ranges;
	unsigned int n;
};

/* Append a range; merge it with the last one if the action or the start is equal. */
static inline void weir_cut_range(struct weir_cut *c, struct weir_address first, u32 action)
{
	if (c->n && !weir_address_cmp(c->ranges[c->n - 1].first, first))
		c->n--;
	if (c->n ? c->ranges[c->n - 1].action != action : action)
		c->ranges[c->n++] = (struct weir_range){ .first = first, .action = action };
}

/* The innermost open block ends; the block around it continues, or none. */
static inline void weir_cut_close(struct weir_cut *c)
{
	const struct weir_block *block = &c->open[--c->depth];
	struct weir_address last = block->last;
	struct weir_address next = { .hi = last.hi + !~last.lo, .lo = last.lo + 1 };

	if (next.hi || next.lo)	/* otherwise the block ends at the last address */
		weir_cut_range(c, next, c->depth ? block[-1].action : 0);
}

/**
 * weir_cut_add - cut one more block
 * @c: the cut
 * @block: the next block by @first, and from the shortest prefix to the longest; no two are equal
 */
static inline void weir_cut_add(struct weir_cut *c, const struct weir_block *block)
{
	while (c->depth &&
	       weir_address_cmp(c->open[c->depth - 1].last, block->first) < 0)
		weir_cut_close(c);
	c->open[c->depth++] = *block;
	weir_cut_range(c, block->first, block->action);
}

/* All blocks have been added. @n is the number of ranges. */
static inline void weir_cut_end(struct weir_cut *c)
{
	while (c->depth)
		weir_cut_close(c);
}

/**
 * weir_cidr_covers - the action for all addresses from @first to @last
 * @ranges: from a complete cut
 * @n: their number
 * @first: the first address
 * @last: the last address; may be @first
 *
 * Return: the action of all these addresses; 0 if they have none, or different ones.
 */
static inline u32 weir_cidr_covers(const struct weir_range *ranges, unsigned int n,
				   struct weir_address first,
				   struct weir_address last)
{
	unsigned int low = 0, high = n, middle;

	/* the first range that begins after @first */
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
