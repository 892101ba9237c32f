/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random length of bans. Without it, all clients that were banned together would come back in the
 * same second.
 */
#ifndef _WEIR_JITTER_H
#define _WEIR_JITTER_H

#include "lib/pure.h"

#define WEIR_JITTER_MAX		WEIR_NSEC_PER_YEAR

/*
 * Add up to @jitter to @length, as @random (any 64 bits) selects. The probabilities of any two
 * lengths differ by at most 1/500. Cost: one multiplication.
 */
static inline u64 weir_jitter_add(u64 length, u64 jitter, u64 random)
{
	return length + mul_u64_u64_shr(random, jitter + 1, 64);
}

#endif /* _WEIR_JITTER_H */
