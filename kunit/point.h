/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every atomic operation of the code under test is a point at which another CPU may intervene. A
 * test can run a function at the n-th point, and so try all points in turn without depending on the
 * luck of a race.
 */
#ifndef _WEIR_KUNIT_POINT_H
#define _WEIR_KUNIT_POINT_H

#include <linux/atomic.h>

/**
 * struct points - the points of one source file
 * @left: number of points until @work is called; 0: it is not called
 * @work: stands for the other CPU
 * @arg: argument of @work
 */
struct points {
	int left;
	void (*work)(void *arg);
	void *arg;
};

static inline void point_pass(struct points *p)
{
	if (READ_ONCE(p->left) && !--p->left)
		p->work(p->arg);
}

/* The point is after the read: the value may be stale when it is used. */
static inline s64 point_read(struct points *p, const atomic64_t *v)
{
	s64 value = atomic64_read(v);

	point_pass(p);
	return value;
}

static inline s64 point_xchg(struct points *p, atomic64_t *v, s64 new)
{
	s64 value;

	point_pass(p);
	value = atomic64_xchg(v, new);
	point_pass(p);
	return value;
}

static inline bool point_try_cmpxchg(struct points *p, atomic64_t *v, s64 *old,
				     s64 new)
{
	bool done;

	point_pass(p);
	done = atomic64_try_cmpxchg(v, old, new);
	point_pass(p);
	return done;
}

#endif /* _WEIR_KUNIT_POINT_H */
