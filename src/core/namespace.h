/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Namespaces: the names of one owner's objects (registry.c), the owner's caps on objects, keys and
 * grants, and the owner's stream of events.
 *
 * A namespace exists while it has objects (until their storage is freed) or clients.
 * Root's exists as long as the module.
 */
#ifndef _WEIR_NAMESPACE_H
#define _WEIR_NAMESPACE_H

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/uidgid.h>
#include <linux/workqueue.h>

#include "core/deadline.h"
#include "core/event.h"

struct cred;
struct weir_info;

/**
 * struct weir_namespace - the namespace of one owner
 *
 * I: constant. L: registry_lock.
 *
 * @owner:	I: a user of the host
 * @ref:	objects and clients
 * @creating:	held while an object of this owner is made, so that only one of several
 *		concurrent creators of a name builds it; and while an object with a
 *		folder is deleted. Outside registry_lock.
 * @names:	L: its visible objects, by kind and name
 * @objects:	L: objects, including those under construction
 * @keys:	L: sum of their max_keys
 * @grants:	charged grants of its clients' holders, see weir_grant_charge()
 * @deadlines:	deadlines of its clients' requests
 * @events:	the stream
 * @free:	the work that frees it after the last reference is gone
 */
struct weir_namespace {
	kuid_t owner;
	refcount_t ref;
	struct mutex creating;	/* one creation at a time */
	struct rb_root names;
	u64 objects;
	u64 keys;
	atomic_long_t grants;
	struct weir_deadlines deadlines;
	struct weir_event_stream events;
	struct rcu_work free;
};

struct weir_namespace *weir_namespace_find(kuid_t owner);
struct weir_namespace *weir_namespace_get(kuid_t owner);
void weir_namespace_put(struct weir_namespace *ns);
int weir_namespace_charge(struct weir_namespace *ns, int objects, u64 from, u64 to, bool admin);
bool weir_namespace_grant_charge(struct weir_namespace *ns, const struct cred *cred);
void weir_namespace_info(struct weir_namespace *ns, bool admin, struct weir_info *info);

int weir_namespace_mod_init(void);
void weir_namespace_mod_exit(void);

#endif /* _WEIR_NAMESPACE_H */
