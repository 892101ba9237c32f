/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fakes of kernel functions: a clock that tests move, allocations that are counted and can fail,
 * sweeps that tests start, copies to the memory of the test, and events that are counted. Kbuild
 * defines WEIR_FAKED and includes this file before each source that weir_kunit.ko links. Tests
 * include it to control and to read the fakes.
 */
#ifndef _WEIR_KUNIT_FAKES_H
#define _WEIR_KUNIT_FAKES_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/ktime.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "kunit/point.h"

/* Only tests move the clock. Each reading of it is a point (point.h). */
extern atomic64_t fake_clock;
extern struct points fake_clock_points;

#define ktime_get_boottime_ns()	((u64)point_read(&fake_clock_points, &fake_clock))

/* Number of existing entries, including those waiting for RCU. */
extern atomic_t fake_live;
/* The allocation of the entry with this number fails, counted from now on; 0: none fails. */
extern atomic_t fake_fail_in;
/* The slab caches in the order of their creation, and the one used last. */
extern struct kmem_cache *fake_caches[3], *fake_cache_used;
/* Jiffies until the last sweep that was requested; -1: none was requested. */
extern long fake_sweep_delay;
/* The copy to user memory with this number fails, counted from now on; 0: none fails. */
extern unsigned int fake_fault_in;
/* Whether reserving an object's number fails, and whether making its sysfs folder fails. */
extern bool fake_xarray_fails, fake_sysfs_fails;
/* Number of sysfs folders. */
extern atomic_t fake_nodes;
/* The workqueue used last. */
extern struct workqueue_struct *fake_queue;
/* Reserving a slot of a table is a point. */
extern struct points fake_points;

/**
 * struct fake_events - the calls of weir_event_key() and weir_event_object()
 * @count: events by type
 * @type: type of the last event
 * @value: value of the last event
 * @more: second value of the last event
 * @told: called for each event, maybe with the entry locked; may be NULL
 */
struct fake_events {
	atomic_t count[16];
	u32 type;
	s64 value;
	s64 more;
	void (*told)(u32 type, s64 value, s64 more);
};

extern struct fake_events fake_events;

/* A module parameter. */
struct fake_param {
	ulong *value;
};

extern struct fake_param fake_max_objects, fake_max_objects_per_uid;
extern struct fake_param fake_max_keys, fake_max_keys_per_uid, fake_max_grants_per_uid;

void fakes_reset(void);
void *fake_alloc(struct kmem_cache *cache, gfp_t gfp);
void fake_free(struct kmem_cache *cache, void *p);
struct kmem_cache *fake_cache(const char *name, unsigned int size, unsigned int align,
			      slab_flags_t flags, unsigned int offset, unsigned int length,
			      void (*ctor)(void *object));
bool fake_sweep(struct workqueue_struct *queue, struct delayed_work *work,
		unsigned long delay);
bool fake_queue_rcu_work(struct workqueue_struct *queue, struct rcu_work *work);
unsigned long fake_copy(void *to, const void *from, unsigned long n);
int fake_xa_reserve(struct xarray *xa, unsigned long index, gfp_t gfp);

#ifdef WEIR_FAKED
/* not before these headers: some of their functions run with a stripe locked */
#include "table/bucket.h"

#undef atomic64_read
#undef atomic64_try_cmpxchg
#define atomic64_read(v)		point_read(&fake_points, v)
#define atomic64_try_cmpxchg(v, old, new)	point_try_cmpxchg(&fake_points, v, old, new)
#undef kmem_cache_alloc
#undef kmem_cache_free
#undef kmem_cache_create_usercopy
#define kmem_cache_alloc		fake_alloc
#define kmem_cache_free			fake_free
#define kmem_cache_create_usercopy	fake_cache
#undef mod_delayed_work
#undef queue_delayed_work
#define mod_delayed_work		fake_sweep
#define queue_delayed_work		fake_sweep
#define queue_rcu_work			fake_queue_rcu_work
#undef copy_to_user
#define copy_to_user(to, from, n)	fake_copy((__force void *)(to), from, n)
#undef xa_reserve
#define xa_reserve			fake_xa_reserve
/* suites run when this module's __ro_after_init variables are already read-only */
#undef __ro_after_init
#define __ro_after_init
#undef module_param
#define module_param(name, ...)	struct fake_param fake_##name = { &(name) }
#endif

#endif /* _WEIR_KUNIT_FAKES_H */
