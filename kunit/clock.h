/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A clock that stands still until a test moves it, in place of CLOCK_BOOTTIME.
 * To be included before the code under test.
 */
#ifndef _WEIR_KUNIT_CLOCK_H
#define _WEIR_KUNIT_CLOCK_H

#include <linux/atomic.h>
#include <linux/ktime.h>

/* defined in main.c */
extern atomic64_t kunit_clock;

/* How far the clock jumps, once, as soon as somebody has read it. */
extern atomic64_t kunit_clock_jump;

static inline u64 kunit_clock_read(void)
{
	u64 now = atomic64_read(&kunit_clock);

	atomic64_add(atomic64_xchg(&kunit_clock_jump, 0), &kunit_clock);
	return now;
}

#define ktime_get_boottime_ns()	kunit_clock_read()

#endif /* _WEIR_KUNIT_CLOCK_H */
