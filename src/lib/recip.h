/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Division by a prepared divisor as a multiplication. The decision paths divide by a limiter's
 * interval or period; a live change replaces the divisor together with the whole configuration.
 *
 * Source: division by invariant integers (Granlund and Montgomery, PLDI 1994), in its simplest
 * form: with m = floor((2^64 - 1) / d), the high half of x * m is the quotient or one less, for
 * every x, so one comparison corrects it.
 */
#ifndef _WEIR_RECIP_H
#define _WEIR_RECIP_H

#include "lib/pure.h"

/**
 * struct weir_recip - a divisor, prepared
 * @d: the divisor, not 0
 * @m: floor((2^64 - 1) / @d)
 */
struct weir_recip {
	u64 d;
	u64 m;
};

static inline struct weir_recip weir_recip_make(u64 d)
{
	return (struct weir_recip){ .d = d, .m = div64_u64(U64_MAX, d) };
}

/* Cost: two multiplications, one subtraction, one comparison. */
static inline u64 weir_recip_div(u64 x, const struct weir_recip *r, u64 *rem)
{
	u64 q = mul_u64_u64_shr(x, r->m, 64);
	u64 left = x - q * r->d;

	if (left >= r->d) {
		left -= r->d;
		q++;
	}
	*rem = left;
	return q;
}

#endif /* _WEIR_RECIP_H */
