// SPDX-License-Identifier: GPL-2.0-only
/* Namespaces and their caps. See namespace.h. */

#include <linux/err.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "core/cred.h"
#include "core/namespace.h"
#include "core/registry.h"

static ulong max_objects = 65536;
module_param(max_objects, ulong, 0644);
MODULE_PARM_DESC(max_objects, "maximum number of objects on the host");

static ulong max_objects_per_uid = 1024;
module_param(max_objects_per_uid, ulong, 0644);
MODULE_PARM_DESC(max_objects_per_uid, "maximum number of objects of one owner, except for CAP_SYS_ADMIN");

static ulong max_keys = 64 << 20;
module_param(max_keys, ulong, 0644);
MODULE_PARM_DESC(max_keys, "maximum sum of max_keys over all keyed objects");

static ulong max_keys_per_uid = 1 << 20;
module_param(max_keys_per_uid, ulong, 0644);
MODULE_PARM_DESC(max_keys_per_uid, "maximum sum of max_keys of one owner, except for CAP_SYS_ADMIN");

static ulong max_grants_per_uid = 1 << 20;
module_param(max_grants_per_uid, ulong, 0644);
MODULE_PARM_DESC(max_grants_per_uid, "maximum number of grants to the files of one user, except for CAP_SYS_ADMIN");

/* the fraction of the host's caps that is reserved for CAP_SYS_ADMIN: 1/16 */
#define RESERVED	16

static DEFINE_XARRAY(namespaces);	/* by owner; has its own lock */
static u64 objects_sum;			/* L; WRITE_ONCE() */
static u64 keys_sum;			/* L; WRITE_ONCE() */
static struct weir_namespace *root;	/* this reference belongs to the module */
static struct workqueue_struct *queue;

static void namespace_free(struct work_struct *work)
{
	struct weir_namespace *ns = container_of(to_rcu_work(work),
						 struct weir_namespace, free);

	weir_deadlines_exit(&ns->deadlines);
	weir_event_stream_exit(&ns->events);
	kfree(ns);
}

static struct weir_namespace *namespace_new(kuid_t owner)
{
	struct weir_namespace *ns = kzalloc(sizeof(*ns), GFP_KERNEL_ACCOUNT);

	if (!ns)
		return NULL;
	ns->owner = owner;
	refcount_set(&ns->ref, 1);
	mutex_init(&ns->creating);
	weir_deadlines_init(&ns->deadlines);
	ns->names = RB_ROOT;
	weir_event_stream_init(&ns->events);
	INIT_RCU_WORK(&ns->free, namespace_free);
	return ns;
}

/*
 * Find the namespace of @owner. If there is none, add @new, unless it is NULL. A client can look up
 * any number of owners (WEIR_IOC_STREAM), so the cost must not depend on how many namespaces there
 * are. Return: the namespace found or added; NULL: there is none, and @new is NULL; or
 * ERR_PTR(-ENOMEM).
 */
static struct weir_namespace *table_get(kuid_t owner, struct weir_namespace *new)
{
	struct weir_namespace *ns;

	xa_lock(&namespaces);
	/* allocates without the lock, and looks again with it */
	ns = new ? __xa_cmpxchg(&namespaces, __kuid_val(owner), NULL, new, GFP_KERNEL_ACCOUNT) :
		   xa_load(&namespaces, __kuid_val(owner));
	/* under the table's lock, a namespace in the table still has a reference */
	if (ns && !xa_is_err(ns))
		refcount_inc(&ns->ref);
	xa_unlock(&namespaces);
	if (xa_is_err(ns))
		return ERR_PTR(xa_err(ns));
	return ns ?: new;
}

/* The namespace of an owner, or NULL. Context: RCU read side, in which it stays. */
struct weir_namespace *weir_namespace_find(kuid_t owner)
{
	return xa_load(&namespaces, __kuid_val(owner));
}

/**
 * weir_namespace_get - the namespace of an owner, which is made if there is none
 * @owner: the owner, see weir_cred_owner()
 *
 * Context: may sleep.
 *
 * Return: the namespace with a reference, or NULL: no memory.
 */
struct weir_namespace *weir_namespace_get(kuid_t owner)
{
	struct weir_namespace *ns = table_get(owner, NULL), *new;

	if (ns)
		return ns;
	new = namespace_new(owner);
	if (!new)
		return NULL;
	ns = table_get(owner, new);
	if (ns != new)
		kfree(new);
	return IS_ERR(ns) ? NULL : ns;
}

