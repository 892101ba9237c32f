/* SPDX-License-Identifier: GPL-2.0-only */
/* random - pseudo-random numbers, the same in each run with the same seed */
#ifndef _WEIR_SELFTEST_RANDOM_H
#define _WEIR_SELFTEST_RANDOM_H

static inline unsigned int next(unsigned int *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 16;
}

#endif /* _WEIR_SELFTEST_RANDOM_H */
