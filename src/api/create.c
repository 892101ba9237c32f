// SPDX-License-Identifier: GPL-2.0-only
/*
 * WEIR_IOC_CREATE: everything that can fail happens before the object is visible.
 */

#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "core/client.h"
#include "api/ioctl.h"
#include "api/kinds.h"
#include "core/registry.h"
#include "core/user.h"
#include "core/view.h"

static int args_check(const struct weir_create *args)
{
	if (args->flags & ~WEIR_CREATE_EXISTING_OK || args->reserved ||
	    args->rights & ~WEIR_RIGHT_ALL || args->mode & ~0666U ||
	    args->kind == WEIR_KIND_ANY || !weir_name_valid(args->name))
		return -EINVAL;
	return weir_kind_find(args->kind) ? 0 : -EOPNOTSUPP;
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

/* A new object without storage, not visible, with one reference of each kind. */
static struct weir_object *object_make(const struct weir_create *args)
{
	u64 config[WEIR_VIEW_WORDS];
	const struct weir_kind_ops *ops;
	struct weir_object *o;
	kgid_t gid;
	int err;

	err = group_choose(args, &gid);
	if (err)
		return ERR_PTR(err);
	ops = weir_kind_find(args->kind);
	err = weir_view_take(&ops->config, config, args->config);
	if (err)
		return ERR_PTR(err);
	o = ops->create(config);
	if (IS_ERR(o))
		return o;
	o->ops = ops;
	o->mode = args->mode;
	o->uid = current_euid();
	o->gid = gid;
	o->id = weir_registry_number();
	refcount_set(&o->live, 1);
	kref_init(&o->ref);
	spin_lock_init(&o->grant_lock);
	INIT_LIST_HEAD(&o->grants);
	memcpy(o->name, args->name, sizeof(o->name));
	return o;
}

/* Tell the caller which object has the name, before it has it if it is new. */
static int winner_tell(struct weir_create *args, const struct weir_object *o,
		       bool created, u64 user)
{
	args->id = o->id;
	args->owner = from_kuid_munged(current_user_ns(), o->uid);
	args->created = created;
	return weir_user_put(args, sizeof(*args), user);
}

/*
 * The name exists. @o is returned with its reference if the caller may have it,
 * else put.
 */
static struct weir_object *existing_open(struct weir_create *args,
					 struct weir_object *o, u64 user)
{
	u32 handle = args->handle;
	int err;

	if (!(args->flags & WEIR_CREATE_EXISTING_OK)) {
		args->handle = 0;
		err = winner_tell(args, o, false, user) ?: -EEXIST;
		args->handle = handle;
	} else if (!weir_object_may(o, args->rights)) {
		err = -EACCES;
	} else {
		err = winner_tell(args, o, false, user);
	}
	if (!err)
		return o;
	weir_object_put(o);
	return ERR_PTR(err);
}

/* One that never was visible. */
static void object_unmake(struct weir_object *o)
{
	o->ops->release(o);
	kfree(o);
}

/*
 * Build @o and make it visible: 0, and the caller has a reference, too. -EEXIST:
 * somebody was faster. Then and after any other error it is as before.
 */
static int object_build(struct weir_object *o)
{
	int err = weir_registry_begin(o);

	if (err)
		return err;
	err = o->ops->build(o);
	if (!err) {
		kref_get(&o->ref);	/* ours; the first is the registry's */
		err = weir_registry_publish(o);
	}
	if (err)
		weir_registry_abandon(o);
	return err;
}

/*
 * The object by that name, made if there is none, with a reference. What is told
 * to the caller is told before: others may wait for what he builds, and must not
 * wait for a user's page.
 */
static struct weir_object *object_get(struct weir_create *args, u64 user)
{
	struct weir_object *o, *new;
	int err;

	for (;;) {
		o = weir_registry_find(args->kind, args->name);
		if (o)
			return existing_open(args, o, user);
		new = object_make(args);
		if (IS_ERR(new))
			return new;
		err = winner_tell(args, new, true, user);
		if (!err)
			err = object_build(new);
		if (!err)
			return new;
		object_unmake(new);
		if (err != -EEXIST)
			return ERR_PTR(err);
		/* who took the name may be gone when we look: try again */
		if (signal_pending(current))
			return ERR_PTR(-ERESTARTSYS);
	}
}

static void results_clear(struct weir_create *args)
{
	args->handle = 0;
	args->id = 0;
	args->owner = 0;
	args->created = 0;
}

/* Results that came to nothing are taken back. EEXIST has some of its own. */
static int results_undo(struct weir_create *args, u64 user, int err)
{
	results_clear(args);
	if (err != -EEXIST && weir_user_put(args, sizeof(*args), user))
		return -EFAULT;
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
	struct weir_handle *h = NULL;
	struct weir_object *o;
	int err;

	if (!c->writable)
		return -EACCES;
	err = args_check(args);
	if (err)
		return err;
	results_clear(args);
	if (args->rights)
		h = weir_handle_reserve(c, args->rights);
	if (IS_ERR(h))
		return results_undo(args, user, PTR_ERR(h));
	args->handle = h ? h->id : 0;
	o = object_get(args, user);
	if (IS_ERR(o)) {
		if (h)
			weir_handle_cancel(c, h);
		return results_undo(args, user, PTR_ERR(o));
	}
	if (h)
		weir_handle_bind(c, h, o);
	else
		weir_object_put(o);
	return 0;
}
