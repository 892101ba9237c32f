// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls. A table has the size of the struct and the handler of each number. One dispatcher
 * copies the struct in, by the rules of uaccess.c.
 */

#include <linux/compiler.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>

#include "api/ioctl.h"
#include "api/kinds.h"
#include "core/cred.h"
#include "core/event.h"
#include "core/grant.h"
#include "core/handle.h"
#include "core/namespace.h"
#include "core/registry.h"
#include "core/request.h"
#include "core/uaccess.h"
#include "core/user_time.h"
#include "table/dump.h"
#include "table/keyed.h"

#define ARGS_WORDS	18	/* u64 words of the longest struct */

static int info_run(struct weir_client *c, struct weir_object *o, void *args, u64 user)
{
	struct weir_info *info = args;

	*info = (struct weir_info){
		.size = info->size,
		.abi_version = WEIR_ABI_VERSION,
		.features = WEIR_FEATURE_COUNTER | WEIR_FEATURE_LIMITER |
			    WEIR_FEATURE_EVENTS | WEIR_FEATURE_TRANSACTION |
			    WEIR_FEATURE_HISTOGRAM | WEIR_FEATURE_EMIT |
			    WEIR_FEATURE_GATE | WEIR_FEATURE_BREAKER |
			    WEIR_FEATURE_ROSTER,
		.now = weir_user_time(ktime_get_boottime_ns()),
		.batch_max = WEIR_BATCH_MAX,
		.fields_max = WEIR_FIELDS_MAX,
		.key_max = WEIR_KEY_MAX,
		.handles_max = WEIR_HANDLES_MAX,
		.keys_max = WEIR_KEYS_MAX,
		.objects = weir_registry_objects(),
	};
	weir_namespace_info(c->ns, weir_client_admin(c), info);
	weir_event_range(weir_client_reader(c)->stream, &info->event_first, &info->event_next);
	strscpy(info->version, THIS_MODULE->version, sizeof(info->version));
	return 0;
}

static int open_object(struct weir_client *c, struct weir_open *args,
		       struct weir_object *o, u64 user)
{
	struct weir_handle *h;
	int err;

	if (!weir_object_may(o, c->cred, args->rights))
		return -EACCES;
	h = weir_handle_reserve(c, args->rights);
	if (IS_ERR(h))
		return PTR_ERR(h);
	args->handle = h->id;
	args->id = o->id;
	args->owner = from_kuid_munged(current_user_ns(), o->owner);
	err = weir_user_put(args, sizeof(*args), user);
	if (err)
		weir_handle_cancel(c, h);
	else
		weir_handle_bind(c, h, o);
	return err;
}

/* Find an object by name. An owner without an id in the caller's namespace has no such object. */
static struct weir_object *object_find(struct weir_client *c, const struct weir_open *args)
{
	kuid_t owner = weir_owner_named(args->owner, c->ns->owner);

	if (args->owner == WEIR_OWNER_DEFAULT)
		return weir_registry_resolve(owner, args->kind, args->name);
	return uid_valid(owner) ? weir_registry_find(owner, args->kind, args->name) : NULL;
}

static int open_run(struct weir_client *c, struct weir_object *none, void *args, u64 user)
{
	struct weir_open *open = args;
	struct weir_object *o;
	int err;

	if (open->flags || !open->rights ||
	    open->rights & ~WEIR_RIGHT_ALL || open->kind == WEIR_KIND_ANY ||
	    !weir_name_valid(open->name))
		return -EINVAL;
	if (open->rights & (WEIR_RIGHT_USE | WEIR_RIGHT_ADMIN) && !c->writable)
		return -EACCES;
	o = object_find(c, open);
	if (!o)
		return -ENOENT;
	err = open_object(c, open, o, user);
	if (err)
		weir_object_put(o);
	return err;
}

static int close_run(struct weir_client *c, struct weir_object *o, void *args, u64 user)
{
	const struct weir_close *close = args;

	return weir_handle_close(c, close->handle);
}

static int set_run(struct weir_client *c, struct weir_object *o, void *args, u64 user)
{
	const struct weir_abi_struct *s = &o->ops->config;
	const struct weir_set *set = args;
	u64 config[WEIR_ABI_STRUCT_WORDS];
	int err;

	if (!o->ops->set)
		return -EOPNOTSUPP;
	err = weir_user_get(config, s->size, set->config, s->min_size) ?:
	      weir_object_set_begin(o);
	if (err)
		return err;
	err = o->ops->set(c, o, set->mask, config);
	weir_object_set_end(o);
	return err;
}