/* Drop a reference; NULL is ignored. Context: process. */
void weir_namespace_put(struct weir_namespace *ns)
{
	bool last;

	if (!ns)
		return;
	xa_lock(&namespaces);
	last = refcount_dec_and_test(&ns->ref);
	if (last)
		__xa_erase(&namespaces, __kuid_val(ns->owner));
	xa_unlock(&namespaces);
	/* writers of events that saw an object of the namespace alive are in an RCU read side */
	if (last)
		queue_rcu_work(queue, &ns->free);
}

static bool fits(u64 have, u64 more, u64 max)
{
	return have <= max && more <= max - have;
}

/*
 * Whether @more fit, in addition to @own of the owner and @sum of the host, with the caps @own_max
 * and @max. Return: 0, -EDQUOT (the owner's cap is reached) or -ENOSPC (the host's).
 */
static int caps_check(u64 own, u64 own_max, u64 sum, u64 max, u64 more, bool admin)
{
	if (!admin && !fits(own, more, own_max))
		return -EDQUOT;
	if (!admin)
		max -= max / RESERVED;
	return fits(sum, more, max) ? 0 : -ENOSPC;
}

/**
 * weir_namespace_charge - an object is made, changes its number of keys, or is deleted
 * @ns: the object's namespace
 * @objects: 1, 0 or -1
 * @from: keys that were charged for it
 * @to: keys to be charged
 * @admin: the client has CAP_SYS_ADMIN
 *
 * Context: registry_lock.
 * Return: 0; -EDQUOT (the owner's cap) or -ENOSPC (the host's cap): nothing has changed. Only what
 *	grows can exceed a cap.
 */
int weir_namespace_charge(struct weir_namespace *ns, int objects, u64 from, u64 to, bool admin)
{
	int err = 0;

	weir_registry_assert_held();
	if (objects > 0)
		err = caps_check(ns->objects, READ_ONCE(max_objects_per_uid), objects_sum,
				 READ_ONCE(max_objects), objects, admin);
	if (!err && to > from)
		err = caps_check(ns->keys, READ_ONCE(max_keys_per_uid), keys_sum,
				 READ_ONCE(max_keys), to - from, admin);
	if (err)
		return err;
	WRITE_ONCE(ns->objects, ns->objects + objects);
	WRITE_ONCE(objects_sum, objects_sum + objects);
	WRITE_ONCE(ns->keys, ns->keys + to - from);
	WRITE_ONCE(keys_sum, keys_sum + to - from);
	return 0;
}

/**
 * weir_namespace_grant_charge - charge one more grant
 * @ns: namespace of the user that opened the holder's file
 * @cred: credentials of the open. CAP_SYS_ADMIN is checked only when the cap is reached, because
 *	the check asks the security modules.
 *
 * Context: any.
 * Return: false: the cap is reached, and nothing has changed.
 */
bool weir_namespace_grant_charge(struct weir_namespace *ns, const struct cred *cred)
{
	long n = atomic_long_read(&ns->grants);

	do {
		if ((ulong)n >= READ_ONCE(max_grants_per_uid) && !weir_cred_admin(cred))
			return false;
	} while (!atomic_long_try_cmpxchg(&ns->grants, &n, n + 1));
	return true;
}

/* Read the caps and the present use, without a lock: the numbers may be from different moments. */
void weir_namespace_info(struct weir_namespace *ns, bool admin, struct weir_info *info)
{
	u64 objects_max = READ_ONCE(max_objects), keys_max = READ_ONCE(max_keys);

	info->objects_max = objects_max;
	info->total_keys = READ_ONCE(keys_sum);
	info->total_keys_max = keys_max;
	info->own_objects = READ_ONCE(ns->objects);
	info->own_keys = READ_ONCE(ns->keys);
	info->own_objects_max = admin ? objects_max : READ_ONCE(max_objects_per_uid);
	info->own_keys_max = admin ? keys_max : READ_ONCE(max_keys_per_uid);
}

int weir_namespace_mod_init(void)
{
	queue = alloc_workqueue("weir_namespace", WQ_UNBOUND, 0);
	if (!queue)
		return -ENOMEM;
	root = weir_namespace_get(GLOBAL_ROOT_UID);
	if (root && !weir_event_stream_begin(&root->events))
		return 0;
	weir_namespace_mod_exit();
	return -ENOMEM;
}

/* Context: no client and no object is left. */
void weir_namespace_mod_exit(void)
{
	weir_namespace_put(root);
	root = NULL;
	rcu_barrier();
	destroy_workqueue(queue);
}
