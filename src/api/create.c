// SPDX-License-Identifier: GPL-2.0-only
/* WEIR_IOC_CREATE: everything that can fail is done before the object is visible. */

#include <linux/cred.h>
#include <linux/err.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/user_namespace.h>

#include "api/ioctl.h"
#include "api/kinds.h"
#include "core/cred.h"
#include "core/handle.h"
#include "core/namespace.h"
#include "core/registry.h"
#include "core/uaccess.h"

/**
 * struct creation - a CREATE in progress
 * @c: the client
 * @args: its struct, without the results
 * @user: address of the user's struct
 * @handle: number of the reserved handle, or 0
 * @uid: the user that is recorded as creator
 * @gid: group of the object
 * @ns: the namespace of the object; a reference
 * @admin: the client has CAP_SYS_ADMIN
 */
struct creation {
	struct weir_client *c;
	struct weir_create *args;
	u64 user;
	u32 handle;
	kuid_t uid;
	kgid_t gid;
	struct weir_namespace *ns;
	bool admin;
};

static int args_check(const struct weir_create *args)
{
	if (args->flags & ~WEIR_CREATE_EXISTING_OK || args->reserved ||
	    args->rights & ~WEIR_RIGHT_ALL || args->mode & ~0777U ||
	    args->kind == WEIR_KIND_ANY || !weir_name_valid(args->name))
		return -EINVAL;
	return weir_kind_find(args->kind) ? 0 : -EOPNOTSUPP;
}

static int group_choose(struct creation *cr)
{
	const struct cred *cred = cr->c->cred;

	cr->gid = cred->egid;
	if (cr->args->gid == WEIR_GID_DEFAULT)
		return 0;
	cr->gid = make_kgid(current_user_ns(), cr->args->gid);
	if (!gid_valid(cr->gid))
		return -EINVAL;
	return cr->admin || weir_cred_in_group(cred, cr->gid) ? 0 : -EACCES;
}

/* The owner of the new object; by default the owner of the credentials of the open. */
static int owner_choose(struct creation *cr)
{
	const kuid_t own = cr->c->ns->owner;
	kuid_t owner = weir_owner_named(cr->args->owner, own);

	if (!uid_valid(owner))
		return -EINVAL;
	if (!uid_eq(owner, own) && !cr->admin)
		return -EACCES;
	cr->uid = uid_eq(owner, own) ? cr->c->cred->euid : owner;
	cr->ns = weir_namespace_get(owner);
	return cr->ns ? 0 : -ENOMEM;
}

/* Make an object without storage, not visible, with one reference of each kind. */
static struct weir_object *object_make(const struct creation *cr)
{
	const struct weir_create *args = cr->args;
	u64 config[WEIR_ABI_STRUCT_WORDS];
	const struct weir_kind_ops *ops;
	struct weir_object *o;
	int err;

	ops = weir_kind_find(args->kind);
	err = weir_user_get(config, ops->config.size, args->config, ops->config.min_size);
	if (err)
		return ERR_PTR(err);
	o = ops->create(cr->c, config);
	if (IS_ERR(o))
		return o;
	o->ops = ops;
	o->mode = args->mode;
	o->uid = cr->uid;
	o->gid = cr->gid;
	o->owner = cr->ns->owner;
	refcount_inc(&cr->ns->ref);
	o->ns = cr->ns;
	o->id = weir_registry_number();
	weir_object_init(o);
	memcpy(o->name, args->name, sizeof(o->name));
	return o;
}

/* Tell the caller which object has the name; for a new object, before it gets the name. */
static int winner_tell(const struct creation *cr, const struct weir_object *o,
		       u32 handle, bool created)
{
	struct weir_create args = *cr->args;

	args.handle = handle;
	args.id = o->id;
	args.owner = from_kuid_munged(current_user_ns(), o->owner);
	args.created = created;
	return weir_user_put(&args, sizeof(args), cr->user);
}

/*
 * Handle an existing name. Return: @o with its reference if the caller may have it; otherwise an
 * error, and the reference is dropped.
 */
static struct weir_object *existing_open(const struct creation *cr,
					 struct weir_object *o)
{
	int err;

	if (!(cr->args->flags & WEIR_CREATE_EXISTING_OK))
		err = winner_tell(cr, o, 0, false) ?: -EEXIST;
	else if (!weir_object_may(o, cr->c->cred, cr->args->rights))
		err = -EACCES;
	else
		err = winner_tell(cr, o, cr->handle, false);
	if (!err)
		return o;
	weir_object_put(o);
	return ERR_PTR(err);
}

/* Free an object that was never visible. */
static void object_unmake(struct weir_object *o)
{
	o->ops->release(o);
	weir_namespace_put(o->ns);
	kfree(o);
}

/* Find the object that prevents the creation, or that is opened in place of a new one; or NULL. */
static struct weir_object *existing_find(const struct creation *cr)
{
	const struct weir_create *args = cr->args;

	if (args->flags & WEIR_CREATE_EXISTING_OK && args->owner == WEIR_OWNER_DEFAULT)
		return weir_registry_resolve(cr->ns->owner, args->kind, args->name);
	return weir_registry_find(cr->ns->owner, args->kind, args->name);
}

/*
 * Find or make the object of that name, and return it with a reference. Results are copied to the
 * caller before the object is built, because other callers may wait for the build, and must not
 * wait for a page of the user.
 */
static struct weir_object *object_get(const struct creation *cr)
{
	struct weir_object *o;
	int err;

	for (;;) {
		o = existing_find(cr);
		if (o)
			return existing_open(cr, o);
		o = object_make(cr);
		if (IS_ERR(o))
			return o;
		err = winner_tell(cr, o, cr->handle, true);
		if (!err)
			err = weir_registry_add(o, cr->admin);
		if (!err)
			return o;
		object_unmake(o);
		if (err != -EEXIST)
			return ERR_PTR(err);
		/* the object that took the name may be gone by now: try again */
		if (signal_pending(current))
			return ERR_PTR(-ERESTARTSYS);
	}
}

static int object_create(struct creation *cr)
{
	struct weir_handle *h = NULL;
	struct weir_object *o;

	if (cr->args->rights)
		h = weir_handle_reserve(cr->c, cr->args->rights);
	if (IS_ERR(h))
		return PTR_ERR(h);
	cr->handle = h ? h->id : 0;
	o = object_get(cr);
	if (IS_ERR(o)) {
		if (h)
			weir_handle_cancel(cr->c, h);
		return PTR_ERR(o);
	}
	if (h)
		weir_handle_bind(cr->c, h, o);
	else
		weir_object_put(o);
	return 0;
}

/**
 * weir_create_run - handle WEIR_IOC_CREATE
 * @c: the client
 * @none: NULL
 * @arg: the struct weir_create
 * @user: the address of the user's struct
 *
 * Return: 0, or an error listed at &struct weir_create.
 */
int weir_create_run(struct weir_client *c, struct weir_object *none, void *arg, u64 user)
{
	struct weir_create *args = arg;
	struct creation cr = { .c = c, .args = args, .user = user };
	int err = args_check(args);

	if (err)
		return err;
	args->handle = 0;
	args->id = 0;
	args->created = 0;
	cr.admin = weir_client_admin(c);
	err = group_choose(&cr) ?: owner_choose(&cr);
	if (!err) {
		err = object_create(&cr);
		weir_namespace_put(cr.ns);
	}
	/* clear results that were written before the failure; EEXIST has results */
	if (err && err != -EEXIST && weir_user_put(args, sizeof(*args), user))
		return -EFAULT;
	return err;
}
