/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Times of CLOCK_BOOTTIME as the calling task sees them: a time namespace adds an offset to the
 * clock. The module itself works with the host's clock only.
 *
 * Not every supported kernel exports init_time_ns, so the offset is always applied; it is 0 in the
 * initial namespace. Cost: three dependent loads from cache lines that a busy task uses anyway.
 *
 * Context of all functions: a task that has not exited, because an exited task has no namespaces.
 */
#ifndef _WEIR_USER_TIME_H
#define _WEIR_USER_TIME_H

#include <linux/ktime.h>
#include <linux/time_namespace.h>
#include <linux/timekeeping.h>

#include <uapi/linux/weir.h>

/* Convert a time of the host's clock to that of the calling task. */
static inline u64 weir_user_time(u64 host)
{
	return timens_add_boottime_ns(host);
}

/**
 * weir_user_deadline - the deadline of an op, by the host's clock
 * @arg: from the user: a time, or with @relative ns from now; WEIR_NEVER is not converted
 * @relative: WEIR_OP_RELATIVE is set
 *
 * Return: a time; 0 for one before the host's boot, WEIR_NEVER for one that does not fit.
 */
static inline u64 weir_user_deadline(u64 arg, bool relative)
{
	s64 ahead = relative ? -(s64)ktime_get_boottime_ns() : (s64)timens_add_boottime_ns(0);

	if (arg == WEIR_NEVER)
		return arg;
	if (ahead > 0)
		return arg - min_t(u64, arg, ahead);
	return arg < WEIR_NEVER + ahead ? arg - ahead : WEIR_NEVER;
}

#endif /* _WEIR_USER_TIME_H */
