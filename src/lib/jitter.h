/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bans of a length that nobody can tell beforehand: who is banned for an hour, and
 * comes back at the second, would come back with all the others.
 */
#ifndef _WEIR_JITTER_H
#define _WEIR_JITTER_H

#include "lib/pure.h"

#define WEIR_JITTER_MAX		WEIR_NSEC_PER_YEAR

/*
 * @length, or up to @jitter more: as @random, any 64 bits, chooses. No length is more
 * than a five-hundredth likelier than another. Cost: one multiplication.
 */
static inline u64 weir_jitter_add(u64 length, u64 jitter, u64 random)
{
	return length + mul_u64_u64_shr(random, jitter + 1, 64);
}

#endif /* _WEIR_JITTER_H */
