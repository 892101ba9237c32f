// SPDX-License-Identifier: GPL-2.0-only
/*
 * WEIR_IOC_CREATE: everything that can fail happens before the object is
 * visible, or is undone.
 */

#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "client.h"
#include "ioctl.h"
#include "registry.h"
#include "user.h"

static const struct weir_kind_ops *const kinds[] = {
	[WEIR_KIND_COUNTER] = &weir_counter_ops,
	[WEIR_KIND_LIMITER] = &weir_limiter_ops,
};

static int args_check(const struct weir_create *args)
{
	if (args->flags & ~WEIR_CREATE_EXISTING_OK || args->reserved ||
	    args->rights & ~WEIR_RIGHT_ALL || args->mode & ~0666U ||
	    args->kind == WEIR_KIND_ANY || !weir_name_valid(args->name))
		return -EINVAL;
	if (args->kind >= ARRAY_SIZE(kinds) || !kinds[args->kind])
		return -EOPNOTSUPP;
	return 0;
}

static int group_choose(const struct weir_create *args, kgid_t *gid)
{
	*gid = current_egid();
	if (args->gid == WEIR_GID_DEFAULT)
		return 0;
	*gid = make_kgid(current_user_ns(), args->gid);
	if (!gid_valid(*gid))
		return -EINVAL;
	return in_group_p(*gid) || capable(CAP_SYS_ADMIN) ? 0 : -EACCES;
}

/* A new object, not visible yet, with one reference of each kind. */
static struct weir_object *object_make(const struct weir_create *args)
{
	struct weir_object *o;
	kgid_t gid;
	int err;

	err = group_choose(args, &gid);
	if (err)
		return ERR_PTR(err);
	o = kinds[args->kind]->create(args->config);
	if (IS_ERR(o))
		return o;
	o->ops = kinds[args->kind];
	o->mode = args->mode;
	o->uid = current_euid();
	o->gid = gid;
	refcount_set(&o->live, 1);
	kref_init(&o->ref);
	memcpy(o->name, args->name, sizeof(o->name));
	return o;
}

static void object_unmake(struct weir_object *o)
{
	o->ops->release(o);
	kfree(o);
}

/* Tell the caller which object has the name. */
static void winner_tell(struct weir_create *args, const struct weir_object *o)
{
	args->id = o->id;
	args->owner = from_kuid_munged(current_user_ns(), o->uid);
	args->created = 0;
}

/*
 * The name exists. @o is returned with its reference if the caller may have it,
 * else put.
 */
static struct weir_object *existing_open(struct weir_create *args,
					 struct weir_object *o)
{
	int err = 0;

	winner_tell(args, o);
	if (!(args->flags & WEIR_CREATE_EXISTING_OK))
		err = -EEXIST;
	else if (args->rights & ~weir_object_rights(o))
		err = -EACCES;
	if (!err)
		return o;
	weir_object_put(o);
	return ERR_PTR(err);
}

/* The object by that name, made if there is none, with a reference. */
static struct weir_object *object_get(struct weir_create *args)
{
	struct weir_object *o, *new = NULL;
	int err;

	for (;;) {
		o = weir_registry_find(args->kind, args->name);
		if (o) {
			o = existing_open(args, o);
			break;
		}
		if (!new)
			new = object_make(args);
		if (IS_ERR(new))
			return new;
		kref_get(&new->ref);	/* ours; the first is the registry's */
		err = weir_registry_add(new);
		if (!err) {
			winner_tell(args, new);
			args->created = 1;
			return new;
		}
		kref_put(&new->ref, NULL);
		/* who took the name may be gone when we look: try again */
		if (err != -EEXIST) {
			o = ERR_PTR(err);
			break;
		}
	}
	if (new)
		object_unmake(new);
	return o;
}

static int create_into(struct weir_client *c, struct weir_create *args, u64 user)
{
	struct weir_object *o = object_get(args);
	int err;

	if (IS_ERR(o)) {
		err = PTR_ERR(o);
		args->handle = 0;
		if (err == -EEXIST && weir_user_put(args, sizeof(*args), user))
			err = -EFAULT;
		return err;
	}
	err = weir_user_put(args, sizeof(*args), user);
	if (!err && args->handle)
		err = weir_handle_bind(c, args->handle, o, args->rights);
	if (err && args->created)
		weir_registry_delete(o);
	if (err || !args->handle)
		weir_object_put(o);
	return err;
}

/**
 * weir_create_run - handle WEIR_IOC_CREATE
 * @c: the client
 * @args: its struct
 * @user: where that came from
 */
int weir_create_run(struct weir_client *c, struct weir_create *args, u64 user)
{
	u32 handle = 0;
	int err;

	if (!c->writable)
		return -EACCES;
	err = args_check(args);
	if (err)
		return err;
	/* results must have where to go before anything is made */
	args->handle = 0;
	args->id = 0;
	args->owner = 0;
	args->created = 0;
	err = weir_user_put(args, sizeof(*args), user);
	if (!err && args->rights)
		err = weir_handle_reserve(c, &handle);
	if (err)
		return err;
	args->handle = handle;
	err = create_into(c, args, user);
	if (err && handle)
		weir_handle_cancel(c, handle);
	return err;
}
