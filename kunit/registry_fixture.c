// SPDX-License-Identifier: GPL-2.0-only
/* Objects without storage, in a registry. */

#include "registry_fixture.h"

#include <linux/slab.h>

#define UIDS	32	/* users in tests have lower ids */

atomic_t objects_released;

/* Yield, so that other members of a crowd run in between. */
static int build(struct weir_object *o)
{
	cond_resched();
	return 0;
}

static void count_release(struct weir_object *o)
{
	atomic_inc(&objects_released);
}

static const struct weir_kind_ops kinds[] = {
	[WEIR_KIND_COUNTER] = {
		.kind = WEIR_KIND_COUNTER, .build = build, .release = count_release,
	},
	[WEIR_KIND_LIMITER] = {
		.kind = WEIR_KIND_LIMITER, .build = build, .release = count_release,
	},
};

/*
 * Initialise the common part, except for what &weir_kind_ops.create sets, with one reference of
 * each kind.
 */
int object_init(struct weir_object *o, const char *name, unsigned int uid)
{
	o->ns = weir_namespace_get(KUIDT_INIT(uid));
	if (!o->ns) {
		kfree(o);
		return -ENOMEM;
	}
	o->uid = KUIDT_INIT(uid);
	o->owner = o->uid;
	o->gid = KGIDT_INIT(uid);
	o->id = weir_registry_number();
	weir_object_init(o);
	strscpy(o->name, name, sizeof(o->name));
	return 0;
}

struct weir_object *object_new(u32 kind, const char *name, unsigned int uid,
			       u64 keys)
{
	struct weir_object *o = kzalloc(sizeof(*o), GFP_KERNEL);

	if (!o || object_init(o, name, uid))
		return NULL;
	o->ops = &kinds[kind];
	o->quota_keys = keys;
	return o;
}

/* Drop an object that was never registered. */
void object_drop(struct weir_object *o)
{
	weir_namespace_put(o->ns);
	kfree(o);
}

/*
 * Make and register an object. On success *@made is the object, with a reference to its header for
 * the caller. @made is NULL if the caller wants no reference.
 */
int object_register(u32 kind, const char *name, unsigned int uid, u64 keys,
		    struct weir_object **made)
{
	struct weir_object *o = object_new(kind, name, uid, keys);
	int err;

	if (!o)
		return -ENOMEM;
	err = weir_registry_add(o, false);
	if (err)
		object_drop(o);
	else if (made)
		*made = o;
	else
		weir_object_put(o);
	return err;
}

/* Wait until all deleted objects are freed. */
void registry_settle(void)
{
	rcu_barrier();
	if (fake_queue)
		flush_workqueue(fake_queue);
}

int registry_fixture_init(struct kunit *test)
{
	fakes_reset();
	atomic_set(&objects_released, 0);
	return weir_namespace_mod_init() ?: weir_registry_mod_init();
}

/* Only root's namespace has a reference, the module's. */
static bool namespace_is_unused(unsigned int uid)
{
	struct weir_namespace *ns = weir_namespace_get(KUIDT_INIT(uid));
	bool unused = ns && refcount_read(&ns->ref) == 1 + !uid;

	weir_namespace_put(ns);
	return unused;
}

/* The module's exit deletes what a test left behind, and nothing remains. */
void registry_fixture_end(struct kunit *test)
{
	unsigned int uid;

	weir_registry_mod_exit();
	KUNIT_EXPECT_EQ(test, 0, weir_registry_objects());
	for (uid = 0; uid < UIDS; uid++)
		KUNIT_EXPECT_TRUE(test, namespace_is_unused(uid));
	weir_namespace_mod_exit();
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&fake_nodes));
	KUNIT_EXPECT_EQ(test, atomic_read(&fake_events.count[WEIR_EVENT_CREATED]),
			atomic_read(&fake_events.count[WEIR_EVENT_DELETED]));
}

void registry_fixture_exit(struct kunit *test)
{
	registry_fixture_end(test);
	KUNIT_EXPECT_EQ(test, atomic_read(&fake_events.count[WEIR_EVENT_CREATED]),
			atomic_read(&objects_released));
}
