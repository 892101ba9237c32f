// SPDX-License-Identifier: GPL-2.0-only
/*
 * weir_kunit.ko: the unit tests and the fakes that they share. They are a module of their own
 * because Linux 6.1 runs a module's suites before its init function.
 */

#include <linux/module.h>

#include "kunit/fakes.h"

#include "core/event.h"
#include "core/object.h"
#include "core/sysfs.h"
#include "limiter/limiter.h"

atomic64_t fake_clock;
struct points fake_clock_points, fake_points;
atomic_t fake_live, fake_fail_in, fake_nodes;
struct kmem_cache *fake_caches[3], *fake_cache_used;
long fake_sweep_delay = -1;
unsigned int fake_fault_in;
bool fake_xarray_fails, fake_sysfs_fails;
struct workqueue_struct *fake_queue;
struct fake_events fake_events;

/* Called before each test. The count of entries continues. */
void fakes_reset(void)
{
	atomic64_set(&fake_clock, NSEC_PER_SEC);
	atomic_set(&fake_fail_in, 0);
	atomic_set(&fake_nodes, 0);
	fake_sweep_delay = -1;
	fake_fault_in = 0;
	fake_xarray_fails = false;
	fake_sysfs_fails = false;
	fake_queue = NULL;
	memset(&fake_events, 0, sizeof(fake_events));
	*fake_max_objects.value = 1000;
	*fake_max_objects_per_uid.value = 1000;
	*fake_max_keys.value = 10000000;
	*fake_max_keys_per_uid.value = 1000000;
	*fake_max_grants_per_uid.value = 1000000;
}

void *fake_alloc(struct kmem_cache *cache, gfp_t gfp)
{
	void *p;

	if (atomic_read(&fake_fail_in) && atomic_dec_and_test(&fake_fail_in))
		return NULL;
	p = kmem_cache_alloc(cache, gfp);
	if (p)
		atomic_inc(&fake_live);
	WRITE_ONCE(fake_cache_used, cache);
	return p;
}

void fake_free(struct kmem_cache *cache, void *p)
{
	atomic_dec(&fake_live);
	kmem_cache_free(cache, p);
}

/* weir.ko may be loaded at the same time, and its caches have the plain names */
struct kmem_cache *fake_cache(const char *name, unsigned int size, unsigned int align,
			      slab_flags_t flags, unsigned int offset, unsigned int length,
			      void (*ctor)(void *object))
{
	static const char *const names[] = {
		"weir_kunit_64", "weir_kunit_128", "weir_kunit_320",
	};
	unsigned int class = (size > 64) + (size > 128);

	fake_caches[class] = kmem_cache_create_usercopy(names[class], size, align, flags,
							offset, length, ctor);
	return fake_caches[class];
}

bool fake_sweep(struct workqueue_struct *queue, struct delayed_work *work,
		unsigned long delay)
{
	WRITE_ONCE(fake_sweep_delay, delay);
	return true;
}

bool fake_queue_rcu_work(struct workqueue_struct *queue, struct rcu_work *work)
{
	WRITE_ONCE(fake_queue, queue);
	return queue_rcu_work(queue, work);
}

unsigned long fake_copy(void *to, const void *from, unsigned long n)
{
	if (fake_fault_in && !--fake_fault_in)
		return n;
	memcpy(to, from, n);
	return 0;
}

int fake_xa_reserve(struct xarray *xa, unsigned long index, gfp_t gfp)
{
	return fake_xarray_fails ? -ENOMEM : xa_reserve(xa, index, gfp);
}

void weir_event_key(const struct weir_object *o, u32 type, u32 key_type, const u8 *key,
		    unsigned int len, s64 value, s64 more)
{
	atomic_inc(&fake_events.count[type]);
	WRITE_ONCE(fake_events.type, type);
	WRITE_ONCE(fake_events.value, value);
	WRITE_ONCE(fake_events.more, more);
	if (fake_events.told)
		fake_events.told(type, value, more);
}

void weir_event_object(const struct weir_object *o, u32 type, s64 value, s64 more)
{
	weir_event_key(o, type, WEIR_KEY_NONE, NULL, 0, value, more);
}

int weir_sysfs_add(struct weir_object *o)
{
	if (fake_sysfs_fails)
		return -ENOMEM;
	atomic_inc(&fake_nodes);
	/* any pointer will do: the registry only tests for NULL */
	o->node = (void *)o;
	return 0;
}

void weir_sysfs_remove(struct weir_object *o)
{
	atomic_dec(&fake_nodes);
}

struct attribute *weir_limiter_attrs[1];

MODULE_DESCRIPTION("Unit tests of weir");
MODULE_LICENSE("GPL");
