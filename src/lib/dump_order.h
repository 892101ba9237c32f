/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The order in which a table is dumped, and the cursors that user space gets.
 *
 * A dump must not reveal in which bucket a key is, because an attacker could then choose keys that
 * fill one chain. So entries are not returned in the order of their buckets. Up to 4096
 * neighbouring buckets form a region, and the entries of a region are returned in the order of
 * their *positions*. A position is the hash, with the bits that choose the bucket within the region
 * moved to the low end. The other bits do not depend on the bucket, so the order within a region is
 * random. The order reveals only the region of a key; a table with up to 4096 buckets has one
 * region.
 *
 * A hash and a position determine each other, and a key's hash does not change. So a dump can
 * continue from a position, whichever entries are added and removed meanwhile.
 *
 * A cursor is a position, encrypted with a key of the table. A cursor that was not made here
 * decrypts to some other position and does no harm.
 */
#ifndef _WEIR_DUMP_ORDER_H
#define _WEIR_DUMP_ORDER_H

#include "lib/pure.h"

#define WEIR_REGION_BITS	12

/**
 * struct weir_dump_order - how hashes become positions
 * @shift: 64 less the bits of a bucket's number
 * @within: bits of a bucket's number within its region
 * @mask: the bits of a position that are not its region's number
 */
struct weir_dump_order {
	unsigned int shift;
	unsigned int within;
	u64 mask;
};

/* @shift: 64 less the bits of a bucket's number, of which there are at least 1. */
static inline struct weir_dump_order weir_dump_order(unsigned int shift)
{
	unsigned int bits = 64 - shift;
	unsigned int within = bits < WEIR_REGION_BITS ? bits : WEIR_REGION_BITS;

	return (struct weir_dump_order){
		.shift = shift,
		.within = within,
		.mask = U64_MAX >> (bits - within),
	};
}

static inline u64 weir_dump_position(const struct weir_dump_order *o, u64 hash)
{
	u64 low = hash & o->mask;

	return (hash & ~o->mask) | ((low << o->within) & o->mask) | low >> o->shift;
}

static inline u64 weir_dump_hash(const struct weir_dump_order *o, u64 position)
{
	u64 low = position & o->mask;

	return (position & ~o->mask) | low >> o->within |
	       ((low << o->shift) & o->mask);
}

/**
 * weir_cursor - the cursor of a position, or the position of a cursor
 * @word: a position, but not 0, where every dump begins; or a cursor
 * @decrypt: @word is a cursor
 * @mix: a keyed pseudorandom function
 * @key: the key of @mix
 *
 * 0 and WEIR_NEVER mean begin and end. U64_MAX has no cursor; the position before it is used in its
 * place. If a table has an entry there, it is returned twice.
 *
 * A Feistel cipher of four rounds over two halves of 32 bits. It is applied again while the result
 * is 0 or WEIR_NEVER, so it permutes all other words.
 *
 * Return: the cursor or the position; never 0 or WEIR_NEVER.
 */
static inline u64 weir_cursor(u64 word, bool decrypt,
			      u32 (*mix)(const void *key, u64 in), const void *key)
{
	u32 left, right, next;
	u64 round;

	word = min(word, U64_MAX - 1);
	do {
		left = word >> 32;
		right = word;
		for (round = 0; round < 4; round++) {
			next = left ^ mix(key, (decrypt ? 3 - round : round) << 32 | right);
			left = right;
			right = next;
		}
		/* with the halves exchanged, the rounds in reverse order decrypt it */
		word = (u64)right << 32 | left;
	} while (!word || word == WEIR_NEVER);
	return word;
}

#endif /* _WEIR_DUMP_ORDER_H */
