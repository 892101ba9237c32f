// SPDX-License-Identifier: GPL-2.0-only
/* Phases 2 to 4 of an object's death, and who may do what. See object.h. */

#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/ctype.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/user_namespace.h>

#include "core/grant.h"
#include "core/object.h"
#include "core/registry.h"

static void object_free(struct kref *ref)
{
	struct weir_object *o = container_of(ref, struct weir_object, ref);

	/* whoever looked a handle up under RCU may still read the header */
	kfree_rcu(o, free_rcu);
}

void weir_object_put(struct weir_object *o)
{
	kref_put(&o->ref, object_free);
}

static void object_release_work(struct work_struct *work)
{
	struct weir_object *o = container_of(work, struct weir_object, work);

	weir_grant_object_end(o);
	o->ops->release(o);
	weir_object_put(o);
}

static void object_release_rcu(struct rcu_head *rcu)
{
	struct weir_object *o = container_of(rcu, struct weir_object, rcu);

	INIT_WORK(&o->work, object_release_work);
	weir_registry_queue(&o->work);
}

void weir_object_live_put(struct weir_object *o)
{
	if (refcount_dec_and_test(&o->live))
		call_rcu(&o->rcu, object_release_rcu);
}

/* What mode and ids give the current task, as they do for a file. */
static u32 rights_by_mode(const struct weir_object *o)
{
	unsigned int bits = o->mode;
	u32 rights = 0;

	if (uid_eq(current_euid(), o->uid)) {
		bits >>= 6;
		rights |= WEIR_RIGHT_ADMIN;
	} else if (in_group_p(o->gid)) {
		bits >>= 3;
	}
	if (bits & 4)
		rights |= WEIR_RIGHT_OBSERVE;
	if (bits & 2)
		rights |= WEIR_RIGHT_USE;
	return rights;
}

/**
 * weir_object_may - whether the current task may have rights to an object
 * @o: the object
 * @rights: WEIR_RIGHT_*
 *
 * The capability is asked for last: only where it decides should it be noted
 * that it was used, or that it was missing.
 */
bool weir_object_may(const struct weir_object *o, u32 rights)
{
	return !(rights & ~rights_by_mode(o)) || capable(CAP_SYS_ADMIN);
}

/* The same for who walks over all objects: not to see one is no incident. */
bool weir_object_may_observe(const struct weir_object *o)
{
	return rights_by_mode(o) & WEIR_RIGHT_OBSERVE ||
	       ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN);
}

/* 1 to 63 characters, NUL-terminated, zero-filled; the first is alphanumeric. */
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
