/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * verdict - the answer that a limiter must give, exact to the nanosecond if possible
 *
 * Tokens come back so slowly that none does while a test runs. So a duration in an answer is known,
 * apart from the time that the test has taken. That time is bounded by the clock: the duration is
 * at most @full, and at least @full minus the time since @since.
 */
#ifndef _WEIR_SELFTEST_VERDICT_H
#define _WEIR_SELFTEST_VERDICT_H

#include <time.h>

#include "client.h"

static inline __u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

/* For EXPECT_TRUE(): print the values if the comparison fails. */
static inline bool lasts(const char *what, __u64 seen, __u64 full, __u64 since)
{
	__u64 passed = now_ns() - since;
	__u64 least = full > passed ? full - passed : 0;

	if (seen >= least && seen <= full)
		return true;
	printf("# %s: %llu, not in %llu..%llu\n", what,
	       (unsigned long long)seen, (unsigned long long)least,
	       (unsigned long long)full);
	return false;
}

/* Compare all members that do not depend on time. */
static inline bool answers(const struct weir_op *op, __u32 verdict,
			   __u32 out_flags, __u64 limit, __u64 remaining,
			   __u32 strikes, __u32 bans)
{
	if (op->verdict == verdict && op->out_flags == out_flags &&
	    op->decided == 0 && op->limit == limit &&
	    op->remaining == remaining && op->strikes == strikes &&
	    op->bans == bans)
		return true;
	printf("# verdict %u flags %#x decided %u limit %llu remaining %llu strikes %u bans %u\n",
	       op->verdict, op->out_flags, op->decided,
	       (unsigned long long)op->limit,
	       (unsigned long long)op->remaining, op->strikes, op->bans);
	printf("# wanted  %u flags %#x decided 0 limit %llu remaining %llu strikes %u bans %u\n",
	       verdict, out_flags, (unsigned long long)limit,
	       (unsigned long long)remaining, strikes, bans);
	return false;
}

#endif /* _WEIR_SELFTEST_VERDICT_H */