static int get_run(struct weir_client *c, struct weir_object *o, void *args, u64 user)
{
	const struct weir_get *get = args;

	return o->ops->get ? o->ops->get(o, get->config, get->stats) :
			     weir_object_copy_out(o, get->config, get->stats);
}

static int delete_run(struct weir_client *c, struct weir_object *o, void *args, u64 user)
{
	return weir_registry_delete(o);
}

/*
 * Whether to list an object. @owner: only objects of this owner; all owners if it is invalid.
 * @kind: only this kind, or WEIR_KIND_ANY.
 */
static bool list_wants(struct weir_client *c, const struct weir_object *o, u32 kind,
		       kuid_t owner)
{
	return (kind == WEIR_KIND_ANY || o->ops->kind == kind) &&
	       (!uid_valid(owner) || uid_eq(o->owner, owner)) &&
	       weir_object_may(o, c->cred, WEIR_RIGHT_OBSERVE);
}

/* Append the record of an object. Return: 0 or -EFAULT. */
static int list_append(struct weir_list *list, struct weir_object *o)
{
	struct weir_object_info info = {
		.size = sizeof(info),
		.kind = o->ops->kind,
		.type = o->type,
		.mode = o->mode,
		.uid = from_kuid_munged(current_user_ns(), o->uid),
		.gid = from_kgid_munged(current_user_ns(), o->gid),
		.id = o->id,
		.owner = from_kuid_munged(current_user_ns(), o->owner),
	};

	memcpy(info.name, o->name, sizeof(info.name));
	rcu_read_lock();
	if (o->ops->key && weir_object_alive(o))
		info.keys = weir_table_keys(&weir_keyed(o)->table);
	rcu_read_unlock();
	if (copy_to_user(u64_to_user_ptr(list->buffer + list->length), &info, sizeof(info)))
		return -EFAULT;
	list->length += sizeof(info);
	list->count++;
	return 0;
}

static int list_run(struct weir_client *c, struct weir_object *none, void *args, u64 user)
{
	struct weir_list *list = args;
	kuid_t owner = weir_owner_named(list->owner, INVALID_UID);
	u64 length = list->length;
	struct weir_object *o;
	int err = 0;

	if (list->kind != WEIR_KIND_ANY && !weir_kind_find(list->kind))
		return -EINVAL;
	if (list->owner != WEIR_OWNER_DEFAULT && !uid_valid(owner))
		return -EINVAL;
	if (length < sizeof(struct weir_object_info))
		return -EMSGSIZE;
	list->length = 0;
	list->count = 0;
	while (length - list->length >= sizeof(struct weir_object_info)) {
		o = weir_registry_next(&list->cursor);
		if (!o)
			break;
		list->cursor++;
		if (list_wants(c, o, list->kind, owner))
			err = list_append(list, o);
		weir_object_put(o);
		if (err)
			return err;
		if (signal_pending(current))
			return list->count ? 0 : -EINTR;
		cond_resched();
	}
	return 0;
}

static int dump_run(struct weir_client *c, struct weir_object *o, void *args, u64 user)
{
	return o->ops->dump ? weir_dump_run(o, args) : -EOPNOTSUPP;
}

static int rules_run(struct weir_client *c, struct weir_object *o, void *args, u64 user)
{
	struct weir_rules *rules = args;
	int err = o->ops->rules ? o->ops->rules(o, rules) : -EOPNOTSUPP;

	/* a change has no results, so nothing can fail after it */
	if (err || !(rules->flags & WEIR_RULES_GET))
		return err;
	return weir_user_put(rules, sizeof(*rules), user);
}

static int load_run(struct weir_client *c, struct weir_object *o, void *args, u64 user)
{
	return o->ops->load ? o->ops->load(o, args) : -EOPNOTSUPP;
}

