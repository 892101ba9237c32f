// SPDX-License-Identifier: GPL-2.0-only
/* The registry: all objects, by name and by number. See registry.h. */

#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/xarray.h>

#include "core/event.h"
#include "core/namespace.h"
#include "core/registry.h"
#include "core/sysfs.h"

/*
 * L: registry_lock must be held. Readers of by_id are in an RCU read side. The lock is a spinlock
 * and not a mutex: a cgroup can throttle the holder of a mutex or its next waiter, and callers of
 * all namespaces would wait meanwhile.
 */
static DEFINE_SPINLOCK(registry_lock);
static DEFINE_XARRAY_FLAGS(by_id, XA_FLAGS_ACCOUNT);	/* L; reserving a place uses its own lock */
static atomic64_t last_id = ATOMIC64_INIT(0);
static u64 nr_visible;					/* L; WRITE_ONCE() */

static struct workqueue_struct *queue;

void weir_registry_assert_held(void)
{
	lockdep_assert_held(&registry_lock);
}

/* After a grace period, run phase 3 in a worker, because it may sleep and take long. */
void weir_registry_queue(struct rcu_work *work)
{
	queue_rcu_work(queue, work);
}

/**
 * struct full_name - what objects of one owner are told apart by
 * @kind: enum weir_kind
 * @name: a valid name
 */
struct full_name {
	u32 kind;
	const char *name;
};

static int name_compare(const void *key, const struct rb_node *node)
{
	const struct weir_object *o = rb_entry(node, struct weir_object, by_name);
	const struct full_name *a = key;

	return (int)a->kind - (int)o->ops->kind ?: strcmp(a->name, o->name);
}

static bool is_before(struct rb_node *node, const struct rb_node *other)
{
	const struct weir_object *o = rb_entry(node, struct weir_object, by_name);

	return name_compare(&(struct full_name){ o->ops->kind, o->name }, other) < 0;
}

/*
 * A tree, not a hash table: its depth does not depend on which names a user chooses, and each
 * namespace has its own tree.
 */
static struct weir_object *name_find(const struct weir_namespace *ns, u32 kind, const char *name)
{
	weir_registry_assert_held();
	return rb_entry_safe(rb_find(&(struct full_name){ kind, name }, &ns->names, name_compare),
			     struct weir_object, by_name);
}

/**
 * weir_registry_find - an object by owner and name
 * @owner: owner of the namespace
 * @kind: enum weir_kind
 * @name: a valid name
 *
 * Context: process. Cost: a walk down a tree of the owner's objects, under registry_lock.
 * Return: the object with a reference to its header, or NULL.
 */
struct weir_object *weir_registry_find(kuid_t owner, u32 kind, const char *name)
{
	const struct weir_namespace *ns;
	struct weir_object *o = NULL;

	rcu_read_lock();
	ns = weir_namespace_find(owner);
	if (ns) {
		spin_lock(&registry_lock);
		o = name_find(ns, kind, name);
		if (o)
			kref_get(&o->ref);
		spin_unlock(&registry_lock);
	}
	rcu_read_unlock();
	return o;
}

/**
 * weir_registry_resolve - the object that a plain name means to a user
 * @owner: owner of the user's namespace
 * @kind: enum weir_kind
 * @name: a valid name
 *
 * Return: the user's own or else root's, with a reference to its header, or NULL.
 */
struct weir_object *weir_registry_resolve(kuid_t owner, u32 kind, const char *name)
{
	struct weir_object *o = weir_registry_find(owner, kind, name);

	if (o || uid_eq(owner, GLOBAL_ROOT_UID))
		return o;
	return weir_registry_find(GLOBAL_ROOT_UID, kind, name);
}

/**
 * weir_registry_next - iterate over objects in the order of their numbers
 * @cursor: number to begin with; out: the number of the returned object
 *
 * Numbers are never reused, so an object that exists throughout is returned once.
 *
 * Return: the object with a reference to its header, or NULL at the end.
 */
struct weir_object *weir_registry_next(u64 *cursor)
{
	unsigned long id = *cursor;
	struct weir_object *o;

	rcu_read_lock();
	xa_for_each_start(&by_id, id, o, *cursor) {
		if (kref_get_unless_zero(&o->ref)) {
			*cursor = id;
			break;
		}
	}
	rcu_read_unlock();
	return o;
}

/* A number for a new object, never used before or again. */
u64 weir_registry_number(void)
{
	return atomic64_inc_return(&last_id);
}

static int object_charge(struct weir_object *o, bool admin)
{
	int err = -EEXIST;

	spin_lock(&registry_lock);
	if (!name_find(o->ns, o->ops->kind, o->name))
		err = weir_namespace_charge(o->ns, 1, 0, o->quota_keys, admin);
	spin_unlock(&registry_lock);
	return err;
}

/* Uncharge an object; this cannot fail. Must hold registry_lock. */
static void object_uncharge(struct weir_object *o)
{
	weir_namespace_charge(o->ns, -1, o->quota_keys, 0, true);
}

