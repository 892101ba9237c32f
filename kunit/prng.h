/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random numbers for tests. They are the same on every kernel and in user space, so a printed seed
 * repeats a failure anywhere. The generator is splitmix64 (Steele, Lea and Flood, OOPSLA 2014).
 */
#ifndef _WEIR_KUNIT_PRNG_H
#define _WEIR_KUNIT_PRNG_H

#include <kunit/test.h>

/*
 * Rounds of a random test. An emulated kernel with sanitizers is a hundred times slower than user
 * space, so the long search runs in user space.
 */
#ifdef __KERNEL__
#define PRNG_ROUNDS(n)	(n)
#else
#define PRNG_ROUNDS(n)	((n) * 50)
#endif

/* 128 bits wide; newer kernels have the types u128 and s128 */
#define wide	unsigned __int128
#define swide	__int128

struct prng {
	u64 state;
};

static inline struct prng prng_seed(struct kunit *test, u64 seed)
{
	kunit_info(test, "seed %llu", (unsigned long long)seed);
	return (struct prng){ .state = seed };
}

static inline u64 prng_next(struct prng *p)
{
	u64 z = p->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* 0 .. n - 1; the bias of the modulo does not matter here */
static inline u64 prng_below(struct prng *p, u64 n)
{
	return prng_next(p) % n;
}

static inline u64 prng_between(struct prng *p, u64 lo, u64 hi)
{
	return lo + prng_below(p, hi - lo + 1);
}

/* True with probability @n / @of. */
static inline bool prng_chance(struct prng *p, u32 n, u32 of)
{
	return prng_below(p, of) < n;
}

/* 1 .. hi, each order of magnitude equally likely, the two ends more often. */
static inline u64 prng_magnitude(struct prng *p, u64 hi)
{
	u64 n;

	switch (prng_below(p, 16)) {
	case 0:
		return 1;
	case 1:
		return hi;
	default:
		n = prng_next(p) >> prng_below(p, 64);
		return n % hi + 1;
	}
}

#endif /* _WEIR_KUNIT_PRNG_H */
