// SPDX-License-Identifier: GPL-2.0-only
/* See cred.h. All decisions use the credentials given, not those of the task. */

#include <linux/bsearch.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/user_namespace.h>

#include <uapi/linux/weir.h>

#include "core/cred.h"

/*
 * The user of the parent namespace to which the ids of @ns belong: the user that made @ns. If root
 * made it, it was made for another user, namely for the id that is root inside. If root inside is
 * root outside, each id belongs to the same id outside.
 */
static kuid_t namespace_owner(struct user_namespace *ns, kuid_t uid)
{
	kuid_t inner_root;

	if (!uid_eq(ns->owner, GLOBAL_ROOT_UID))
		return ns->owner;
	inner_root = make_kuid(ns, 0);
	if (uid_valid(inner_root) && !uid_eq(inner_root, GLOBAL_ROOT_UID))
		return inner_root;
	return uid;
}

/*
 * The host user for which a user of @ns counts. All ids in all user namespaces of a host user are
 * one owner. See "Owners" in uapi/linux/weir.h. Cost: one step for each level of user namespaces.
 */
static kuid_t owner_of(struct user_namespace *ns, kuid_t uid)
{
	for (; ns != &init_user_ns; ns = ns->parent)
		uid = namespace_owner(ns, uid);
	return uid;
}

/* The owner for which these credentials count. */
kuid_t weir_cred_owner(const struct cred *cred)
{
	return owner_of(cred->user_ns, cred->euid);
}

/*
 * The owner with a uid given by the current task, or @usual for WEIR_OWNER_DEFAULT. Not valid if
 * the task's namespace has no such uid.
 */
kuid_t weir_owner_named(u32 uid, kuid_t usual)
{
	struct user_namespace *ns = current_user_ns();
	kuid_t kuid = make_kuid(ns, uid);

	if (uid == WEIR_OWNER_DEFAULT)
		return usual;
	return uid_valid(kuid) ? owner_of(ns, kuid) : kuid;
}

static int gid_compare(const void *key, const void *item)
{
	const kgid_t *a = key, *b = item;

	return gid_gt(*a, *b) ? 1 : gid_lt(*a, *b) ? -1 : 0;
}

/* Like in_group_p() for the current task, but with the effective gid. */
bool weir_cred_in_group(const struct cred *cred, kgid_t gid)
{
	const struct group_info *groups = cred->group_info;

	return gid_eq(cred->egid, gid) ||
	       bsearch(&gid, groups->gid, groups->ngroups, sizeof(gid), gid_compare);
}

/**
 * weir_cred_admin - whether credentials have CAP_SYS_ADMIN on the host
 * @cred: the credentials
 *
 * Call it last, when nothing else decides, because it calls security modules too. A missing
 * capability is not audited, because most callers then have an alternative.
 *
 * Return: whether they have it.
 */
bool weir_cred_admin(const struct cred *cred)
{
	const struct cred *old;
	bool admin;

	if (cred->user_ns != &init_user_ns ||
	    !cap_raised(cred->cap_effective, CAP_SYS_ADMIN))
		return false;
	old = override_creds(cred);
	admin = ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN);
	revert_creds(old);
	return admin;
}