/* This cannot fail: the object is complete, and its place in by_id is reserved. */
static void object_publish(struct weir_object *o)
{
	lockdep_assert_held(&registry_lock);
	kref_get(&o->ref);	/* for the caller; the first reference belongs to the registry */
	WARN_ON_ONCE(xa_is_err(xa_store(&by_id, o->id, o, 0)));
	/* emit the event first, so that events of other callers on this object follow it */
	weir_event_object(o, WEIR_EVENT_CREATED, 0, 0);
	rb_add(&o->by_name, &o->ns->names, is_before);
	WRITE_ONCE(nr_visible, nr_visible + 1);
}

/* sysfs shows only objects of root. */
static bool is_shown(const struct weir_object *o)
{
	return uid_eq(o->owner, GLOBAL_ROOT_UID);
}

/* Build the storage and the sysfs folder. Must hold the owner's creation lock. */
static int object_build(struct weir_object *o)
{
	int err;

	lockdep_assert_held(&o->ns->creating);
	err = weir_event_stream_begin(&o->ns->events);
	if (!err)
		err = xa_reserve(&by_id, o->id, GFP_KERNEL_ACCOUNT);
	if (err)
		return err;
	err = o->ops->build(o);
	if (!err && is_shown(o))
		err = weir_sysfs_add(o);
	if (err)
		xa_release(&by_id, o->id);
	return err;
}

/**
 * weir_registry_add - build an object and make it visible
 * @o: with name, owner, number and namespace, and one reference of each kind
 * @admin: the client has CAP_SYS_ADMIN
 *
 * Objects of one owner are built one at a time. So if several callers create one name, only one of
 * them builds an object, and a creation that fails later does not cause another one to exceed the
 * owner's caps.
 *
 * Context: may sleep. Must not access user memory, since a user can delay that for ever.
 * Return: 0, and the caller gets a reference. -EEXIST, -EDQUOT, -ENOSPC, -ENOMEM,
 * -ERESTARTSYS: the object was never visible; &weir_kind_ops.release frees its parts.
 */
int weir_registry_add(struct weir_object *o, bool admin)
{
	int err;

	if (mutex_lock_interruptible(&o->ns->creating))
		return -ERESTARTSYS;
	err = object_charge(o, admin);
	if (!err) {
		err = object_build(o);
		spin_lock(&registry_lock);
		if (err)
			object_uncharge(o);
		else
			object_publish(o);
		spin_unlock(&registry_lock);
	}
	mutex_unlock(&o->ns->creating);
	return err;
}

/* The number of existing objects; those under construction are charged but do not count. */
u64 weir_registry_objects(void)
{
	return READ_ONCE(nr_visible);
}

/* Phase 1 of an object's deletion. Return: 0, or -ENODEV if another caller was first. */
static int object_unlink(struct weir_object *o)
{
	int err = -ENODEV;

	spin_lock(&registry_lock);
	if (!o->dead) {
		err = 0;
		WRITE_ONCE(o->dead, true);
		rb_erase(&o->by_name, &o->ns->names);
		xa_erase(&by_id, o->id);
		WRITE_ONCE(nr_visible, nr_visible - 1);
		object_uncharge(o);
		weir_event_object(o, WEIR_EVENT_DELETED, 0, 0);
	}
	spin_unlock(&registry_lock);
	return err;
}

/**
 * weir_registry_delete - delete an object
 * @o: the object; the caller has a reference
 *
 * Return: 0, or -ENODEV if another caller was first.
 */
int weir_registry_delete(struct weir_object *o)
{
	bool shown = is_shown(o);
	int err;

	/* no new folder can get the name before this one is removed */
	if (shown)
		mutex_lock(&o->ns->creating);
	err = object_unlink(o);
	if (!err && shown)
		weir_sysfs_remove(o);
	if (shown)
		mutex_unlock(&o->ns->creating);
	if (err)
		return err;
	/* without a lock, because there may be many waiters */
	if (o->ops->on_delete)
		o->ops->on_delete(o);
	weir_object_live_put(o);
	return 0;
}

/*
 * An object is about to change: charge another number of keys to its owner, and emit the event.
 * @admin as in weir_registry_add(). Return: 0, -EDQUOT, -ENOSPC or -ENODEV.
 */
int weir_registry_change(struct weir_object *o, u64 keys, u64 mask, bool admin)
{
	int err = -ENODEV;

	spin_lock(&registry_lock);
	if (!o->dead)
		err = weir_namespace_charge(o->ns, 0, o->quota_keys, keys, admin);
	if (!err) {
		o->quota_keys = keys;
		weir_event_object(o, WEIR_EVENT_CHANGED, mask, 0);
	}
	spin_unlock(&registry_lock);
	return err;
}

int weir_registry_mod_init(void)
{
	queue = alloc_workqueue("weir_release", WQ_UNBOUND, 0);
	return queue ? 0 : -ENOMEM;
}

/* Context: no file is open, so nothing else creates or deletes objects. */
void weir_registry_mod_exit(void)
{
	struct weir_object *o;
	unsigned long id;

	xa_for_each(&by_id, id, o) {
		weir_registry_delete(o);
		cond_resched();
	}
	rcu_barrier();			/* phase 2 to 3 */
	destroy_workqueue(queue);	/* phase 3 */
	xa_destroy(&by_id);
}
