/* SPDX-License-Identifier: GPL-2.0-only */
/* hrtimer_setup() exists from 6.13 on; hrtimer_init() is gone in 7.3. */
#ifndef _WEIR_COMPAT_HRTIMER_H
#define _WEIR_COMPAT_HRTIMER_H

#include <linux/hrtimer.h>
#include <linux/version.h>

static inline void weir_hrtimer_setup(struct hrtimer *timer,
				      enum hrtimer_restart (*fn)(struct hrtimer *timer),
				      clockid_t clock, enum hrtimer_mode mode)
{
#if KERNEL_VERSION(6, 13, 0) <= LINUX_VERSION_CODE
	hrtimer_setup(timer, fn, clock, mode);
#else
	hrtimer_init(timer, clock, mode);
	timer->function = fn;
#endif
}

#endif /* _WEIR_COMPAT_HRTIMER_H */
