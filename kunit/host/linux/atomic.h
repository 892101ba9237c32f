/* SPDX-License-Identifier: GPL-2.0-only */
/* The part of the kernel's <linux/atomic.h> that the pure algorithms and their tests use. */
#ifndef _WEIR_HOST_LINUX_ATOMIC_H
#define _WEIR_HOST_LINUX_ATOMIC_H

struct host_atomic64 {
	long long counter;
};

#define atomic64_t	struct host_atomic64

static inline long long atomic64_inc_return(atomic64_t *v)
{
	return __atomic_add_fetch(&v->counter, 1, __ATOMIC_SEQ_CST);
}

#endif /* _WEIR_HOST_LINUX_ATOMIC_H */
