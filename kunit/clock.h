/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A clock that stands still until a test moves it, instead of CLOCK_BOOTTIME. Include before
 * the code under test.
 */
#ifndef _WEIR_KUNIT_CLOCK_H
#define _WEIR_KUNIT_CLOCK_H

#include <linux/atomic.h>
#include <linux/ktime.h>

#include "point.h"

/* defined in main.c */
extern atomic64_t kunit_clock;

/* Each reading is a point: the value may be old when it is used. */
extern struct points kunit_clock_points;

static inline u64 kunit_clock_read(void)
{
	return point_read(&kunit_clock_points, &kunit_clock);
}

#define ktime_get_boottime_ns()	kunit_clock_read()

#endif /* _WEIR_KUNIT_CLOCK_H */