static int emit_run(struct weir_client *c, struct weir_object *o, void *args, u64 user)
{
	struct weir_emit *emit = args;
	u8 data[WEIR_RECORD_MAX];

	if (!emit->length || emit->length > sizeof(data) ||
	    (memchr_inv(emit->tag, 0, sizeof(emit->tag)) &&
	     !weir_name_valid(emit->tag)))
		return -EINVAL;
	if (copy_from_user(data, u64_to_user_ptr(emit->data), emit->length))
		return -EFAULT;
	return weir_event_emit(c->ns, c->cred->euid, emit->tag, data, emit->length, &emit->seq);
}

static int drop_run(struct weir_client *c, struct weir_object *o, void *args, u64 user)
{
	const struct weir_drop *drop = args;

	weir_grant_drop_tag(c, drop->tag);
	weir_request_drop_tag(c, drop->tag);
	return 0;
}

static int collect_run(struct weir_client *c, struct weir_object *o, void *args, u64 user)
{
	struct weir_collect *collect = args;
	int n;

	if (!collect->count || collect->count > WEIR_BATCH_MAX ||
	    collect->ops % sizeof(u64))
		return -EINVAL;
	n = weir_request_collect(c, u64_to_user_ptr(collect->ops), collect->count);
	collect->count = n;
	return min(n, 0);
}

static int dup_client_run(struct weir_client *c, struct weir_object *o, void *args, u64 user)
{
	const struct weir_dup_client *dup = args;

	return dup->flags & ~WEIR_DUP_CLOEXEC ? -EINVAL : weir_device_dup(c, dup->flags);
}

static int stream_run(struct weir_client *c, struct weir_object *o, void *args, u64 user)
{
	const struct weir_stream *stream = args;
	kuid_t owner = weir_owner_named(stream->owner, c->ns->owner);

	return uid_valid(owner) ? weir_client_events(c, owner) : -ENOENT;
}

static int restrict_run(struct weir_client *c, struct weir_object *o, void *args, u64 user)
{
	const struct weir_restrict *r = args;
	int err = 0;

	if (r->flags & ~WEIR_RESTRICT_ALL || r->rights & ~WEIR_RIGHT_ALL ||
	    (!r->handle && r->rights))
		return -EINVAL;
	if (r->handle)
		err = weir_handle_narrow(c, r->handle, r->rights);
	if (!err)
		atomic_or(r->flags, &c->restricted);
	return err;
}

static int shutdown_run(struct weir_client *c, struct weir_object *o, void *args, u64 user)
{
	const struct weir_shutdown *shutdown = args;

	if (shutdown->reserved)
		return -EINVAL;
	weir_request_shutdown(c);
	return 0;
}

/**
 * struct ioctl_desc - one ioctl
 * @cmd: its number
 * @size: size of its struct in this version
 * @min_size: size of its struct in the first version of the ABI
 * @rights: WEIR_RIGHT_* that a handle must have; the struct begins as &struct weir_close does.
 *	0: there is no handle
 * @power: WEIR_RESTRICT_* that the client must not have given up
 * @writes: the file must be open for writing
 * @results: the struct has results. It is copied out before the call too, so that the call does
 *	nothing if they cannot be written.
 * @run: the handler. @o: the object of the handle, or NULL; its header is held. @user: the address
 *	of the user's struct; some handlers write to it.
 */
struct ioctl_desc {
	unsigned int cmd;
	u32 size;
	u32 min_size;
	u32 rights;
	u32 power;
	bool writes;
	bool results;
	int (*run)(struct weir_client *c, struct weir_object *o, void *args, u64 user);
};

#define IOCTL(_cmd, _struct, _last, _run, ...)				\
	[_IOC_NR(_cmd)] = {						\
		.cmd = _cmd,						\
		.size = sizeof(struct _struct) +			\
			BUILD_BUG_ON_ZERO(sizeof(struct _struct) >	\
					  ARGS_WORDS * sizeof(u64)),	\
		.min_size = offsetofend(struct _struct, _last),		\
		.run = _run,						\
		__VA_ARGS__						\
	}

