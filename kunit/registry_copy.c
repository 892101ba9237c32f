// SPDX-License-Identifier: GPL-2.0-only
/* The registry under test, and what tests do with it again and again. */

#include "registry_copy.h"

#include <linux/cache.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#define weir_event_object	registry_copy_event
void weir_event_object(const struct weir_object *o, u32 type, s64 value, s64 more);
#define weir_sysfs_add		registry_copy_sysfs_add
#define weir_sysfs_remove	registry_copy_sysfs_remove

static int xa_reserve_or_fail(struct xarray *xa, unsigned long index, gfp_t gfp)
{
	if (registry_copy.xarray_fails)
		return -ENOMEM;
	return xa_reserve(xa, index, gfp);
}

/* Suites run when this module's variables of that kind are sealed already. */
#undef __ro_after_init
#define __ro_after_init
#undef xa_reserve
#define xa_reserve	xa_reserve_or_fail

#include "../src/core/registry.c"
#undef queue
#define queue namespace_queue
#include "../src/core/namespace.c"
#undef queue
#include "../src/core/object.c"
#include "../src/core/cred.c"

struct registry_copy registry_copy = {
	.max_objects = &max_objects,
	.max_objects_per_uid = &max_objects_per_uid,
	.max_keys = &max_keys,
	.max_keys_per_uid = &max_keys_per_uid,
};

void weir_event_object(const struct weir_object *o, u32 type, s64 value, s64 more)
{
	if (type == WEIR_EVENT_CREATED)
		atomic_inc(&registry_copy.created);
	else if (type == WEIR_EVENT_DELETED)
		atomic_inc(&registry_copy.deleted);
}

int weir_sysfs_add(struct weir_object *o)
{
	if (registry_copy.sysfs_fails)
		return -ENOMEM;
	atomic_inc(&registry_copy.nodes);
	/* any pointer: the registry only asks whether there is one */
	o->node = (void *)o;
	return 0;
}

void weir_sysfs_remove(struct weir_object *o)
{
	atomic_dec(&registry_copy.nodes);
}

/* Others come in between. */
static int build(struct weir_object *o)
{
	cond_resched();
	return 0;
}

static void count_release(struct weir_object *o)
{
	atomic_inc(&registry_copy.released);
}

static const struct weir_kind_ops kinds[] = {
	[WEIR_KIND_COUNTER] = {
		.kind = WEIR_KIND_COUNTER, .build = build, .release = count_release,
	},
	[WEIR_KIND_LIMITER] = {
		.kind = WEIR_KIND_LIMITER, .build = build, .release = count_release,
	},
};

/* Complete, with one reference of each kind. */
struct weir_object *object_new(u32 kind, const char *name, unsigned int uid,
			       u64 keys)
{
	struct weir_object *o = kzalloc(sizeof(*o), GFP_KERNEL);

	if (!o)
		return NULL;
	o->ns = weir_namespace_get(KUIDT_INIT(uid));
	if (!o->ns) {
		kfree(o);
		return NULL;
	}
	o->ops = &kinds[kind];
	o->uid = KUIDT_INIT(uid);
	o->owner = o->uid;
	o->gid = KGIDT_INIT(uid);
	o->quota_keys = keys;
	o->id = weir_registry_number();
	refcount_set(&o->live, 1);
	kref_init(&o->ref);
	spin_lock_init(&o->grant_lock);
	INIT_LIST_HEAD(&o->grants);
	strscpy(o->name, name, sizeof(o->name));
	return o;
}

/* One that was never registered. */
void object_drop(struct weir_object *o)
{
	weir_namespace_put(o->ns);
	kfree(o);
}

/*
 * Make and register an object. *@made: it, with a reference to its header for
 * the caller, if that worked; may be NULL: no reference is wanted.
 */
int object_register(u32 kind, const char *name, unsigned int uid, u64 keys,
		    struct weir_object **made)
{
	struct weir_object *o = object_new(kind, name, uid, keys);
	int err;

	if (!o)
		return -ENOMEM;
	err = weir_registry_add(o, false);
	if (err) {
		object_drop(o);
		return err;
	}
	if (made)
		*made = o;
	else
		weir_object_put(o);
	return 0;
}

/* Wait until all deleted objects are freed. */
void registry_settle(void)
{
	rcu_barrier();
	flush_workqueue(queue);
}

/* Whether others than root have something. */
bool registry_has_owners(void)
{
	struct weir_namespace *ns;
	bool found = false;
	int i;

	hash_for_each(namespaces, i, ns, hash)
		found |= ns != root;
	return found;
}

int registry_copy_init(struct kunit *test)
{
	registry_copy.sysfs_fails = false;
	registry_copy.xarray_fails = false;
	atomic_set(&registry_copy.nodes, 0);
	atomic_set(&registry_copy.created, 0);
	atomic_set(&registry_copy.deleted, 0);
	atomic_set(&registry_copy.released, 0);
	max_objects = 1000;
	max_objects_per_uid = 1000;
	max_keys = 10000000;
	max_keys_per_uid = 1000000;
	return weir_namespace_mod_init() ?: weir_registry_mod_init();
}

/* The end of the module deletes what a test left, and nothing remains. */
void registry_copy_exit(struct kunit *test)
{
	weir_registry_mod_exit();
	KUNIT_EXPECT_EQ(test, 0, weir_registry_objects());
	KUNIT_EXPECT_FALSE(test, registry_has_owners());
	weir_namespace_mod_exit();
	KUNIT_EXPECT_TRUE(test, hash_empty(namespaces));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&registry_copy.nodes));
	KUNIT_EXPECT_EQ(test, atomic_read(&registry_copy.created),
			atomic_read(&registry_copy.released));
	KUNIT_EXPECT_EQ(test, atomic_read(&registry_copy.created),
			atomic_read(&registry_copy.deleted));
}
