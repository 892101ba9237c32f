// SPDX-License-Identifier: GPL-2.0-only
/* Phases 2 to 4 of an object's death, and checks of rights. See object.h. */

#include <linux/cred.h>
#include <linux/ctype.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "core/cred.h"
#include "core/grant.h"
#include "core/namespace.h"
#include "core/object.h"
#include "core/registry.h"

/* Initialize the locks, lists and reference counts of a zeroed object. */
void weir_object_init(struct weir_object *o)
{
	refcount_set(&o->live, 1);
	kref_init(&o->ref);
	mutex_init(&o->set_lock);
	spin_lock_init(&o->grant_lock);
	INIT_LIST_HEAD(&o->grants);
	INIT_LIST_HEAD(&o->waiting);
}

static void object_free(struct kref *ref)
{
	struct weir_object *o = container_of(ref, struct weir_object, ref);

	/* a task that has found a handle under RCU may still read the header */
	kfree_rcu(o, free_rcu);
}

void weir_object_put(struct weir_object *o)
{
	kref_put(&o->ref, object_free);
}

static void object_release(struct work_struct *work)
{
	struct weir_object *o = container_of(to_rcu_work(work), struct weir_object, release);

	weir_grant_object_end(o);
	o->ops->release(o);
	weir_namespace_put(o->ns);
	weir_object_put(o);
}

void weir_object_live_put(struct weir_object *o)
{
	if (!refcount_dec_and_test(&o->live))
		return;
	INIT_RCU_WORK(&o->release, object_release);
	weir_registry_queue(&o->release);
}

/* Hold the storage, and exclude other live changes. Return: 0, -ENODEV, -EINTR. */
int weir_object_set_begin(struct weir_object *o)
{
	int err;

	if (!weir_object_live_get(o))
		return -ENODEV;
	err = mutex_lock_interruptible(&o->set_lock);
	if (err)
		weir_object_live_put(o);
	return err;
}

void weir_object_set_end(struct weir_object *o)
{
	mutex_unlock(&o->set_lock);
	weir_object_live_put(o);
}

/**
 * weir_rights_by_mode - the rights that mode and ids give to a user, as for a file
 * @uid: the user that made the object
 * @owner: the owner of the namespace
 * @gid: the object's group
 * @mode: its mode
 * @cred: credentials of the user
 *
 * Return: WEIR_RIGHT_* bits.
 */
u32 weir_rights_by_mode(kuid_t uid, kuid_t owner, kgid_t gid, unsigned int mode,
			const struct cred *cred)
{
	u32 rights = 0;

	if (uid_eq(cred->euid, uid) || uid_eq(cred->euid, owner)) {
		mode >>= 6;
		rights |= WEIR_RIGHT_ADMIN;
	} else if (weir_cred_in_group(cred, gid)) {
		mode >>= 3;
	}
	if (mode & 4)
		rights |= WEIR_RIGHT_OBSERVE;
	if (mode & 2)
		rights |= WEIR_RIGHT_USE;
	if (mode & 1)
		rights |= WEIR_RIGHT_KEYS;
	return rights;
}

/**
 * weir_object_may - whether credentials give rights to an object
 * @o: the object
 * @cred: credentials of the client's open
 * @rights: WEIR_RIGHT_*
 *
 * Return: whether the credentials give all of @rights.
 */
bool weir_object_may(const struct weir_object *o, const struct cred *cred, u32 rights)
{
	return !(rights & ~weir_rights_by_mode(o->uid, o->owner, o->gid, o->mode, cred)) ||
	       weir_cred_admin(cred);
}

/* 1 to 63 characters, NUL-terminated and zero-filled; the first is alphanumeric. */
bool weir_name_valid(const char *name)
{
	size_t len = strnlen(name, WEIR_NAME_SIZE), i;

	if (len == 0 || len == WEIR_NAME_SIZE)
		return false;
	for (i = 0; i < len; i++) {
		if (isascii(name[i]) && isalnum(name[i]))
			continue;
		if (i == 0 || !strchr("._-", name[i]))
			return false;
	}
	return !memchr_inv(name + len, 0, WEIR_NAME_SIZE - len);
}