static const struct ioctl_desc ioctls[] = {
	IOCTL(WEIR_IOC_INFO, weir_info, own_keys_max, info_run, .results = true),
	IOCTL(WEIR_IOC_CREATE, weir_create, name, weir_create_run,
	      .power = WEIR_RESTRICT_CREATE, .writes = true),
	IOCTL(WEIR_IOC_OPEN, weir_open, name, open_run, .power = WEIR_RESTRICT_OPEN),
	IOCTL(WEIR_IOC_CLOSE, weir_close, handle, close_run),
	IOCTL(WEIR_IOC_SET, weir_set, config, set_run, .rights = WEIR_RIGHT_ADMIN),
	IOCTL(WEIR_IOC_GET, weir_get, stats, get_run, .rights = WEIR_RIGHT_OBSERVE),
	IOCTL(WEIR_IOC_DELETE, weir_delete, handle, delete_run, .rights = WEIR_RIGHT_ADMIN),
	IOCTL(WEIR_IOC_LIST, weir_list, owner, list_run,
	      .power = WEIR_RESTRICT_LIST, .results = true),
	IOCTL(WEIR_IOC_DUMP, weir_dump, length, dump_run,
	      .rights = WEIR_RIGHT_KEYS, .results = true),
	IOCTL(WEIR_IOC_RULES, weir_rules, rules, rules_run, .rights = WEIR_RIGHT_ADMIN),
	IOCTL(WEIR_IOC_LOAD, weir_load, length, load_run,
	      .rights = WEIR_RIGHT_ADMIN, .results = true),
	IOCTL(WEIR_IOC_EMIT, weir_emit, tag, emit_run,
	      .power = WEIR_RESTRICT_EMIT, .writes = true, .results = true),
	IOCTL(WEIR_IOC_DROP, weir_drop, tag, drop_run),
	IOCTL(WEIR_IOC_DUP_CLIENT, weir_dup_client, flags, dup_client_run),
	IOCTL(WEIR_IOC_STREAM, weir_stream, owner, stream_run, .power = WEIR_RESTRICT_EVENTS),
	IOCTL(WEIR_IOC_RESTRICT, weir_restrict, rights, restrict_run),
	IOCTL(WEIR_IOC_COLLECT, weir_collect, ops, collect_run, .results = true),
	IOCTL(WEIR_IOC_SHUTDOWN, weir_shutdown, reserved, shutdown_run),
};

/* Perform an ioctl. @args: the copy of the user's struct. */
static int ioctl_perform(struct weir_client *c, const struct ioctl_desc *desc, void *args, u64 user)
{
	const struct weir_close *on = args;
	struct weir_object *o = NULL;
	int err = 0;

	if (weir_client_lacks(c, desc->power))
		return -EPERM;
	if (desc->writes && !c->writable)
		return -EACCES;
	if (desc->rights)
		o = weir_handle_object(c, on->handle, desc->rights);
	if (IS_ERR(o))
		return PTR_ERR(o);
	if (desc->results)
		err = weir_user_put(args, desc->size, user);
	if (!err)
		err = desc->run(c, o, args, user);
	if (!err && desc->results)
		err = weir_user_put(args, desc->size, user);
	if (o)
		weir_object_put(o);
	return err;
}

/* All other ioctls. A separate function, so that OP and SUBMIT need not clear its arguments. */
static noinline long ioctl_run(struct weir_client *c, unsigned int cmd, unsigned long arg)
{
	const struct ioctl_desc *desc;
	u64 args[ARGS_WORDS];
	unsigned int nr = _IOC_NR(cmd);
	int err;

	if (nr >= ARRAY_SIZE(ioctls))
		return -ENOTTY;
	desc = &ioctls[array_index_nospec(nr, ARRAY_SIZE(ioctls))];
	if (cmd != desc->cmd)
		return -ENOTTY;
	err = weir_user_get(args, desc->size, arg, desc->min_size);
	return err ?: ioctl_perform(c, desc, args, arg);
}

/**
 * weir_ioctl - dispatch an ioctl
 * @file: of a client
 * @cmd: its number
 * @arg: user pointer to its struct
 *
 * Return: 0 or a descriptor, or an errno; -ENOTTY: there is no such ioctl; -EBADF: the client is
 * shut down.
 */
long weir_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct weir_client *c = file->private_data;

	if (READ_ONCE(c->shut))
		return -EBADF;
	/* checked first, because they are by far the most frequent */
	if (likely(cmd == WEIR_IOC_OP))
		return weir_submit_op(c, (struct weir_op __user *)arg);
	if (likely(cmd == WEIR_IOC_SUBMIT))
		return weir_submit_run(c, (struct weir_submit __user *)arg);
	return ioctl_run(c, cmd, arg);
}
